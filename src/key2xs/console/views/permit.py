"""*Permit*: its state and why, its crew, what keys everybody got and how far they are, and what was refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.console.people import Alias, People, look_up
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, PermitId, PersonId
from key2xs.grants.explaining import explain_person
from key2xs.grants.reads import leases_of_basis
from key2xs.grants.standing import Refusal, refusals_of_basis
from key2xs.grants.types import Lease
from key2xs.keys.openers import KeyExposure
from key2xs.keys.reads import keys_of_people
from key2xs.keys.types import StoredKey, Target
from key2xs.plant.types import Cylinder
from key2xs.policy.types import Missing
from key2xs.services import Services
from key2xs.work import Finding
from key2xs.work.facts import find_permit, permit_facts
from key2xs.work.successors import reissued_as
from key2xs.work.types import CrewMember, PermitFacts

from .openings import cylinders_by_id, shown_problem

Keys = Mapping[PersonId, list[tuple[StoredKey, Target | None]]]


@dataclass(frozen=True, slots=True)
class CrewLine:
    """One turn of one person."""

    member: CrewMember
    alias: Alias | None
    on_now: bool


@dataclass(frozen=True, slots=True)
class KeyOfLease:
    """A key that carries, or carried, a grant: how far it is, and what it can still open of it."""

    key: StoredKey
    target: Target | None
    vendor: str
    carries: bool
    exposed_until: datetime | None
    unbounded: bool

    @property
    def problem(self) -> str:
        """Why it is stuck."""
        return shown_problem(self.target, self.key)


@dataclass(frozen=True, slots=True)
class LeaseLine:
    """What one person got for one step."""

    lease: Lease
    holder: Alias | None
    cylinders: tuple[Cylinder, ...]
    keys: tuple[KeyOfLease, ...]


@dataclass(frozen=True, slots=True)
class RefusalLine:
    """What was refused, and the smallest legal change for each thing that is missing now."""

    refusal: Refusal
    holder: Alias | None
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """How many keys can still open something that was ended, how many of them without an end, and until when."""

    total: int
    endless: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class PermitView:
    """Everything on the page."""

    facts: PermitFacts
    crew: tuple[CrewLine, ...]
    cylinders: Mapping[CylinderId, Cylinder]
    leases: tuple[LeaseLine, ...]
    refusals: tuple[RefusalLine, ...]
    replaced_by: tuple[tuple[PermitId, str], ...]
    replaces: tuple[PermitId, str] | None

    @property
    def odd(self) -> tuple[Finding, ...]:
        """What looks wrong with the messages, each thing once; places without a lock are listed by themselves."""
        listed = [each.code for each in self.facts.unmapped]
        by_text = {
            finding.text: finding
            for finding in self.facts.findings
            if not any(f"{code}:" in finding.text for code in listed)
        }
        return tuple(by_text.values())

    @property
    def left(self) -> Left:
        """What keys can still open of this permit although it was ended."""
        keys = {
            held.key.id: held
            for line in self.ended_leases
            for held in line.keys
            if held.unbounded or held.exposed_until is not None
        }
        ends = [held.exposed_until for held in keys.values() if held.exposed_until is not None]
        return Left(len(keys), sum(held.unbounded for held in keys.values()), max(ends, default=None))

    @property
    def open_leases(self) -> tuple[LeaseLine, ...]:
        """What is allowed now or soon."""
        return tuple(line for line in self.leases if line.lease.state != "ended")

    @property
    def ended_leases(self) -> tuple[LeaseLine, ...]:
        """What was allowed."""
        return tuple(line for line in self.leases if line.lease.state == "ended")


async def read_permit(tx: Connection, services: Services, name: str, at: datetime) -> PermitView:
    """Read the page.

    Raises:
        NotFound: no such permit, or not yet one at that instant.
        Conflict: several permits carry the number.
    """
    permit_id = await find_permit(tx, name)
    if permit_id is None:
        message = f"There is no permit {name}."
        raise NotFound(message)
    facts = await permit_facts(tx, permit_id, at)
    leases = await leases_of_basis(tx, f"permit:{permit_id}")
    refusals = await refusals_of_basis(tx, f"permit:{permit_id}")
    named = [m.person_id for m in facts.crew] + [lease.person_id for lease in leases]
    people = await look_up(tx, [*named, *(refusal.person_id for refusal in refusals)], at)
    scope = facts.cylinders | {c for step in facts.steps for c in step.cylinders}
    cylinders = await cylinders_by_id(tx, [*scope, *(c for lease in leases for c in lease.cylinders)])
    return PermitView(
        facts=facts,
        crew=tuple(_crew(facts, people, at)),
        cylinders=cylinders,
        leases=tuple(await _lease_lines(tx, services, leases, people, cylinders, at)),
        refusals=tuple(await _refusal_lines(tx, services, facts, refusals, leases, people, at)),
        replaced_by=tuple(
            (await reissued_as(tx, facts.source, [facts.external_id])).get(facts.external_id, [])
        ),
        replaces=await _replaces(tx, facts),
    )


def _crew(facts: PermitFacts, people: People, at: datetime) -> list[CrewLine]:
    lines = [CrewLine(member, people.of(member.person_id), member.is_signed_on(at)) for member in facts.crew]
    return sorted(lines, key=lambda line: (not line.on_now, line.member.role))


async def _replaces(tx: Connection, facts: PermitFacts) -> tuple[PermitId, str] | None:
    if facts.reissued_from is None:
        return None
    found = await find_permit(tx, facts.reissued_from)
    if found is None:
        return None
    return found, (await permit_facts(tx, found, facts.since)).number


async def _lease_lines(
    tx: Connection,
    services: Services,
    leases: Sequence[Lease],
    people: People,
    cylinders: Mapping[CylinderId, Cylinder],
    at: datetime,
) -> list[LeaseLine]:
    keys = await keys_of_people(tx, [lease.person_id for lease in leases], at)
    vendors = {system.id: system.vendor for system in await services.registry.systems(tx)}
    exposures = {
        key.id: await services.openers.exposure_of(tx, key, at) for held in keys.values() for key, _ in held
    }
    return [
        LeaseLine(
            lease,
            people.of(lease.person_id),
            tuple(sorted((cylinders[c] for c in lease.cylinders if c in cylinders), key=lambda c: c.marking)),
            tuple(
                _key_of_lease(key, target, lease, exposures[key.id], vendors.get(key.system_id, ""))
                for key, target in keys.get(lease.person_id, [])
            ),
        )
        for lease in leases
    ]


def _key_of_lease(
    key: StoredKey, target: Target | None, lease: Lease, exposure: KeyExposure, vendor: str
) -> KeyOfLease:
    """Say what a key can still open of a grant that no grant covers any more."""
    left = [
        pair.exposure
        for pair in exposure.pairs
        if pair.cylinder_id in lease.cylinders and str(pair.exposure.kind) in {"bound", "no_bound"}
    ]
    return KeyOfLease(
        key=key,
        target=target,
        vendor=vendor,
        carries=target is not None and lease.id in target.grants,
        exposed_until=max((each.at for each in left if each.at is not None), default=None),
        unbounded=any(each.at is None for each in left),
    )


async def _refusal_lines(
    tx: Connection,
    services: Services,
    facts: PermitFacts,
    refusals: Sequence[Refusal],
    leases: Sequence[Lease],
    people: People,
    at: datetime,
) -> list[RefusalLine]:
    """Leave out what was given since; what still stands gets the smallest legal change as of now."""
    given = {(lease.person_id, lease.basis_step) for lease in leases if lease.state != "ended"}
    lines = []
    for refusal in refusals:
        if (refusal.person_id, refusal.step) in given:
            continue
        missing = await _missing(tx, services, facts, refusal, at)
        lines.append(RefusalLine(refusal, people.of(refusal.person_id), missing))
    return lines


async def _missing(
    tx: Connection, services: Services, facts: PermitFacts, refusal: Refusal, at: datetime
) -> tuple[Missing, ...]:
    scope = next((step.cylinders for step in facts.steps if step.id == refusal.step), facts.cylinders)
    if not scope:
        return ()
    answer = await explain_person(
        tx,
        services.bases,
        services.custody,
        services.settings.leases,
        person_id=refusal.person_id,
        cylinder_id=min(scope),
        at=at,
        zone=services.settings.zone,
    )
    here = f"permit:{facts.permit_id}"
    return next(
        (
            attempt.missing
            for attempt in answer.attempts
            if attempt.key.ref == here and attempt.key.step == refusal.step
        ),
        answer.missing,
    )
