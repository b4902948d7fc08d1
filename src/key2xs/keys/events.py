"""Lock events: pulled by arrival, stored once, classed, and classed again when facts arrive late."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed
from key2xs.core.ids import CylinderId, KeyId, KeySystemId, PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.grants.reads import covering_leases, ended_lease_before
from key2xs.ledger import Entry, Lane, Ledger, ReadEntry

from .adoption.counting import kept_when
from .classify import Class, Evidence, classify
from .coverage.readings import note_reading
from .custody import Custody
from .desk.certainty import NOBODY_KNOWN, Custodian
from .port import EventPage, KeySystemPort, LockEvent, LockEventOutcome, TimeQuality
from .registry import key_of
from .sealed_watch import judge_by_seal
from .types import KeySystem, StoredEvent, StoredKey

_SQL = load_queries("key2xs.keys")
_STORED = declare("keys.events.after_store")

PULL_PACE = timedelta(seconds=30)
RETRY = timedelta(seconds=30)
# A late fact changes the class of openings at most this far back; older ones are history that reports restate.
CLASS_AGAIN_FOR = timedelta(days=30)


class EventStore:
    """Stores and classes rows of locks' logs."""

    def __init__(self, ledger: Ledger, custody: Custody) -> None:
        """Record every row with `ledger`."""
        self._ledger, self._custody = ledger, custody

    async def take_page(self, tx: Connection, system: KeySystem, page: EventPage, at: datetime) -> int:
        """Store the rows that are new and move the cursor; returns how many were new."""
        known = {
            row["vendor_event_id"]
            for row in await tx.fetch(
                _SQL["known_events"], system.id, [e.vendor_event_id for e in page.events]
            )
        }
        fresh = {e.vendor_event_id: e for e in page.events if e.vendor_event_id not in known}
        rows = [await self._prepare(tx, system.id, event) for event in fresh.values()]
        numbers = await self._ledger.record_many(
            tx, [_entry(system.id, event, row, at) for event, row in zip(fresh.values(), rows, strict=True)]
        )
        for event, row, number in zip(fresh.values(), rows, numbers, strict=True):
            await tx.execute(_SQL["insert_event"], *_columns(system.id, event, row, at), number)
        for reading in page.readings:
            await note_reading(tx, system.id, reading)
        _STORED.reach()
        await tx.execute(_SQL["put_cursor"], system.id, page.cursor, at)
        return len(fresh)

    async def cursor_of(self, tx: Connection, system_id: KeySystemId) -> str | None:
        """Return where the log of a key system was read up to."""
        cursor: str | None = await tx.fetchval(_SQL["cursor_of"], system_id)
        return cursor

    async def still_at(self, tx: Connection, system_id: KeySystemId, cursor: str | None) -> bool:
        """Hold the log of a key system for this transaction; False when another worker read on from `cursor`."""
        await self._ledger.lock_heads(tx, [f"key_system:{system_id}"])
        return await self.cursor_of(tx, system_id) == cursor

    async def class_again(
        self, tx: Connection, keys: Sequence[KeyId], persons: Sequence[PersonId], at: datetime
    ) -> int:
        """Class recent openings again after facts about these keys or people changed; returns how many moved."""
        rows = await tx.fetch(_SQL["events_to_class_again"], keys, persons, at - CLASS_AGAIN_FOR)
        moved = 0
        for row in rows:
            prepared = await self._look(
                tx,
                key=await self._key_by_id(tx, row["key_id"]),
                cylinder_id=row["cylinder_id"],
                outcome=LockEventOutcome(row["outcome"]),
                quality=TimeQuality(row["time_quality"]),
                occurred_at=row["occurred_at"],
            )
            found: Class = prepared["class"]
            had: Custodian = prepared["custodian"]
            if (found.name, found.grant_id, had.person_id, had.certainty, had.crew_size) == (
                row["class"], row["grant_id"], row["person_id"], row["certainty"], row["crew_size"],
            ):  # fmt: skip
                continue
            entry = await self._ledger.record(tx, _again_entry(row, found, had, at))
            await tx.execute(
                _SQL["set_class"],
                row["id"],
                found.name,
                found.why,
                had.person_id,
                found.grant_id,
                had.certainty,
                had.crew_size,
                entry,
            )
            moved += 1
        return moved

    async def recent(
        self,
        tx: Connection,
        *,
        key_id: KeyId | None = None,
        cylinder_id: CylinderId | None = None,
        classes: Sequence[str] | None = None,
        limit: int = 50,
    ) -> list[StoredEvent]:
        """Return the newest rows."""
        rows = await tx.fetch(_SQL["recent_events"], key_id, cylinder_id, classes, limit)
        return [event_of(row) for row in rows]

    async def _prepare(self, tx: Connection, system_id: KeySystemId, event: LockEvent) -> dict[str, Any]:
        key_row = (
            await tx.fetchrow(_SQL["find_vendor_key"], system_id, event.vendor_key)
            if event.vendor_key
            else None
        )
        cylinder_id = await tx.fetchval(_SQL["cylinder_of_lock"], system_id, event.vendor_lock)
        return await self._look(
            tx,
            key=key_of(key_row) if key_row is not None else None,
            cylinder_id=cylinder_id,
            outcome=event.outcome,
            quality=event.time_quality,
            occurred_at=event.occurred_at,
        )

    async def _look(
        self,
        tx: Connection,
        *,
        key: StoredKey | None,
        cylinder_id: CylinderId | None,
        outcome: LockEventOutcome,
        quality: TimeQuality,
        occurred_at: datetime | None,
    ) -> dict[str, Any]:
        covered = ended = None
        possible = kept = False
        kept_until = None
        had = await self._custody.custodian_at(tx, key.id, occurred_at) if key is not None else NOBODY_KNOWN
        person_id = had.person_id
        if key is not None and person_id is not None and cylinder_id is not None and occurred_at is not None:
            covering = await covering_leases(tx, person_id, cylinder_id, occurred_at)
            covered = covering[0].id if covering else None
            before = await ended_lease_before(tx, person_id, cylinder_id, occurred_at)
            if before is not None:
                ended = (before[0].id, before[1])
            possible = await tx.fetchrow(_SQL["was_possible"], cylinder_id, key.id, occurred_at) is not None
        if (
            key is not None
            and key.adopted_at is not None
            and cylinder_id is not None
            and occurred_at is not None
        ):
            kept, kept_until = await kept_when(tx, key.id, cylinder_id, occurred_at)
            possible = possible or kept or kept_until is not None
        found = classify(
            Evidence(
                outcome=outcome,
                time_quality=quality,
                occurred_at=occurred_at,
                cylinder_known=cylinder_id is not None,
                key_known=key is not None,
                managed=bool(
                    key and key.adopted_at and (occurred_at is None or key.adopted_at <= occurred_at)
                ),
                holder_known=person_id is not None,
                covered_by=covered,
                ended=ended,
                was_possible=possible,
                blocked_at=key.blocked_at if key is not None else None,
                kept=kept,
                kept_until=kept_until,
            )
        )
        if (
            key is not None
            and key.emergency
            and outcome is LockEventOutcome.OPENED
            and occurred_at is not None
        ):
            found, taken_by = await judge_by_seal(tx, key.id, occurred_at, found)
            had = replace(had, person_id=taken_by, certainty="sure") if taken_by else had
        return {"key": key, "cylinder_id": cylinder_id, "custodian": had, "class": found}

    async def _key_by_id(self, tx: Connection, key_id: KeyId | None) -> StoredKey | None:
        if key_id is None:
            return None
        rows = await tx.fetch(_SQL["find_key"], key_id, None)
        return key_of(rows[0]) if rows else None


