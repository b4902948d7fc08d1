"""What the running process tells and offers to its web side: how the loops stand, and the demo's clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from key2xs.core.clock import StoredClock
from key2xs.core.database import Database
from key2xs.core.runner import Runner
from key2xs.ledger.readers import readers_behind

_LOOK_SECONDS = 0.004  # between looks while waiting for quiet; a look at the loops costs microseconds

Notify: TypeAlias = Callable[[], Awaitable[None]]


class DemoTime:
    """Domain time as a row that only a demo has; production mode refuses to start with it."""

    def __init__(self, database: Database, clock: StoredClock, wake: Callable[[], None]) -> None:
        """Steer `clock`; call `wake` after each step."""
        self._database, self._clock, self._wake = database, clock, wake

    async def advance_to(self, at: datetime) -> None:
        """Store a later instant and take it over here; other processes follow the notification.

        Raises:
            ValueError: the instant lies before the present one.
        """
        self._clock.advance_to(at)
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT INTO domain_time (at) VALUES ($1) "
                "ON CONFLICT (one) DO UPDATE SET at = greatest(domain_time.at, excluded.at)",
                at,
            )
            await tx.execute("SELECT pg_notify('key2xs_time', $1)", at.isoformat())
        self._wake()


@dataclass
class Runtime:
    """The process around the services."""

    runner: Runner | None
    database: Database
    demo_time: DemoTime | None = None
    problems: dict[str, str] = field(default_factory=dict)
    """Parts that could not start or lost their other side, with the reason to show."""

    async def busy(self) -> list[str]:
        """Name everything that is not quiet: loops at work or due, entries without place, readers behind."""
        before = self.runner.steps if self.runner is not None else 0
        async with self.database.read() as tx:
            waiting = await tx.fetchval("SELECT count(*) FROM log_pending")
            behind = await readers_behind(tx)
        # The loops last: what one of them took from the database before we looked, it still works on or has passed on.
        found = self.runner.busy() if self.runner is not None else []
        if self.runner is not None and self.runner.steps != before:
            found.append("loops:stepped")
        found += [f"entries:{waiting}"] if waiting else []
        return found + [f"reader:{name}" for name, count in behind.items() if count > 0]

    async def settle(self, within: float) -> list[str]:
        """Wait until nothing is under way; return what still is after `within` seconds of real time."""
        give_up = time.monotonic() + within
        while True:
            # The database is asked only when no loop is at work: asking it all the time would slow the work down.
            found = (self.runner.busy() if self.runner is not None else []) or await self.busy()
            if not found or time.monotonic() >= give_up:
                return found
            await asyncio.sleep(_LOOK_SECONDS)

    def next_due(self) -> datetime | None:
        """Return when a loop wants to step next by the clock."""
        return self.runner.next_due() if self.runner is not None else None

    def all_problems(self) -> dict[str, str]:
        """Name what is wrong at the moment."""
        loops = self.runner.problems() if self.runner is not None else {}
        return {**self.problems, **loops}

    def wake(self) -> None:
        """Step all loops again."""
        if self.runner is not None:
            self.runner.wake()

    def hear(self, kinds: Iterable[str]) -> None:
        """Step the loops that new entries of these kinds may make work for."""
        if self.runner is not None:
            self.runner.hear(kinds)

    def wake_due(self) -> None:
        """Step the loops that the clock has made due."""
        if self.runner is not None:
            self.runner.wake_due()
