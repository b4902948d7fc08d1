"""The retention loop: once a day, openings lose the person when they are older than the site keeps names for."""

from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection, Database
from key2xs.keys.retention import BATCH, unlink_people
from key2xs.ledger import Ledger

from .holds import Holds

PACE: Final = timedelta(hours=24)


class RetentionLoop:
    """Unlinks people from old openings, a batch a step; a legal hold stops it for whom it names."""

    name = "retention"
    heeds: Final[tuple[str, ...]] = ()

    def __init__(
        self, database: Database, ledger: Ledger, holds: Holds, kept: timedelta, *, batch: int = BATCH
    ) -> None:
        """Keep names for `kept`."""
        self._database, self._ledger, self._holds, self._kept = database, ledger, holds, kept
        self._batch = batch
        self._due: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Unlink one batch; `now` when more waits, else the next day."""
        if self._due is not None and now < self._due:
            return self._due
        if await self._database.transact(lambda tx: self._unlink(tx, now)):
            return now
        self._due = now + PACE
        return self._due

    async def _unlink(self, tx: Connection, now: datetime) -> bool:
        everybody, held = await self._holds.running(tx, now)
        if everybody:
            return False
        _, more = await unlink_people(
            tx, self._ledger, before=now - self._kept, held=held, at=now, batch=self._batch
        )
        return more