class EventPull:
    """Reads the log of one key system, a page a step."""

    heeds: Final[tuple[str, ...]] = ()

    def __init__(
        self,
        database: Database,
        store: EventStore,
        system: KeySystem,
        port: KeySystemPort,
        *,
        pace: timedelta = PULL_PACE,
    ) -> None:
        """Read `system` through `port`, once every `pace`."""
        self._database, self._store, self._system, self._port = database, store, system, port
        self._pace = pace
        self.name = f"events:{system.name}"
        self._due: datetime | None = None
        self.problem: str | None = None
        self.idle = False

    async def step(self, now: datetime) -> datetime | None:
        """Pull one page when due; `now` when more waits."""
        self.idle = self._due is not None and now < self._due
        if self._due is not None and now < self._due:
            return self._due
        async with self._database.read() as tx:
            cursor = await self._store.cursor_of(tx, self._system.id)
        try:
            page = await self._port.read_events(cursor)
        except CallFailed as error:
            self.problem, self._due = str(error), now + RETRY
            return self._due
        self.problem = None
        await self._database.transact(lambda tx: self._take(tx, cursor, page, now))
        self._due = None if page.more else now + self._pace
        return self._due or now

    async def _take(self, tx: Connection, cursor: str | None, page: EventPage, now: datetime) -> None:
        # A page that another worker has stored meanwhile must not be stored twice, nor move the cursor back.
        if await self._store.still_at(tx, self._system.id, cursor):
            await self._store.take_page(tx, self._system, page, now)


