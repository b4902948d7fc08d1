"""Reading what grants rest on, from the rooms that own it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, PermitId, PersonId, RequestId
from key2xs.core.settings import Leases
from key2xs.core.sql import load_queries
from key2xs.core.tri import NO
from key2xs.identity.facts import people_on_duty, person_facts
from key2xs.identity.types import PersonFacts
from key2xs.plant.service import cylinder_facts, cylinders_of_unit
from key2xs.plant.types import CylinderFacts
from key2xs.policy.bundle import Bundle
from key2xs.safety import attendant_lost
from key2xs.safety.rules import ATTENDANT
from key2xs.work.facts import list_permits, permit_facts, permits_of_person
from key2xs.work.states import State
from key2xs.work.types import PermitFacts

from .bundles import active_bundle
from .lockouts import crew_of
from .requests import request_of
from .types import BasisKey, Wish
from .wishes import duty_wish, permit_wishes, request_wish

_SQL = load_queries("key2xs.grants")

# States in which somebody on the permit may hold a key (docs/reference/policy.md).
OPEN_STATES: tuple[State, ...] = (
    "isolating",
    "isolated",
    "live",
    "suspended",
    "test",
    "handed_back",
    "deisolating",
)
MOST_OPEN_PERMITS = 5_000  # ten times the live permits of the largest turnaround (facts/work-management 4.4)


@dataclass(frozen=True, slots=True)
class BasisState:
    """What a permit, a person's duties or a request ask for, and how to say that they no longer do."""

    wishes: dict[BasisKey, Wish]
    heads: frozenset[str]
    why: str
    note: str = ""
    """Why the basis gives less than its source says, for whoever loses something over it."""
    silent: bool = False
    """The source has not been heard: nothing new, but running leases go on to their end."""

    def why_lost(self, key: BasisKey) -> str:
        """Say why a lease's basis is gone."""
        return f"{self.why}: step {key.step} is over or the person is signed off" if key.step else self.why


@dataclass(frozen=True, slots=True)
class _Attended:
    """A permit, and the people whose facts decide whether it is attended."""

    facts: PermitFacts
    heads: frozenset[str] = frozenset()
    why: str = ""


