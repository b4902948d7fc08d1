"""Lock events: pulled by arrival, stored once, classed, and classed again when facts arrive late."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed
from key2xs.core.haste import bulk
from key2xs.core.ids import CylinderId, KeyId, KeySystemId, PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger, ReadEntry

from .coverage.readings import note_memories, note_rows
from .coverage.summing import Row
from .custody import Custody
from .looking import Looked, Looking, Opening
from .port import EventPage, KeySystemPort, LockEvent, LockEventOutcome, TimeQuality
from .registry import key_of
from .reopening.noticing import Noticing
from .types import KeySystem, StoredEvent, StoredKey

_SQL = load_queries("key2xs.keys")
_STORED = declare("keys.events.after_store")

PULL_PACE = timedelta(seconds=30)
RETRY = timedelta(seconds=30)
# A late fact changes the class of openings at most this far back; older ones are history that reports restate.
CLASS_AGAIN_FOR = timedelta(days=30)

_CLASS: Final = ("class", "grant_id", "person_id", "certainty", "crew_size")
_COLUMNS: Final = (
    "id", "system_id", "vendor_event_id", "occurred_at", "time_quality", "read_at", "arrived_at", "lock_external_id",
    "cylinder_id", "key_external_id", "key_id", "person_id", "person_certain", "outcome", "class", "why", "grant_id",
    "raw_type", "recorded_at", "certainty", "crew_size", "counter_lock", "counter_key", "tag", "entry",
)  # fmt: skip


class EventStore:
    """Stores and classes rows of locks' logs."""

    def __init__(self, ledger: Ledger, custody: Custody, noticing: Noticing) -> None:
        """Record every row with `ledger`; `noticing` looks at clocks."""
        self._ledger, self._looking, self._noticing = ledger, Looking(custody), noticing

    async def take_page(self, tx: Connection, system: KeySystem, page: EventPage, at: datetime) -> int:
        """Store the rows that are new and move the cursor; returns how many were new."""
        names = [event.vendor_event_id for event in page.events]
        known = {row["vendor_event_id"] for row in await tx.fetch(_SQL["known_events"], system.id, names)}
        fresh = {e.vendor_event_id: e for e in page.events if e.vendor_event_id not in known}
        await self._store(tx, system.id, list(fresh.values()), at)
        await self._noticing.in_page(tx, system, page, at)
        await note_memories(tx, self._ledger, system.id, page.readings, page.wipes, at)
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
        held = {row["key_id"] for row in rows if row["key_id"] is not None}
        registered = {row["id"]: key_of(row) for row in await tx.fetch(_SQL["keys_by_id"], held)}
        openings = [_opening_of(row, registered.get(row["key_id"])) for row in rows]
        moved = [
            (row, looked)
            for row, looked in zip(rows, await self._looking.at(tx, openings), strict=True)
            if _class_of(looked) != tuple(row[name] for name in _CLASS)
        ]
        if moved:
            entries = [_again_entry(row, looked, at) for row, looked in moved]
            numbers = await self._ledger.record_many(tx, entries)
            changed = [
                (row["id"], looked.found.why, *_class_of(looked), number)
                for (row, looked), number in zip(moved, numbers, strict=True)
            ]
            await tx.execute(_SQL["set_classes"], *zip(*changed, strict=True))
        return len(moved)

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

    async def _store(
        self, tx: Connection, system_id: KeySystemId, events: Sequence[LockEvent], at: datetime
    ) -> None:
        """Class rows and write them with their entries: as many statements for a page as for one row."""
        if not events:
            return
        found = await self._looking.at(tx, await _openings(tx, system_id, events))
        pairs = list(zip(events, found, strict=True))
        entries = [_entry(system_id, event, looked, at) for event, looked in pairs]
        numbers = await self._ledger.record_many(tx, entries)
        rows = [
            (*_values(system_id, event, looked, at), number)
            for (event, looked), number in zip(pairs, numbers, strict=True)
        ]
        await tx.copy_records_to_table("key_event", records=rows, columns=_COLUMNS)
        stored = [Row(event, looked.opening.cylinder_id, looked.key_id) for event, looked in pairs]
        await note_rows(tx, system_id, stored)


async def _openings(tx: Connection, system_id: KeySystemId, events: Sequence[LockEvent]) -> list[Opening]:
    named = {event.vendor_key for event in events if event.vendor_key}
    keys = {row["external_id"]: key_of(row) for row in await tx.fetch(_SQL["vendor_keys"], system_id, named)}
    locks = {event.vendor_lock for event in events}
    places = await tx.fetch(_SQL["cylinders_of_locks"], system_id, locks)
    cylinders = {row["external_id"]: row["id"] for row in places}
    return [
        Opening(
            key=keys.get(event.vendor_key) if event.vendor_key else None,
            cylinder_id=cylinders.get(event.vendor_lock),
            outcome=event.outcome,
            time_quality=event.time_quality,
            occurred_at=event.occurred_at,
        )
        for event in events
    ]


def _opening_of(row: asyncpg.Record, key: StoredKey | None) -> Opening:
    return Opening(
        key=key,
        cylinder_id=row["cylinder_id"],
        outcome=LockEventOutcome(row["outcome"]),
        time_quality=TimeQuality(row["time_quality"]),
        occurred_at=row["occurred_at"],
    )


def _class_of(looked: Looked) -> tuple[Any, ...]:
    """Return what may change of a stored row, as `_CLASS` names it."""
    found, had = looked.found, looked.custodian
    return (found.name, found.grant_id, had.person_id, had.certainty, had.crew_size)


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

    def wake(self) -> None:
        """Pull at the next step; a key system that is down is asked again when it is time."""
        if self.problem is None:
            self._due = None

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
        with bulk():
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
    passes_over: Final = ("keys:opening",)

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
        tag=row["tag"],
    )


def _subjects(system_id: KeySystemId, looked: Looked) -> tuple[str, ...]:
    key, cylinder, person = looked.opening.key, looked.opening.cylinder_id, looked.custodian.person_id
    return (
        f"key_system:{system_id}",
        *((f"cylinder:{cylinder}",) if cylinder else ()),
        *((key.subject,) if key else ()),
        *((f"person:{person}",) if person else ()),
    )


def _entry(system_id: KeySystemId, event: LockEvent, looked: Looked, at: datetime) -> Entry:
    found = looked.found
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
            "certainty": looked.custodian.certainty,
            "raw_type": event.raw_type,
        },
        lane=Lane.CONTROL if found.name == "unexplained" else Lane.BULK,
    )


def _again_entry(row: asyncpg.Record, looked: Looked, at: datetime) -> Entry:
    found, had = looked.found, looked.custodian
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


def _values(system_id: KeySystemId, event: LockEvent, looked: Looked, at: datetime) -> tuple[Any, ...]:
    """Return a row's values, as `_COLUMNS` names them up to its entry."""
    found, had = looked.found, looked.custodian
    return (
        new_id(), system_id, event.vendor_event_id, event.occurred_at, str(event.time_quality), event.read_at,
        event.arrived_at, event.vendor_lock, looked.opening.cylinder_id, event.vendor_key, looked.key_id,
        had.person_id, event.person_certain, str(event.outcome), found.name, found.why, found.grant_id,
        event.raw_type, at, had.certainty, had.crew_size, event.counter_lock, event.counter_key,
        event.tag,
    )  # fmt: skip
