"""What the live pages ask of the keys room: only what is open now, each list in one statement."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId, KeySystemId, PersonId
from key2xs.core.sql import load_queries

from .events import event_of
from .openers import stored_end
from .registry import key_of
from .targets import target_of
from .types import StoredEvent, StoredKey, Target

_SQL = load_queries("key2xs.keys", "queries_live.sql")


@dataclass(frozen=True, slots=True)
class AfterEnd:
    """A key that may still open something although it was ended. `until` None: nothing ends that by itself."""

    key_id: KeyId
    stamp: str
    system_id: KeySystemId
    person_id: PersonId | None
    cylinders: tuple[CylinderId, ...]
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A key that is not yet what it should be, and the locks this is about."""

    stamp: str
    vendor: str
    target: Target
    problem: str
    cylinders: tuple[CylinderId, ...]


async def alarms(tx: Connection, since: datetime, *, limit: int) -> list[StoredEvent]:
    """Return openings that need an explanation and were read since an instant, the newest first."""
    return [event_of(row) for row in await tx.fetch(_SQL["alarms"], since, limit)]


async def keys_after_end(tx: Connection, at: datetime, *, limit: int) -> list[AfterEnd]:
    """Return keys that may open something no grant covers any more, the longest first."""
    return [
        AfterEnd(
            key_id=KeyId(row["key_id"]),
            stamp=row["stamp"],
            system_id=KeySystemId(row["system_id"]),
            person_id=row["person_id"],
            cylinders=tuple(row["cylinders"]),
            since=row["since"],
            until=stored_end(row["until"]),
        )
        for row in await tx.fetch(_SQL["after_end"], at, limit)
    ]


async def unfinished(tx: Connection, asked_before: datetime, *, limit: int) -> list[Unfinished]:
    """Return keys that need a person, and those that wait for contact since before an instant."""
    return [
        Unfinished(
            stamp=row["stamp"],
            vendor=row["vendor"],
            target=target_of(row),
            # The stamp in place of the vendor's id, which nobody can read.
            problem=(row["problem"] or "").replace(row["external_id"], row["stamp"]),
            cylinders=tuple(row["cylinders"]),
        )
        for row in await tx.fetch(_SQL["unfinished"], asked_before, limit)
    ]


async def keys_with_ids(tx: Connection, ids: Iterable[KeyId | None]) -> dict[KeyId, StoredKey]:
    """Return some keys by id."""
    wanted = [key_id for key_id in set(ids) if key_id is not None]
    rows = await tx.fetch(_SQL["keys_with_ids"], wanted) if wanted else []
    return {KeyId(row["id"]): key_of(row) for row in rows}


async def stamps_of_people(
    tx: Connection, persons: Iterable[PersonId], at: datetime
) -> dict[PersonId, tuple[str, ...]]:
    """Return the stamps of the keys that people have at an instant."""
    wanted = list(set(persons))
    rows = await tx.fetch(_SQL["stamps_of_people"], wanted, at) if wanted else []
    return {PersonId(row["person_id"]): tuple(row["stamps"]) for row in rows}


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key that somebody has. `until` with `left_over`: until when it can still open, None where nothing ends that."""

    key: StoredKey
    person_id: PersonId
    handed_out_at: datetime
    system: str
    vendor: str
    delivered: bool
    problem: str
    allowed: int
    left_over: int
    since: datetime | None
    until: datetime | None


async def keys_of_some(
    tx: Connection, persons: Iterable[PersonId], at: datetime, *, limit: int
) -> list[HeldKey]:
    """Return the keys that people have, those first that can still open something although it was ended."""
    rows = await tx.fetch(_SQL["keys_of_some"], list(set(persons)), at, limit)
    return [
        HeldKey(
            key=key_of(row),
            person_id=PersonId(row["person_id"]),
            handed_out_at=row["handed_out_at"],
            system=row["system_name"],
            vendor=row["vendor"],
            delivered=row["delivered_at"] is not None,
            problem=(row["problem"] or "").replace(row["external_id"], row["stamp"]),
            allowed=row["allowed"],
            left_over=row["left_over"],
            since=row["since"],
            until=stored_end(row["until"]) if row["until"] is not None else None,
        )
        for row in rows
    ]


async def count_out(tx: Connection, at: datetime) -> dict[PersonId, int]:
    """Return how many keys each person has who has any."""
    return {PersonId(row["person_id"]): row["keys"] for row in await tx.fetch(_SQL["count_out"], at)}


@dataclass(frozen=True, slots=True)
class OutNow:
    """How many keys are out, how many of them should be back, and how many are due soon."""

    total: int
    overdue: int
    soon: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """A key that should be back, and the locks it may open."""

    key_id: KeyId
    stamp: str
    person_id: PersonId
    due_at: datetime
    cylinders: tuple[CylinderId, ...]


async def count_keys_out(tx: Connection, at: datetime, soon: datetime) -> OutNow:
    """Return how many keys are out at an instant, and how many are due by then or soon."""
    row = await tx.fetchrow(_SQL["count_keys_out"], at, soon)
    return OutNow(row["total"], row["overdue"], row["soon"]) if row else OutNow(0, 0, 0)


async def longest_overdue(tx: Connection, at: datetime, *, limit: int) -> list[Overdue]:
    """Return keys that should be back, the longest overdue first."""
    return [
        Overdue(
            KeyId(row["id"]), row["stamp"], PersonId(row["person_id"]), row["due_at"], tuple(row["cylinders"])
        )
        for row in await tx.fetch(_SQL["longest_overdue"], at, limit)
    ]
