"""Acts on many go on without anybody asking: a batch a step."""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection, Database

from .acting import MassRuns

_LOG = logging.getLogger("key2xs.incidents")

RETRY: Final = timedelta(seconds=5)


class MassLoop:
    """Takes acts on many further."""

    name = "incidents:mass"
    # What is waited for: a telling that is over, a pause that is, a hold's end. All of these are entries.
    heeds: Final = ("incidents:",)

    def __init__(self, database: Database, runs: MassRuns) -> None:
        """Work on `database`."""
        self._database, self._runs = database, runs
        self.problem: str | None = None
        self.idle = False

    async def step(self, now: datetime) -> datetime | None:
        """End the next batch of each act; `now` while there is more. One that fails never delays another."""
        async with self._database.read() as tx:
            running = await self._runs.running(tx)
        dealt, failed = 0, ""
        for mass_id in running:
            try:
                dealt += await self._database.transact(partial(self._batch, mass_id, now))
            except Exception:  # noqa: BLE001 - the others go on; told as the loop's problem
                _LOG.exception("an act on many could not go on", extra={"mass": str(mass_id)})
                failed = (
                    "access for many is being ended and the next grants could not be: tell the administrator"
                )
        self.problem = failed or None
        self.idle = not dealt
        if dealt:
            return now
        return now + RETRY if failed else None

    async def _batch(self, mass_id: UUID, now: datetime, tx: Connection) -> int:
        return await self._runs.batch(tx, mass_id, now)
