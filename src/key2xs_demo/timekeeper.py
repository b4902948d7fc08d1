"""Domain time: moved in steps, the twin first, and only when the product has nothing left to do.

Nobody runs a clock faster. Time stands still while anything is at work: a loop, an entry without place, a reader
behind the log, a call at the vendor. Then it jumps to the next instant at which something happens.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from .product import Quiet

HEARTBEAT = timedelta(seconds=60)  # the permit system says this often that it is there
LONGEST_STEP = timedelta(seconds=60)
SHORTEST_STEP = timedelta(seconds=1)
POLL_SECONDS = 0.01
QUIET_WITHIN = 90.0  # seconds of real time; work that takes longer than this is stuck


class NeverQuiet(Exception):
    """The product did not come to rest; the message names what was at work."""


class TwinTime(Protocol):
    """What the timekeeper needs of the twin."""

    async def advance(self, to: datetime) -> dict[str, object]:
        """Let time pass."""
        ...

    async def state(self) -> dict[str, object]:
        """Return `next_event` and `open_calls` among others."""
        ...


class ProductTime(Protocol):
    """What the timekeeper needs of the product."""

    async def move(self, to: datetime) -> None:
        """Step domain time."""
        ...

    async def quiet(self) -> Quiet:
        """Ask whether all work is done."""
        ...


class Timekeeper:
    """Moves the twin and the product together."""

    def __init__(
        self,
        twin: TwinTime,
        product: ProductTime,
        at: datetime,
        *,
        beat: Callable[[datetime], Awaitable[None]],
        seen: Callable[[datetime], None] | None = None,
    ) -> None:
        """Begin at `at`; `beat` sends the permit system's heartbeat, `seen` is told of every step."""
        self._twin, self._product, self._beat, self._seen = twin, product, beat, seen
        self.now = at
        self.beating = True
        """Whether heartbeats go out; a silent permit system sends none."""
        self.steps = 0
        self._next_beat = at
        self._product_due: datetime | None = None
        self._twin_due: datetime | None = None

    async def advance(self, by: timedelta) -> None:
        """Move on by so much."""
        await self.advance_to(self.now + by)

    async def advance_to(self, at: datetime) -> None:
        """Move to an instant, stopping wherever something is due on the way."""
        while self.now < at:
            await self._step(
                next_step(self.now, at, (self._product_due, self._twin_due, self._beat_due()))
            )

    async def settle(self) -> None:
        """Wait until nothing is at work.

        Raises:
            NeverQuiet: something still was after a long while.
        """
        give_up = time.monotonic() + QUIET_WITHIN
        while True:
            quiet = await self._product.quiet()
            if quiet.is_quiet:
                state = await self._twin.state()
                if not state["open_calls"]:
                    self._product_due, self._twin_due = quiet.next_due, _instant(state["next_event"])
                    return
            if time.monotonic() > give_up:
                raise NeverQuiet(f"still at work at {self.now.isoformat()}: {', '.join(quiet.busy)}")
            await asyncio.sleep(POLL_SECONDS)

    async def _step(self, to: datetime) -> None:
        await self._twin.advance(to)
        await self._product.move(to)
        self.now = to
        self.steps += 1
        if self.beating and self._next_beat <= to:
            await self._beat(to)
        if self._next_beat <= to:
            self._next_beat = to + HEARTBEAT
        if self._seen is not None:
            self._seen(to)
        await self.settle()

    def _beat_due(self) -> datetime | None:
        return self._next_beat if self.beating else None


def next_step(now: datetime, at: datetime, due: tuple[datetime | None, ...]) -> datetime:
    """Return where to go next on the way to `at`: the first thing due, within the longest and shortest step."""
    ahead = [instant for instant in due if instant is not None and instant > now]
    wanted = min([at, now + LONGEST_STEP, *ahead])
    return min(at, max(wanted, now + SHORTEST_STEP))


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
