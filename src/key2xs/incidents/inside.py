"""Who may be behind a lock that may bar a way out, and the question to the shift leader (S2).

Asked once for a grant and an access point: a quarter of an hour before the grant ends, before a kill, and after it
ended at once. The answer is recorded; it never prolongs access by itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import AccessPointId, AreaId, CylinderId, GrantId, PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.grants.types import Lease
from key2xs.keys.presence import Seen, opened_by, seen_at
from key2xs.ledger import Entry, Lane, Ledger
from key2xs.plant import cylinder_facts, cylinders_of_area, find_access_point, list_cylinders
from key2xs.plant.types import CylinderFacts
from key2xs.safety import Inside, warns_before_lock
from key2xs.safety.rules import STILL_INSIDE_FOR, asks_about_way_out, may_be_inside
from key2xs.work.presence import signed_off_last, signed_on

_SQL = load_queries("key2xs.incidents", "queries_inside.sql")

Cause: TypeAlias = Literal["expiry", "kill", "ended"]
Answer: TypeAlias = Literal["out", "inside"]
ANSWERS: Final = ("out", "inside")


@dataclass(frozen=True, slots=True)
class Question:
    """Somebody may be behind a lock. `answer` None: nobody has looked yet; *inside* stays until they are out."""

    id: UUID
    access_point_id: AccessPointId
    cylinder_id: CylinderId
    grant_id: GrantId
    person_id: PersonId
    cause: Cause
    because: str
    """*signed_on* or *opened*."""
    egress_free: str
    opened_at: datetime | None
    asked_at: datetime
    ends_at: datetime
    answer: Answer | None
    answered_by: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Place:
    """An access point of a lease whose lock may bar a way out."""

    access_point_id: AccessPointId
    cylinders: tuple[CylinderFacts, ...]

    @property
    def worst(self) -> CylinderFacts:
        return min(self.cylinders, key=lambda facts: (facts.egress_free != "no", str(facts.cylinder_id)))


@dataclass(frozen=True, slots=True)
class MayBeInside:
    """Somebody who may be behind a lock that may bar a way out."""

    access_point_id: AccessPointId
    person_id: PersonId
    egress_free: str


class WaysOut:
    """Asks and answers."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every question and answer with `ledger`."""
        self._ledger = ledger

    async def ask(
        self,
        tx: Connection,
        leases: Sequence[Lease],
        *,
        cause: Cause,
        at: datetime,
        ends_at: datetime | None = None,
    ) -> int:
        """Ask about everybody who may be inside when these leases end; returns how many new questions."""
        places = await self._places(tx, leases, at)
        leases = [lease for lease in leases if lease.id in places]
        asked = {
            (row["grant_id"], row["access_point_id"])
            for row in await tx.fetch(_SQL["asked_inside"], [lease.id for lease in leases])
        }
        count = 0
        for lease in leases:
            for place in places[lease.id]:
                if (lease.id, place.access_point_id) in asked:
                    continue
                someone = await inside_now(tx, lease, place.access_point_id, place.cylinders, at)
                ends = ends_at or lease.ends_at
                ruling = warns_before_lock(place.worst.egress_free, [someone], ends_at=ends, at=at)
                if not ruling.goes and await self._is_first(tx, lease, place):
                    await self._put(tx, lease, place, someone, cause, ends, at)
                    count += 1
        return count

    async def look(self, tx: Connection, leases: Sequence[Lease], at: datetime) -> list[MayBeInside]:
        """Return who may be behind a lock that may bar a way out if these leases ended now; changes nothing."""
        places = await self._places(tx, leases, at)
        found: dict[tuple[AccessPointId, PersonId], MayBeInside] = {}
        for lease in leases:
            for place in places.get(lease.id, ()):
                if (place.access_point_id, lease.person_id) in found:
                    continue
                someone = await inside_now(tx, lease, place.access_point_id, place.cylinders, at)
                if not warns_before_lock(place.worst.egress_free, [someone], ends_at=at, at=at).goes:
                    found[place.access_point_id, lease.person_id] = MayBeInside(
                        place.access_point_id, lease.person_id, place.worst.egress_free
                    )
        return list(found.values())

    async def _is_first(self, tx: Connection, lease: Lease, place: _Place) -> bool:
        """Take the turn to ask; False where somebody else, a stop or the watch, asked while we looked."""
        await self._ledger.lock_heads(tx, [f"inside:{lease.id}:{place.access_point_id}"])
        return not await tx.fetchval(_SQL["was_asked"], lease.id, place.access_point_id)

    async def answer(
        self, tx: Connection, question_id: UUID, answer: Answer, *, actor: str, at: datetime
    ) -> Question:
        """Record what the shift leader says. Said twice by the same person, it is recorded once.

        Raises:
            NotFound: there is no such question.
            Conflict: it was answered with *everybody is out*.
        """
        row = await self._row(tx, question_id)
        if (row["answer"], row["answered_by"]) == (answer, actor):
            return question_of(row)
        if row["answer"] == "out":
            raise Conflict("it was answered already: everybody is out")
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="incidents:inside:answer",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"access_point:{row['access_point_id']}", f"person:{row['person_id']}"),
                body={"answer": answer, "question": str(question_id)},
            ),
        )
        await tx.execute(_SQL["answer_inside"], question_id, answer, actor, at, entry)
        return question_of(await self._row(tx, question_id))

    async def open(self, tx: Connection, at: datetime) -> list[Question]:
        """Return the questions that nobody has answered with *everybody is out*, the first to end first."""
        return [question_of(row) for row in await tx.fetch(_SQL["open_inside"], at - STILL_INSIDE_FOR)]

    async def _row(self, tx: Connection, question_id: UUID) -> asyncpg.Record:
        row = await tx.fetchrow(_SQL["lock_inside"], question_id)
        if row is None:
            raise NotFound(f"there is no question {question_id}")
        return row

    async def _places(
        self, tx: Connection, leases: Sequence[Lease], at: datetime
    ) -> dict[GrantId, list[_Place]]:
        facts = await cylinder_facts(tx, sorted({c for lease in leases for c in lease.cylinders}), at=at)
        found: dict[GrantId, list[_Place]] = {}
        for lease in leases:
            points: dict[AccessPointId, list[CylinderFacts]] = defaultdict(list)
            for c in sorted(lease.cylinders):
                if c in facts and asks_about_way_out(facts[c].egress_free):
                    points[facts[c].access_point_id].append(facts[c])
            if points:
                found[lease.id] = [_Place(point, tuple(some)) for point, some in sorted(points.items())]
        return found

    async def _put(
        self,
        tx: Connection,
        lease: Lease,
        place: _Place,
        someone: Inside,
        cause: Cause,
        ends_at: datetime,
        at: datetime,
    ) -> None:
        because = "signed_on" if someone.signed_on else "opened"
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="incidents:inside:ask",
                occurred_at=at,
                recorded_at=at,
                actor="system:safety",
                subjects=(
                    f"access_point:{place.access_point_id}",
                    f"person:{lease.person_id}",
                    f"grant:{lease.id}",
                ),
                body={
                    "cause": cause,
                    "because": because,
                    "egress_free": place.worst.egress_free,
                    "ends_at": ends_at.isoformat(),
                },
                lane=Lane.CONTROL,
            ),
        )
        await tx.execute(
            _SQL["ask_inside"], new_id(), place.access_point_id, place.worst.cylinder_id, lease.id,
            lease.person_id, cause, because, place.worst.egress_free, someone.opened_at, at, ends_at, entry,
        )  # fmt: skip


