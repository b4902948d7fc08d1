"""What happens without a request: kills proceed, people who may be inside are asked after."""

import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection, Database
from key2xs.grants.reads import leases_ended_since, leases_ending_before
from key2xs.safety.rules import WARN_AHEAD

from .inside import WaysOut
from .kills import Kills

_LOG = logging.getLogger("key2xs.incidents")

HOLDING_PACE: Final = timedelta(seconds=30)
WATCH_PACE: Final = timedelta(seconds=30)
MOST_LEASES: Final = 5_000
# Ended by the clock: they were asked about before.
_PLANNED: Final = ("lapsed", "renewed")


class KillLoop:
    """Carries waiting kills out when their time is up, and blocks keys whose hold is over."""

    name = "incidents:kills"
    heeds: Final = ("incidents:", "grants:", "safety:", "access:proposal", "keys:key")

    def __init__(self, database: Database, kills: Kills) -> None:
        """Work on `database`."""
        self._database, self._kills = database, kills
        self._again: dict[UUID, datetime] = {}

    async def step(self, now: datetime) -> datetime | None:
        """Do what is due; one that fails never delays another."""
        async with self._database.read() as tx:
            found = await self._kills.open(tx)
        self._again = {kill.id: self._again[kill.id] for kill in found if kill.id in self._again}
        failed: Exception | None = None
        for kill in found:
            due = self._again.get(kill.id, kill.proceeds_at)
            if due > now:
                continue
            self._again[kill.id] = now + HOLDING_PACE
            try:
                await self._database.transact(lambda tx, k=kill: self._kills.go_on(tx, k.id, now))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - the others' stops come first; told at the end
                _LOG.exception("a stop could not be carried out", extra={"kill": str(kill.id)})
                self._again[kill.id] = now + timedelta(seconds=1)
                failed = error
        if failed is not None:
            raise failed
        return min((self._again.get(kill.id, kill.proceeds_at) for kill in found), default=None)


class EgressWatch:
    """Asks the shift leader after people who may be behind a lock whose access ends."""

    name = "incidents:ways-out"
    heeds: Final[tuple[str, ...]] = ()

    def __init__(self, database: Database, ways_out: WaysOut) -> None:
        """Work on `database`."""
        self._database, self._ways_out = database, ways_out
        self._due: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Look at what ends soon and at what ended at once."""
        if self._due is None or now >= self._due:
            await self._database.transact(lambda tx: self._look(tx, now))
            self._due = now + WATCH_PACE
        return self._due

    async def _look(self, tx: Connection, now: datetime) -> None:
        soon = await leases_ending_before(tx, now + WARN_AHEAD, MOST_LEASES)
        running = [lease for lease in soon if lease.state != "scheduled"]
        await self._ways_out.ask(tx, running, cause="expiry", at=now)
        ended = await leases_ended_since(tx, now - WARN_AHEAD, MOST_LEASES)
        gone = [lease for lease in ended if lease.end_reason not in _PLANNED]
        await self._ways_out.ask(tx, gone, cause="ended", at=now, ends_at=now)