class BasisReader:
    """Reads bases and the facts decisions need beside them."""

    def __init__(self, leases: Leases) -> None:
        """`leases` says how long a lease may be."""
        self._leases = leases

    @property
    def hold_allowance(self) -> timedelta:
        """How much longer a lock-box key may live each time its window ends under personal locks."""
        return timedelta(minutes=self._leases.lock_box_hold_minutes)

    async def read(self, tx: Connection, subject: str, at: datetime) -> BasisState:
        """Return what a permit, a person's duties or a request ask for at an instant."""
        noun, _, name = subject.partition(":")
        if noun == "permit":
            return await self._permit(tx, PermitId(UUID(name)), at)
        if noun == "person":
            return await self._duties(tx, PersonId(UUID(name)), at)
        return await self._request(tx, RequestId(UUID(name)))

    async def person(self, tx: Connection, person_id: PersonId, at: datetime) -> PersonFacts:
        """Return a person's facts; somebody unknown is unknown, not an error."""
        try:
            return await person_facts(tx, person_id, at)
        except NotFound:
            return PersonFacts(
                person_id=person_id,
                active="unknown",
                contract="unknown",
                contract_from=None,
                contract_until=None,
                company_id=None,
                qualifications={},
                roles=frozenset(),
                duties=(),
                next_change_at=None,
                heads=(f"person:{person_id}",),
            )

    async def cylinders(
        self, tx: Connection, ids: Iterable[CylinderId], at: datetime
    ) -> dict[CylinderId, CylinderFacts]:
        """Return the facts of cylinders; one without facts is missing and therefore denied."""
        return await cylinder_facts(tx, sorted(ids), at=at)

    async def bundle(self, tx: Connection, at: datetime) -> Bundle:
        """Return the active policy bundle."""
        return await active_bundle(tx, at)

    async def bases_of_person(self, tx: Connection, subject: str, at: datetime) -> set[str]:
        """Return the permits and requests that a change of a person may touch."""
        person_id = PersonId(UUID(subject.partition(":")[2]))
        bases = {f"permit:{permit}" for permit in await permits_of_person(tx, person_id)}
        rows = await tx.fetch(_SQL["current_requests_of_person"], person_id, at)
        bases |= {f"request:{row['id']}" for row in rows}
        rows = await tx.fetch(_SQL["find_open"], None, [person_id], None, None)
        return bases | {row["basis_ref"] for row in rows if not row["basis_ref"].startswith("duty:")}

    async def open_permits(self, tx: Connection, at: datetime) -> set[str]:
        """Return all permits that may still ask for something."""
        found = await list_permits(tx, at, states=OPEN_STATES, limit=MOST_OPEN_PERMITS)
        return {f"permit:{permit.id}" for permit in found}

    async def open_requests(self, tx: Connection, at: datetime) -> set[str]:
        """Return all approved requests that may still ask for something."""
        return {f"request:{row['id']}" for row in await tx.fetch(_SQL["current_requests"], at)}

    async def persons_on_duty(self, tx: Connection, at: datetime) -> set[str]:
        """Return everybody who is on duty."""
        return {f"person:{person_id}" for person_id, _ in await people_on_duty(tx, at)}

    async def _permit(self, tx: Connection, permit_id: PermitId, at: datetime) -> BasisState:
        facts = await permit_facts(tx, permit_id, at)
        attended = await self._attendance(tx, facts, at)
        facts = attended.facts
        wishes = [
            replace(wish, heads=wish.heads | attended.heads)
            for wish in permit_wishes(facts, at, self._leases)
        ]
        cause = f" ({facts.reason_code or facts.cause})" if facts.reason_code or facts.cause else ""
        return BasisState(
            wishes={wish.key: wish for wish in wishes},
            heads=frozenset(facts.heads) | attended.heads,
            why=f"permit {facts.number} is {'in force' if facts.state == 'live' else facts.state}{cause}",
            note=attended.why,
            silent=facts.feed_ok != "yes",
        )

    async def _attendance(self, tx: Connection, facts: PermitFacts, at: datetime) -> _Attended:
        """Return the permit as the attendants leave it: without one, a confined space is as good as suspended (S6)."""
        if facts.type != "confined_space" or facts.state != "live":
            return _Attended(facts)
        watching = {each.person_id for each in facts.crew if each.role == ATTENDANT and each.person_id}
        people = {person: await self.person(tx, person, at) for person in sorted(watching)}
        crew = crew_of(facts, {person: known.active for person, known in people.items()}, at)
        heads = frozenset(head for known in people.values() for head in known.heads)
        ruling = attendant_lost(facts.type, crew)
        if ruling.goes:
            return _Attended(facts, heads)
        stopped = replace(facts, state="suspended", live=NO, cause="attendant_lost")
        return _Attended(stopped, heads, f"{ruling.why} ({ruling.rule})")

    async def _duties(self, tx: Connection, person_id: PersonId, at: datetime) -> BasisState:
        person = await self.person(tx, person_id, at)
        wishes = []
        for duty in person.duties:
            cylinders = frozenset(await cylinders_of_unit(tx, duty.unit_id, at=at))
            wish = duty_wish(person_id, duty, cylinders, at, self._leases)
            if wish is not None:
                wishes.append(wish)
        return BasisState(
            wishes={wish.key: wish for wish in wishes}, heads=frozenset(person.heads), why="no longer on duty"
        )

    async def _request(self, tx: Connection, request_id: RequestId) -> BasisState:
        row = await tx.fetchrow(_SQL["find_request"], request_id)
        heads = frozenset({f"request:{request_id}"})
        if row is None:
            return BasisState({}, heads, "there is no such request")
        request = request_of(row)
        facts = await cylinder_facts(tx, sorted(request.cylinders))
        points = len({fact.access_point_id for fact in facts.values()})
        wish = request_wish(request, row["decided_at"] or request.asked_at, points, self._leases)
        return BasisState({wish.key: wish} if wish else {}, heads, f"the request is {request.state}")
