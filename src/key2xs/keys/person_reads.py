"""One person's own openings and keys: for his own page, and for a history that is opened for a stated purpose."""

from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.core.sql import load_queries

from .events import event_of
from .types import StoredEvent

_SQL = load_queries("key2xs.keys", "queries_person.sql")

MOST = 2000  # openings of one person in half a year; more is a fault


@dataclass(frozen=True, slots=True)
class HadKey:
    """A key that somebody had. `until` None: has it still."""

    stamp: str
    since: datetime
    until: datetime | None


async def openings_of_person(
    tx: Connection, person_id: PersonId, begins: datetime, ends: datetime, *, limit: int = MOST
) -> list[StoredEvent]:
    """Return what locks told of a person's keys in a stretch of time, the newest first."""
    return [
        event_of(row) for row in await tx.fetch(_SQL["openings_of_person"], person_id, begins, ends, limit)
    ]


async def custody_of_person(
    tx: Connection, person_id: PersonId, begins: datetime, ends: datetime, *, limit: int = MOST
) -> list[HadKey]:
    """Return which keys a person had in a stretch of time, the newest first."""
    return [
        HadKey(**row) for row in await tx.fetch(_SQL["custody_of_person"], person_id, begins, ends, limit)
    ]
