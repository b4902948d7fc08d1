"""What adoption does by itself: going on with runs, and ending standing rights in zones that were switched."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection, Database
from key2xs.core.ids import ZoneId
from key2xs.ledger import ReadEntry

from .runs import AdoptionRuns
from .standing import Standing

# What may bring a standing right into an enforced zone: a mode, a place on the plan, a right's own locks.
_MAY_END = ("plant:", "keys:system:inventory", "keys:adoption:batch", "keys:adoption:take")


class StandingReader:
    """A reader of the log that ends standing rights in enforced zones."""

    name = "standing"
    passes_over: Final = ("keys:opening",)

    def __init__(self, standing: Standing) -> None:
        """End with `standing`."""
        self._standing = standing

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Look once a batch; ending again what has ended changes nothing.

        A zone that was switched to *enforce* and back before anybody looked was enforced all the same.
        """
        if any(entry.kind.startswith(_MAY_END) for entry in entries):
            also = {
                ZoneId(UUID(subject.removeprefix("zone:")))
                for entry in entries
                if entry.kind == "plant:zone:mode" and entry.body.get("after") == "enforce"
                for subject in entry.subjects
            }
            await self._standing.end_enforced(tx, max(entry.recorded_at for entry in entries), also=also)


class AdoptionLoop:
    """Takes adoption runs further, a batch a step."""

    name = "adoption"
    heeds: Final = ("keys:adoption", "keys:system", "keys:brake", "plant:zone")

    def __init__(self, database: Database, runs: AdoptionRuns, batch: int) -> None:
        """Adopt `batch` keys in one transaction."""
        self._database, self._runs, self._batch = database, runs, batch

    async def step(self, now: datetime) -> datetime | None:
        """Adopt the next batch; `now` while there is more."""
        async with self._database.read() as tx:
            running = await self._runs.running(tx)
        due = None
        for run in running:
            looked = await self._database.transact(partial(self._take, run, now))
            if looked:
                return now
            async with self._database.read() as tx:
                again = await self._runs.due_at(tx, run)
            due = min((at for at in (due, again) if at is not None), default=None)
        return due

    async def _take(self, run: UUID, now: datetime, tx: Connection) -> int:
        return await self._runs.batch(tx, run, self._batch, now)