class Reclassifier:
    """A reader that looks at recent openings again when custody or grants change."""

    name = "openings"

    def __init__(self, store: EventStore) -> None:
        """Class again with `store`."""
        self._store = store

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Class again the recent openings of every key and person that a relevant entry names."""
        keys: set[str] = set()
        persons: set[str] = set()
        for entry in entries:
            if entry.kind.startswith(
                ("keys:custody:", "keys:sealed:", "keys:standing:", "grants:lease:")
            ) and not entry.kind.endswith(":refuse"):
                keys.update(s.partition(":")[2] for s in entry.subjects if s.startswith("key:"))
                persons.update(s.partition(":")[2] for s in entry.subjects if s.startswith("person:"))
        if keys or persons:
            at = max(entry.recorded_at for entry in entries)
            await self._store.class_again(tx, sorted(keys), sorted(persons), at)  # type: ignore[arg-type]


def event_of(row: asyncpg.Record) -> StoredEvent:
    """Read an event from its row."""
    return StoredEvent(
        id=row["id"],
        occurred_at=row["occurred_at"],
        arrived_at=row["arrived_at"],
        read_at=row["read_at"],
        time_quality=row["time_quality"],
        cylinder_id=row["cylinder_id"],
        lock_external_id=row["lock_external_id"],
        key_id=row["key_id"],
        key_external_id=row["key_external_id"],
        person_id=row["person_id"],
        person_certain=row["person_certain"],
        outcome=row["outcome"],
        event_class=row["class"],
        why=row["why"],
        grant_id=row["grant_id"],
        certainty=row["certainty"],
        crew_size=row["crew_size"],
    )


def _subjects(system_id: KeySystemId, looked: Mapping[str, Any]) -> tuple[str, ...]:
    key, cylinder, person = looked["key"], looked["cylinder_id"], looked["custodian"].person_id
    return (
        f"key_system:{system_id}",
        *((f"cylinder:{cylinder}",) if cylinder else ()),
        *((key.subject,) if key else ()),
        *((f"person:{person}",) if person else ()),
    )


def _entry(system_id: KeySystemId, event: LockEvent, looked: Mapping[str, Any], at: datetime) -> Entry:
    found: Class = looked["class"]
    kinds = {LockEventOutcome.OPENED: "observe", LockEventOutcome.REFUSED: "refuse"}
    action = kinds.get(event.outcome, "note")
    return Entry(
        kind=f"keys:opening:{action}",
        occurred_at=event.occurred_at or event.read_at or event.arrived_at,
        recorded_at=at,
        actor="system:locks",
        subjects=_subjects(system_id, looked),
        body={
            "class": found.name,
            "why": found.why,
            "grant": str(found.grant_id) if found.grant_id else None,
            "lock": event.vendor_lock,
            "vendor_event": event.vendor_event_id,
            "time_quality": str(event.time_quality),
            "arrived_at": event.arrived_at.isoformat(),
            "read_at": event.read_at.isoformat() if event.read_at else None,
            "person_certain": event.person_certain,
            "certainty": looked["custodian"].certainty,
            "raw_type": event.raw_type,
        },
        lane=Lane.CONTROL if found.name == "unexplained" else Lane.BULK,
    )


def _again_entry(row: asyncpg.Record, found: Class, had: Custodian, at: datetime) -> Entry:
    subjects = [f"key_system:{row['system_id']}"]
    subjects += [f"cylinder:{row['cylinder_id']}"] if row["cylinder_id"] else []
    subjects += [f"key:{row['key_id']}"] if row["key_id"] else []
    subjects += [f"person:{had.person_id}"] if had.person_id else []
    return Entry(
        kind="keys:opening:reclassify",
        occurred_at=row["occurred_at"] or row["arrived_at"],
        recorded_at=at,
        actor="system:locks",
        subjects=tuple(subjects),
        body={
            "was": row["class"],
            "class": found.name,
            "why": found.why,
            "grant": str(found.grant_id) if found.grant_id else None,
            "certainty": had.certainty,
            "vendor_event": row["vendor_event_id"],
        },
        lane=Lane.CONTROL if found.name == "unexplained" else Lane.BULK,
    )


def _columns(
    system_id: KeySystemId, event: LockEvent, looked: Mapping[str, Any], at: datetime
) -> tuple[Any, ...]:
    found: Class = looked["class"]
    key: StoredKey | None = looked["key"]
    had: Custodian = looked["custodian"]
    return (
        new_id(), system_id, event.vendor_event_id, event.occurred_at, str(event.time_quality), event.read_at,
        event.arrived_at, event.vendor_lock, looked["cylinder_id"], event.vendor_key, key.id if key else None,
        had.person_id, event.person_certain, str(event.outcome), found.name, found.why, found.grant_id,
        event.raw_type, at, had.certainty, had.crew_size, event.counter_lock, event.counter_key,
    )  # fmt: skip