async def inside_now(
    tx: Connection,
    lease: Lease,
    access_point_id: AccessPointId,
    cylinders: Iterable[CylinderFacts],
    at: datetime,
) -> Inside:
    """Return what is known of the holder of a lease being behind one of its locks."""
    person = lease.person_id
    signed = await signed_on(tx, [person], at)
    here = any(f"permit:{each.permit_id}" == lease.basis_ref for each in signed.get(person, ()))
    seen = await _seen(tx, [person], access_point_id, [each.cylinder_id for each in cylinders], at)
    return Inside(here, seen[person].inside_at, seen[person].outside_at)


async def everybody_inside(
    tx: Connection, access_point_id: AccessPointId, at: datetime
) -> dict[PersonId, datetime]:
    """Return who opened an access point and was not seen elsewhere since, whatever they hold now."""
    cylinders = [each.id for each in await list_cylinders(tx, access_point_id=access_point_id)]
    came = await opened_by(tx, cylinders, since=at - STILL_INSIDE_FOR, at=at)
    seen = await _seen(tx, list(came), access_point_id, cylinders, at)
    return {
        person: opened_at
        for person, opened_at in came.items()
        if may_be_inside(Inside(opened_at=opened_at, seen_outside_at=seen[person].outside_at), at)
    }


async def _seen(
    tx: Connection,
    people: Sequence[PersonId],
    access_point_id: AccessPointId,
    cylinders: Iterable[CylinderId],
    at: datetime,
) -> dict[PersonId, Seen]:
    point = await find_access_point(tx, access_point_id)
    near = await cylinders_of_area(tx, AreaId(point.area_id)) if point else []
    found = await seen_at(tx, people, cylinders, near, since=at - STILL_INSIDE_FOR, at=at)
    off = await signed_off_last(tx, people, at)
    return {
        person: Seen(
            seen.inside_at,
            max((t for t in (seen.outside_at, off.get(person)) if t is not None), default=None),
        )
        for person in people
        for seen in [found.get(person, Seen())]
    }


def question_of(row: asyncpg.Record) -> Question:
    """Read a question from its row."""
    return Question(**{name: row[name] for name in Question.__dataclass_fields__})
