"""Where people's keys were seen, for the question who may be behind a lock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, PersonId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.keys", "queries_presence.sql")


@dataclass(frozen=True, slots=True)
class Seen:
    """When a person's key opened a place last, and the last sign that they are elsewhere."""

    inside_at: datetime | None = None
    outside_at: datetime | None = None


async def seen_at(
    tx: Connection,
    people: Iterable[PersonId],
    inside: Iterable[CylinderId],
    near: Iterable[CylinderId],
    *,
    since: datetime,
    at: datetime,
) -> dict[PersonId, Seen]:
    """Return where people's keys were seen.

    A lock that is not `near` (another area) is a sign that they are out, and so is giving the last key back. A lock
    beside it is none: it may lie behind the first.
    """
    wanted = sorted(set(people))
    rows = await tx.fetch(_SQL["seen_at"], wanted, sorted(set(inside)), sorted(set(near)), since, at)
    found = {PersonId(row["person_id"]): Seen(row["inside_at"], row["outside_at"]) for row in rows}
    for row in await tx.fetch(_SQL["last_returns"], wanted, at):
        person = PersonId(row["person_id"])
        seen = found.get(person, Seen())
        later = max((each for each in (seen.outside_at, row["at"]) if each is not None), default=None)
        found[person] = Seen(seen.inside_at, later)
    return found


async def opened_by(
    tx: Connection, cylinders: Iterable[CylinderId], *, since: datetime, at: datetime
) -> dict[PersonId, datetime]:
    """Return who opened any of these cylinders, and when last."""
    rows = await tx.fetch(_SQL["opened_by"], sorted(set(cylinders)), since, at)
    return {PersonId(row["person_id"]): row["at"] for row in rows}
