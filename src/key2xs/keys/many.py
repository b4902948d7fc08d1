"""The keys of many people at once: which, how far each is, where it was seen last. One statement for each question."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, KeyId, KeySystemId, PersonId
from key2xs.core.sql import load_queries

from .lanes import WorkLane
from .openers import stored_end
from .wire import program_of

_SQL = load_queries("key2xs.keys", "queries_many.sql")

Word: TypeAlias = Literal[
    "requested", "accepted", "in_transit", "delivered", "lapsed", "failed", "unknown", "not_written"
]
WORDS: Final[tuple[Word, ...]] = (
    "requested", "accepted", "in_transit", "delivered", "lapsed", "failed", "unknown", "not_written",
)  # fmt: skip
"""How far a key is. *not_written*: it was not adopted, so nothing is written to it."""


@dataclass(frozen=True, slots=True)
class ManyKey:
    """A key of somebody whom an act on many is about. `standing`: it keeps rights from before our time."""

    id: KeyId
    stamp: str
    system_id: KeySystemId
    system: str
    person_id: PersonId | None
    emergency: bool
    adopted: bool
    blocked: bool
    standing: bool


@dataclass(frozen=True, slots=True)
class KeyStep:
    """How far one key is. `locks`: how many it could still open though nothing allows it; `until` None: no bound.

    `allowed`: how many more it may open. While it is *requested* that is as before, whatever has ended since.
    """

    id: KeyId
    stamp: str
    system: str
    word: Word
    why: str
    read_at: datetime | None
    accepted_at: datetime | None
    locks: int
    until: datetime | None
    allowed: int = 0

    @property
    def opens_as_before(self) -> bool:
        """Tell whether nobody has told the key system yet, so that it opens what it did."""
        return self.word == "requested" and self.allowed > 0


async def keys_of_many(tx: Connection, persons: Collection[PersonId] | None, at: datetime) -> list[ManyKey]:
    """Return the keys that people have at an instant, by stamp; everybody's with None."""
    wanted = sorted(persons) if persons is not None else None
    return [_many(row) for row in await tx.fetch(_SQL["keys_of_many"], wanted, at)]


async def keys_nobody_has(tx: Connection, at: datetime) -> list[ManyKey]:
    """Return adopted keys in nobody's hand that keep something from before our time."""
    return [key for row in await tx.fetch(_SQL["keys_nobody_has"], at) if (key := _many(row)).standing]


async def hurry(
    tx: Connection, persons: Collection[PersonId], keys: Collection[KeyId], lane: WorkLane, at: datetime
) -> None:
    """Make the keys of these people, and these keys, due in the very transaction that took something away."""
    await tx.execute(_SQL["hurry"], sorted(persons), at, lane, sorted(keys))


async def follow_keys(
    tx: Connection, keys: Sequence[KeyId], at: datetime, *, ended: Collection[GrantId] = ()
) -> list[KeyStep]:
    """Return how far each key is, by stamp; one whose target still carries a grant that `ended` has yet to be told."""
    rows = await tx.fetch(_SQL["follow_keys"], list(keys), at, list(ended))
    return [_step(row) for row in rows]


async def last_seen(tx: Connection, keys: Sequence[KeyId]) -> dict[KeyId, tuple[CylinderId, datetime]]:
    """Return at which cylinder each key opened last, and when, as far as events were read."""
    rows = await tx.fetch(_SQL["last_seen"], list(keys))
    return {KeyId(row["key_id"]): (CylinderId(row["cylinder_id"]), row["at"]) for row in rows}


def _many(row: asyncpg.Record) -> ManyKey:
    return ManyKey(
        id=KeyId(row["id"]),
        stamp=row["stamp"],
        system_id=KeySystemId(row["system_id"]),
        system=row["system"],
        person_id=row["person_id"],
        emergency=row["emergency"],
        adopted=row["adopted_at"] is not None,
        blocked=row["blocked_at"] is not None,
        standing=row["adopted_at"] is not None
        and row["kept"] is not None
        and not program_of(row["kept"]).opens_nothing,
    )


def _step(row: asyncpg.Record) -> KeyStep:
    until = stored_end(row["until"]) if row["until"] is not None else None
    return KeyStep(
        id=KeyId(row["id"]),
        stamp=row["stamp"],
        system=row["system"],
        word=_word(row),
        why=row["problem"] or "",
        read_at=row["read_at"],
        accepted_at=row["accepted_at"],
        locks=row["locks"],
        until=None if row["no_bound"] else until,
        allowed=row["allowed"],
    )


def _word(row: asyncpg.Record) -> Word:
    if not row["written"]:
        return "not_written"
    if not row["has_target"] or row["reading_state"] is None:
        return "unknown"
    if row["behind"]:
        return "failed" if row["problem"] else "requested"
    if row["delivered_at"] is not None:
        return "delivered"
    if row["problem"]:
        return "failed"
    if not row["locks"]:
        return "lapsed" if row["accepted_at"] is not None else "requested"
    if row["accepted_at"] is not None:
        return "in_transit" if row["reading_state"] in {"fetched", "on_token"} else "accepted"
    return "requested"
