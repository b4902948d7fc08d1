"""What notices broken assumptions by itself: a reader of the log, and a look at keys that nobody read for too long."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database
from key2xs.core.ids import KeyId
from key2xs.core.sql import load_queries
from key2xs.keys.exposure_types import DEFAULT_SETTINGS, ExposureKind, ExposureSettings
from key2xs.keys.registry import key_of
from key2xs.keys.types import StoredKey
from key2xs.ledger import ReadEntry

from .rules import PROVES, Broken, Cause
from .store import Reopenings

_SQL = load_queries("key2xs.keys.reopening")
_KEYS = load_queries("key2xs.keys")
PACE: Final = timedelta(minutes=5)
BATCH: Final = 50  # keys in one transaction
_OPENINGS: Final = ("keys:opening:observe", "keys:opening:reclassify")
_LATE: Final = frozenset({"after_end", "unexplained"})
_WITHOUT_PROGRAM: Final[Mapping[str, tuple[Cause, str]]] = MappingProxyType(
    {
        "holder": (Cause.EDIT, "its holder was changed elsewhere"),
        "limits": (Cause.EDIT, "its plan was changed elsewhere in what is not read"),
        "outside": (Cause.EDIT, "it may have got rights elsewhere that are not shown"),
        "unblocked": (Cause.UNBLOCKED, "it was taken off the block list elsewhere"),
    }
)
"""Edits made elsewhere that leave no program to be found, by the kind of their finding. A block only takes away."""
_BOUNDED: Final = frozenset({str(ExposureKind.BOUND), str(ExposureKind.PROVEN_END)})


class ReopeningReader:
    """A reader of the log: edits that nobody made here, proofs, and openings after a published bound."""

    name = "reopening"

    def __init__(
        self, reopenings: Reopenings, clock: Clock, settings: Mapping[str, ExposureSettings]
    ) -> None:
        """Open again with `reopenings`; `settings` by the name of the key system."""
        self._reopenings, self._clock, self._settings = reopenings, clock, settings
        self.idle = False

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Look at each entry in order; what stands already stays as it is."""
        self.idle = True
        at = self._clock.now()
        for entry in entries:
            if entry.kind == "keys:program:find":
                await self._edit(tx, entry, at)
            elif entry.kind == "keys:drift:find":
                await self._edit_without_program(tx, entry, at)
            elif entry.kind == "keys:program:prove":
                await self._proof(tx, entry, at)
            elif entry.kind in _OPENINGS and entry.body.get("class") in _LATE:
                await self._opening(tx, entry, at)

    async def _edit(self, tx: Connection, entry: ReadEntry, at: datetime) -> None:
        key, found_at = await _key_of(tx, entry), entry.occurred_at
        if key is None or not _is_ours(key):
            return
        if not await tx.fetchval(_SQL["earlier_program"], key.id, found_at):
            return  # the first that was ever read of it: nothing was published on the strength of less
        before = await self._reopenings.published(tx, key.id, found_at)
        if before.kind not in _BOUNDED and await tx.fetchval(_SQL["edits_proven"], key.id, found_at):
            return  # the key says what it holds, and nothing that was published rested on it
        why = "a program that nobody wrote from here was found in it"
        found = Broken(Cause.EDIT, why, found_at)
        self.idle = not await self._reopenings.of_key(tx, key, found, at, before=before) and self.idle

    async def _edit_without_program(self, tx: Connection, entry: ReadEntry, at: datetime) -> None:
        cause, why = _WITHOUT_PROGRAM.get(str(entry.body.get("kind")), (None, ""))
        key, found_at = (await _key_of(tx, entry), entry.occurred_at) if cause is not None else (None, at)
        if cause is None or key is None or not _is_ours(key):
            return
        if cause in PROVES and await tx.fetchval(_SQL["edits_proven"], key.id, found_at):
            return  # the key has said since what it holds
        found = Broken(cause, why, found_at)
        self.idle = not await self._reopenings.of_key(tx, key, found, at) and self.idle

    async def _proof(self, tx: Connection, entry: ReadEntry, at: datetime) -> None:
        key, read_at = await _key_of(tx, entry), entry.body.get("read_at")
        if key is not None and isinstance(read_at, str):
            proven_at = datetime.fromisoformat(read_at)
            self.idle = not await self._reopenings.prove(tx, key.id, Cause.EDIT, proven_at, at) and self.idle

    async def _opening(self, tx: Connection, entry: ReadEntry, at: datetime) -> None:
        key = await _key_of(tx, entry)
        if key is None or not _is_ours(key):
            return
        row = await tx.fetchrow(_SQL["event"], key.system_id, entry.body.get("vendor_event"))
        if row is None or row["occurred_at"] is None or row["time_quality"] != "clock":
            return
        name = await tx.fetchval(_KEYS["system_name"], key.system_id)
        settings = self._settings.get(name, DEFAULT_SETTINGS)
        margin = settings.margin(settings.unknown_clock_age)
        earliest, latest = row["occurred_at"] - margin, row["occurred_at"] + margin
        if row["read_at"] is not None:
            latest = min(latest, row["read_at"])
        until = await tx.fetchval(_SQL["bound_before"], key.id, row["cylinder_id"], latest, earliest)
        if until is None:
            return
        why = f"it opened a lock at {row['occurred_at']:%Y-%m-%d %H:%M} UTC, after {until:%Y-%m-%d %H:%M} UTC was published"
        found = Broken(Cause.OPENING, why, row["read_at"] or at, row["lock_external_id"])
        self.idle = not await self._reopenings.of_key(tx, key, found, at) and self.idle


class UnreadLoop:
    """Opens bounds again of keys that were not read for too long, and closes that when they are."""

    name = "keys:unread"
    heeds: Final[tuple[str, ...]] = ()

    def __init__(self, database: Database, reopenings: Reopenings, unread: Mapping[str, timedelta]) -> None:
        """`unread`: how long is too long, by the name of the key system."""
        self._database, self._reopenings, self._unread = database, reopenings, unread
        self._due: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Take the next batch; `now` while there is more."""
        if self._due is None or now >= self._due:
            more = await self._database.transact(lambda tx: self._look(tx, now))
            self._due = now if more else now + PACE
        return self._due

    async def _look(self, tx: Connection, now: datetime) -> bool:
        full = False
        for name, longest in self._unread.items():
            rows = await tx.fetch(_SQL["not_read"], now - longest, BATCH, name)
            for row in rows:
                why = f"it was not read since {row['read_at']:%Y-%m-%d %H:%M} UTC"
                key = key_of((await tx.fetch(_KEYS["find_key"], row["id"], None))[0])
                await self._reopenings.of_key(tx, key, Broken(Cause.NOT_READ, why, now), now)
            full = full or len(rows) == BATCH
        rows = await tx.fetch(_SQL["read_again"], BATCH)
        for row in rows:
            await self._reopenings.prove(tx, row["key_id"], Cause.NOT_READ, row["read_at"], now)
        return full or len(rows) == BATCH


def _is_ours(key: StoredKey) -> bool:
    """Only of keys that are managed here anything is published that was ended."""
    return key.adopted_at is not None or key.blocked_at is not None


async def _key_of(tx: Connection, entry: ReadEntry) -> StoredKey | None:
    name = next((each.removeprefix("key:") for each in entry.subjects if each.startswith("key:")), None)
    rows = await tx.fetch(_KEYS["find_key"], KeyId(UUID(name)), None) if name is not None else []
    return key_of(rows[0]) if rows else None
