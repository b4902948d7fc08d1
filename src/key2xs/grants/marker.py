"""From the log to the marks: which subjects must be decided again, and when the clock alone asks for it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection, Database
from key2xs.core.sql import load_queries
from key2xs.ledger import ReadEntry

from .bases import BasisReader

_SQL = load_queries("key2xs.grants")
BATCH = 500

# Entries whose heads are our own leases: marking them would decide every decision again, for ever.
_OWN = ("grants:lease:", "grants:evaluation:")
# What follows from decisions: no decision reads how far a key is, and a thousand revocations would mark it each time.
_NOT_DECIDED_ON = ("grant:", "openers:", "target:")


class GrantMarker:
    """A reader of the log that only marks subjects dirty; it decides nothing and cannot fail on one entry."""

    name = "grants"
    idle = False
    passes_over: Final = ("keys:opening",)

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Mark every subject whose facts changed."""
        marks = {
            head
            for entry in entries
            if not entry.kind.startswith(_OWN)
            for head in entry.heads
            if not head.startswith(_NOT_DECIDED_ON)
        }
        self.idle = not marks
        if marks:
            await tx.execute(_SQL["mark"], sorted(marks), max(entry.recorded_at for entry in entries))


class LeaseTimer:
    """Marks leases whose start, end or decision falls due. Losing a step only delays it to the next."""

    name = "lease-timer"
    heeds: Final = ("grants:",)
    idle = False

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    async def step(self, now: datetime) -> datetime | None:
        """Mark what is due; say when the next one is."""
        return await self._database.transact(lambda tx: self._mark_due(tx, now))

    async def _mark_due(self, tx: Connection, now: datetime) -> datetime | None:
        ids = [row["id"] for row in await tx.fetch(_SQL["due_leases"], now, BATCH)]
        self.idle = not ids
        if ids:
            rows = await tx.fetch(_SQL["find_open"], ids, None, None, None)
            units = {
                f"person:{row['person_id']}" if row["basis_ref"].startswith("duty:") else row["basis_ref"]
                for row in rows
            }
            await tx.execute(_SQL["mark_unless_waiting"], sorted(units), now)
        due: datetime | None = await tx.fetchval("SELECT min(due_at) FROM grant_lease WHERE due_at > $1", now)
        return due


class Sweep:
    """Decides everything again at a fixed pace, so that nothing depends on a wake-up that was lost."""

    name = "grants-sweep"
    heeds: Final[tuple[str, ...]] = ()
    idle = False

    def __init__(self, database: Database, bases: BasisReader, pace: timedelta) -> None:
        """Sweep every `pace`."""
        self._database, self._bases, self._pace = database, bases, pace
        self._due: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Mark all open bases when the pace says so."""
        self.idle = self._due is not None and now < self._due
        if not self.idle:
            await self._database.transact(lambda tx: self._mark_all(tx, now))
            self._due = now + self._pace
        return self._due

    async def _mark_all(self, tx: Connection, now: datetime) -> None:
        leases = await tx.fetch(_SQL["find_open"], None, None, None, None)
        units = {
            f"person:{row['person_id']}" if row["basis_ref"].startswith("duty:") else row["basis_ref"]
            for row in leases
        }
        units |= await self._bases.open_permits(tx, now)
        units |= await self._bases.open_requests(tx, now)
        units |= await self._bases.persons_on_duty(tx, now)
        if units:
            await tx.execute(_SQL["mark_unless_waiting"], sorted(units), now)
