"""Ending access for many, for the API and the console: looking, proposing, and what a second person's word begins."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec

from key2xs.access import Principal, Proposal
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput
from key2xs.core.ids import CompanyId, ZoneId
from key2xs.grants.reach import STAYS_STOPPED, Scope
from key2xs.identity import get_company
from key2xs.incidents.kill_types import By
from key2xs.incidents.mass.reading import open_until, progress_of
from key2xs.incidents.mass.types import MassAction, Preview, Unreturned
from key2xs.plant import get_zone

from .adopting import zone_of
from .revoking import HeldOut, held_out
from .routes.answers import company_of
from .web import Web

KINDS: Final = frozenset({"mass_action", "mass_lift"})
MOST_KEYS: Final = 500  # in one answer; the counts are of all


class Aim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose access is to end. `ref`: a company's or zone's code or id, a work package's code; empty for everyone."""

    kind: Literal["company", "package", "zone", "everyone"]
    ref: Annotated[str, msgspec.Meta(max_length=200)] = ""


class NewMassAction(Aim, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same with the digest of what was looked at, and why."""

    digest: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class AtWorkOut(msgspec.Struct, frozen=True):
    """Somebody at work: the shift leader is told first."""

    person: UUID
    permits: list[str]
    on_duty: bool


class InsideOut(msgspec.Struct, frozen=True):
    """Somebody who may be behind a lock that may bar a way out."""

    access_point: UUID
    person: UUID
    egress_free: str


class LoadOut(msgspec.Struct, frozen=True):
    """What is asked of a key system. `seconds`: the least at the configured rate; null where none is set."""

    system: str
    keys: int
    calls: int
    seconds: int | None


class SpeedOut(msgspec.Struct, frozen=True):
    """How fast the keys could be revoked now: `checked` of `keys` were worked out; nothing is claimed of the others."""

    keys: int
    checked: int
    proven: int
    bounded: int
    no_bound: int
    latest: datetime | None
    as_of: datetime | None


class LookOut(msgspec.Struct, frozen=True):
    """Who and what an act on many would reach now. Nothing changed by looking; `digest` names what was shown."""

    kind: str
    ref: str
    name: str
    at: datetime
    digest: str
    people: list[UUID]
    grants: list[UUID]
    cylinders: int
    keys: list[str]
    spared: list[UUID]
    """Grants that S1 leaves alone: emergencies, and with *everyone* all that the emergency crew has."""
    spared_people: list[UUID]
    held: list[HeldOut]
    """What S3 would keep, until its rule is met."""
    held_already: list[UUID]
    last_holders: list[UUID]
    """Grants of the last holder on shift (S4): they end because two people stand for it."""
    at_work: list[AtWorkOut]
    waits_until: datetime | None
    inside: list[InsideOut]
    standing_ends: int
    standing_stays: list[str]
    """Keys that go on with rights from before Key2XS, which this act does not end."""
    not_written: list[str]
    """Keys that were not adopted: Key2XS writes nothing to them."""
    systems: list[LoadOut]
    speed: SpeedOut
    stays_stopped: bool
    """Whether nothing new is given there until two people lift that; otherwise until it is finished."""


class MassOut(msgspec.Struct, frozen=True):
    """An act on many. `stopped`: nothing new is given there."""

    id: UUID
    kind: str
    ref: str
    name: str
    state: str
    reason: str
    started_by: str
    confirmed_by: str
    started_at: datetime
    state_at: datetime
    finished_at: datetime | None
    stopped: bool
    lifted_at: datetime | None


class KeyStepOut(msgspec.Struct, frozen=True):
    """How far one key is. `locks` it could still open though nothing allows it, until `until`; null: no bound."""

    key: str
    system: str
    progress: str
    why: str
    read_at: datetime | None
    locks: int
    until: datetime | None
    as_before: bool
    """Nobody has told the key system yet: it opens what it did."""


class ProgressOut(msgspec.Struct, frozen=True):
    """How far it is, in grants and in keys; `as_of` is the oldest reading of a key that is not done."""

    people: int
    grants: dict[str, int]
    words: dict[str, int]
    keys: list[KeyStepOut]
    as_of: datetime | None
    per_minute: float | None
    expected_at: datetime | None
    until: datetime | None
    no_bound: int
    as_before: int
    standing_left: int
    told: list[datetime]
    """When stops about people at work proceed at the latest."""


class MassShown(msgspec.Struct, frozen=True):
    """An act and how far it is."""

    at: datetime
    mass: MassOut
    progress: ProgressOut


class UnreturnedOut(msgspec.Struct, frozen=True):
    """A key that is still out. `open_until`: an instant, *no bound*, *as before* (not told yet), or empty: nothing any more."""

    key: str
    system: str
    person: UUID
    company: str | None
    since: datetime
    due_at: datetime | None
    overdue: bool
    report: str | None
    seen_at: datetime | None
    seen_place: str
    progress: str
    locks: int
    open_until: str


async def aim_at(tx: Connection, aim: Aim) -> Scope:
    """Return what somebody means.

    Raises:
        InvalidInput: it is not named, or named though it is everyone.
        NotFound: there is no such company or zone.
    """
    ref = aim.ref.strip()
    if (aim.kind == "everyone") != (not ref):
        raise InvalidInput("ref", "name the company, package or zone; for everyone leave it empty")
    if aim.kind == "company":
        return Scope("company", str((await company_of(tx, ref)).id))
    if aim.kind == "zone":
        return Scope("zone", str(await _zone_id(tx, ref)))
    return Scope(aim.kind, ref)


async def name_of(tx: Connection, scope: Scope) -> str:
    """Return what people call it."""
    if scope.kind == "company":
        company = await get_company(tx, CompanyId(scope.id))
        return company.name if company else scope.ref
    if scope.kind == "zone":
        return f"security zone {(await get_zone(tx, ZoneId(scope.id))).code}"
    return f"work package {scope.ref}" if scope.kind == "package" else "everyone except the emergency crew"


async def propose(tx: Connection, web: Web, caller: Principal, asked: NewMassAction) -> Proposal:
    """Let an act on many wait for a second person, on what was shown.

    Raises:
        Conflict: it would reach what was not shown, one is under way there, or there is nothing to end.
    """
    scope = await aim_at(tx, asked)
    if not asked.reason.strip():
        raise InvalidInput("reason", "say why")
    world = await web.services.looks.require_shown(tx, scope, [asked.digest], web.now)
    if not world.ending and not world.standing and scope.kind not in STAYS_STOPPED:
        raise Conflict("there is nothing to end")
    digest = await web.services.looks.keep(tx, scope, world, web.now)
    payload = {
        "kind": scope.kind, "ref": scope.ref, "name": await name_of(tx, scope), "digest": digest,
        "grants": len(world.ending), "people": len(world.persons), "keys": len(world.keys),
    }  # fmt: skip
    subject = scope.subjects[0] if scope.subjects else f"mass:{scope.kind}"
    return await web.access.proposals.propose(
        tx, caller, "mass_action", subject=subject, payload=payload, reason=asked.reason, at=web.now
    )


async def propose_lift(
    tx: Connection, web: Web, caller: Principal, mass_id: UUID, *, reason: str
) -> Proposal:
    """Let the end of a stop on new access wait for a second person.

    Raises:
        NotFound: no such act.
        Conflict: it is not finished, or lifted already.
    """
    mass = await web.services.mass_runs.get(tx, mass_id)
    web.services.mass_runs.require_liftable(mass)
    payload = {"mass": str(mass_id), "name": await name_of(tx, mass.scope)}
    return await web.access.proposals.propose(
        tx, caller, "mass_lift", subject=f"mass:{mass_id}", payload=payload, reason=reason, at=web.now
    )


async def carry_out_on_many(
    tx: Connection, web: Web, done: Proposal, caller: Principal, at: datetime, *, seen: str | None
) -> UUID:
    """Begin an act on many, or lift its stop, after a second person confirmed it; returns the act.

    `seen`: the digest of what the second person looked at, where it is not what was proposed.

    Raises:
        Conflict: it would reach what neither of them was shown, or one is under way there.
    """
    runs, by = web.services.mass_runs, f"user:{done.proposed_by}"
    if done.kind == "mass_lift":
        mass = await runs.lift(
            tx, UUID(done.payload["mass"]), reason=done.reason, by=by, confirmed_by=caller.actor, at=at
        )
        return mass.id
    digests = [done.payload["digest"], *([seen] if seen else [])]
    return await runs.start(
        tx,
        Scope(done.payload["kind"], done.payload["ref"]),
        digests=digests,
        reason=done.reason,
        by=By(by, done.proposed_by),
        confirmed_by=caller.actor,
        at=at,
    )


async def mass_shown(tx: Connection, web: Web, mass: MassAction) -> MassShown:
    """Describe an act with how far it is."""
    found = await progress_of(tx, mass, web.now)
    steps = sorted(found.keys, key=lambda each: (not each.locks, each.until is not None, each.stamp))
    return MassShown(
        web.now,
        await mass_out(tx, mass),
        ProgressOut(
            people=found.people,
            grants=dict(found.grants),
            words={str(word): number for word, number in found.words.items()},
            keys=[
                KeyStepOut(
                    each.stamp,
                    each.system,
                    each.word,
                    each.why,
                    each.read_at,
                    each.locks,
                    each.until,
                    each.opens_as_before,
                )
                for each in steps[:MOST_KEYS]
            ],
            as_of=found.as_of,
            per_minute=found.per_minute,
            expected_at=found.expected_at,
            until=found.until,
            no_bound=found.no_bound,
            as_before=found.as_before,
            standing_left=found.standing_left,
            told=[proceeds_at for _, proceeds_at in found.told],
        ),
    )


async def mass_out(tx: Connection, mass: MassAction) -> MassOut:
    """Describe an act."""
    return MassOut(
        id=mass.id,
        kind=mass.scope.kind,
        ref=mass.scope.ref,
        name=await name_of(tx, mass.scope),
        state=mass.state,
        reason=mass.reason,
        started_by=mass.started_by,
        confirmed_by=mass.confirmed_by,
        started_at=mass.started_at,
        state_at=mass.state_at,
        finished_at=mass.finished_at,
        stopped=mass.lifted_at is None,
        lifted_at=mass.lifted_at,
    )


async def look_out(tx: Connection, found: Preview) -> LookOut:
    """Describe what somebody is shown."""
    world = found.world
    return LookOut(
        kind=found.scope.kind,
        ref=found.scope.ref,
        name=await name_of(tx, found.scope),
        at=found.at,
        digest=found.digest,
        people=sorted(world.persons),
        grants=[each.id for each in world.ending],
        cylinders=len(world.cylinders),
        keys=[key.stamp for key in world.keys],
        spared=[each.id for each in world.spared],
        spared_people=sorted({each.person_id for each in world.spared}),
        held=held_out(found.kept),
        held_already=[each.id for each in world.held],
        last_holders=sorted(world.last),
        at_work=[
            AtWorkOut(each.person_id, [permit.number for permit in each.permits], each.on_duty)
            for each in found.at_work
        ],
        waits_until=found.waits_until,
        inside=[InsideOut(each.access_point_id, each.person_id, each.egress_free) for each in found.inside],
        standing_ends=len(world.standing),
        standing_stays=[key.stamp for key in world.keeping],
        not_written=[key.stamp for key in world.not_written],
        systems=[
            LoadOut(
                each.system, each.keys, each.calls, int(each.least.total_seconds()) if each.least else None
            )
            for each in found.systems
        ],
        speed=SpeedOut(
            keys=found.exposures.keys,
            checked=found.exposures.checked,
            proven=found.exposures.proven,
            bounded=found.exposures.bounded,
            no_bound=found.exposures.no_bound,
            latest=found.exposures.latest,
            as_of=found.exposures.as_of,
        ),
        stays_stopped=found.scope.kind in STAYS_STOPPED,
    )


def unreturned_out(lines: Iterable[Unreturned]) -> list[UnreturnedOut]:
    """Describe keys that are still out."""
    return [
        UnreturnedOut(
            key=line.stamp,
            system=line.system,
            person=line.person_id,
            company=line.company,
            since=line.since,
            due_at=line.due_at,
            overdue=line.overdue,
            report=line.report,
            seen_at=line.seen_at,
            seen_place=line.seen_place,
            progress=line.word,
            locks=line.locks,
            open_until=open_until(line),
        )
        for line in lines
    ]


async def _zone_id(tx: Connection, ref: str) -> ZoneId:
    try:
        return (await get_zone(tx, ZoneId(UUID(ref)))).id
    except ValueError:
        return await zone_of(tx, ref)
