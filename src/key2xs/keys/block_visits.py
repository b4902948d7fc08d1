"""Visits that block keys and unblock them, and the programming keys that carry them, as stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import KeyId, KeySystemId
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger

from .carriers import BlockVisit, ProgrammingKey, Updater
from .lanes import WorkLane
from .types import StoredKey

_SQL = load_queries("key2xs.keys", "queries_visits.sql")
_KEYS = load_queries("key2xs.keys")

UNPLACED = "unplaced"

VisitKind: TypeAlias = Literal["block", "unblock"]
"""What a visit does to a cylinder: it takes the block there, or away from it."""


@dataclass(frozen=True, slots=True)
class StoredVisit:
    """One cylinder on the round for one key. `state`: unplaced, waiting, loaded, done or failed."""

    key_id: KeyId
    stamp: str
    lock: str
    marking: str
    state: str
    programming_key: str | None
    made_at: datetime | None
    done_at: datetime | None
    kind: VisitKind = "block"


@dataclass(frozen=True, slots=True)
class StoredProgrammingKey:
    """A programming key as listed last. `given_up_at`: a person said that it will not come back."""

    system_id: KeySystemId
    external_id: str
    marking: str
    capacity: int
    tasks: int
    last_seen_at: datetime | None
    last_seen_place: str | None
    given_up_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredUpdater:
    """A place where keys are updated, as listed last."""

    system_id: KeySystemId
    external_id: str
    kind: str
    place: str
    online: bool


class BlockVisits:
    """Keeps visits, programming keys and updaters."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every change with `ledger`."""
        self._ledger = ledger

    async def of_key(self, tx: Connection, key_id: KeyId, kind: VisitKind = "block") -> list[StoredVisit]:
        """Return the visits for one key, by lock."""
        return [_visit_of(row) for row in await tx.fetch(_SQL["visits_of_key"], key_id, kind)]

    async def blocked_keys(self, tx: Connection, system_id: KeySystemId) -> dict[str, tuple[str, bool]]:
        """Return the keys on the list of a system as read last: the stamp, and whether it is proven to open nothing."""
        rows = await tx.fetch(_SQL["blocked_keys"], system_id)
        return {row["external_id"]: (row["stamp"], row["is_empty"]) for row in rows}

    async def full_locks(
        self, tx: Connection, key: StoredKey, locks: Iterable[str], most: int
    ) -> dict[str, str]:
        """Return those of these locks, with their markings, that hold or get `most` blocks of other keys."""
        rows = await tx.fetch(_SQL["full_locks"], key.system_id, sorted(locks), key.id, most)
        return {row["lock_external_id"]: row["marking"] for row in rows}

    async def open(self, tx: Connection) -> list[StoredVisit]:
        """Return every visit that is not done, of keys that are blocked or come off the block list."""
        return [_visit_of(row) for row in await tx.fetch(_SQL["open_visits"])]

    async def are_complete(self, tx: Connection, key_id: KeyId) -> bool:
        """Tell whether visits were made for a key and all of them are done."""
        states = [visit.state for visit in await self.of_key(tx, key_id)]
        return bool(states) and set(states) == {"done"}

    async def note(
        self,
        tx: Connection,
        key: StoredKey,
        visits: Iterable[BlockVisit],
        unplaced: Iterable[str],
        at: datetime,
        kind: VisitKind = "block",
    ) -> bool:
        """Store how far the visits for a key are; False when nothing is new."""
        wanted: dict[str, tuple[Any, ...]] = dict.fromkeys(unplaced, (UNPLACED, None, None, None, None))
        wanted |= {
            visit.lock: (
                str(visit.state), visit.programming_key, visit.made_at, visit.done_at, visit.known_at,
            )
            for visit in visits
        }  # fmt: skip
        known = {
            row["lock_external_id"]: (
                row["state"], row["programming_key"], row["made_at"], row["done_at"], row["known_at"],
            )
            for row in await tx.fetch(_SQL["visits_of_key"], key.id, kind)
        }  # fmt: skip
        new = {lock: values for lock, values in wanted.items() if known.get(lock) != values}
        if not new:
            return False
        counts: dict[str, int] = {}
        for state, *_ in (known | wanted).values():
            counts[state] = counts.get(state, 0) + 1
        entry = await self._tell(
            tx, f"keys:{kind}:visits", (key.subject, f"key_system:{key.system_id}"), counts, "system:keys", at
        )
        for lock, values in sorted(new.items()):
            await tx.execute(_SQL["put_visit"], key.id, key.system_id, lock, kind, *values, entry)
        return True

    async def programming_keys(
        self, tx: Connection, system_id: KeySystemId | None = None
    ) -> list[StoredProgrammingKey]:
        """Return the programming keys of one system or of all."""
        return [
            StoredProgrammingKey(**{name: row[name] for name in StoredProgrammingKey.__slots__})
            for row in await tx.fetch(_SQL["programming_keys"], system_id)
        ]

    async def given_up(self, tx: Connection, system_id: KeySystemId) -> frozenset[str]:
        """Return the programming keys of a system that will not come back."""
        found = await self.programming_keys(tx, system_id)
        return frozenset(each.external_id for each in found if each.given_up_at is not None)

    async def updaters(self, tx: Connection, system_id: KeySystemId | None = None) -> list[StoredUpdater]:
        """Return the updaters of one system or of all."""
        return [
            StoredUpdater(**{name: row[name] for name in StoredUpdater.__slots__})
            for row in await tx.fetch(_SQL["updaters"], system_id)
        ]

    async def give_up(
        self, tx: Connection, system_id: KeySystemId, name: str, *, reason: str, actor: str, at: datetime
    ) -> int:
        """Take it that a programming key will not come back: others get its visits. Returns how many that are.

        A key that comes back after all is used again; what it did counts.

        Raises:
            NotFound: no such programming key.
            Conflict: it was given up already.
        """
        subject = f"programming_key:{system_id}:{name}"
        await self._ledger.lock_heads(tx, [subject])
        found = next((k for k in await self.programming_keys(tx, system_id) if k.external_id == name), None)
        if found is None:
            message = f"no programming key {name} is known"
            raise NotFound(message)
        if found.given_up_at is not None:
            message = f"programming key {found.marking} was given up already"
            raise Conflict(message)
        body = {"marking": found.marking, "reason": reason}
        entry = await self._tell(
            tx, "keys:programming_key:give_up", (subject,), body, actor, at, lane=Lane.CONTROL
        )
        await tx.execute(_SQL["give_up"], system_id, name, at, entry)
        rows = await tx.fetch(_SQL["targets_of_programming_key"], system_id, name)
        for row in rows:
            lane = WorkLane.KILL if row["blocks"] else WorkLane.REVOKE
            await tx.execute(_KEYS["mark_work"], row["target_id"], at, lane)
        return sum(row["visits"] for row in rows)

    async def changed_carriers(
        self,
        tx: Connection,
        system_id: KeySystemId,
        programming_keys: Iterable[ProgrammingKey],
        updaters: Iterable[Updater],
    ) -> list[tuple[str, tuple[Any, ...]]]:
        """Return what a listing changes: statements with their arguments, the entry left out."""
        changes: list[tuple[str, tuple[Any, ...]]] = []
        known = {key.external_id: key for key in await self.programming_keys(tx, system_id)}
        for key in programming_keys:
            values = (key.marking, key.capacity, key.tasks, key.last_seen_at, key.last_seen_place)
            old = known.get(key.vendor_id)
            if old is None or values != (
                old.marking, old.capacity, old.tasks, old.last_seen_at, old.last_seen_place,
            ):  # fmt: skip
                changes.append(("put_programming_key", (system_id, key.vendor_id, *values)))
        places = {updater.external_id: updater for updater in await self.updaters(tx, system_id)}
        for updater in updaters:
            values_of = (updater.kind, updater.place, updater.online)
            before = places.get(updater.vendor_id)
            if before is None or values_of != (before.kind, before.place, before.online):
                changes.append(("put_updater", (system_id, updater.vendor_id, *values_of)))
        return changes

    async def write(self, tx: Connection, changes: Iterable[tuple[str, tuple[Any, ...]]], entry: int) -> None:
        """Carry out what `changed_carriers` found, under one entry."""
        for statement, arguments in changes:
            await tx.execute(_SQL[statement], *arguments, entry)

    async def _tell(
        self,
        tx: Connection,
        kind: str,
        subjects: tuple[str, ...],
        body: dict[str, Any],
        actor: str,
        at: datetime,
        *,
        lane: Lane = Lane.BULK,
    ) -> int:
        return await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=subjects,
                heads=(),
                body=body,
                lane=lane,
            ),
        )


def _visit_of(row: asyncpg.Record) -> StoredVisit:
    return StoredVisit(
        key_id=row["key_id"],
        stamp=row["stamp"],
        lock=row["lock_external_id"],
        marking=row["marking"],
        state=row["state"],
        programming_key=row["programming_key"],
        made_at=row["made_at"],
        done_at=row["done_at"],
        kind=row["kind"],
    )
