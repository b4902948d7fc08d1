"""Domain time: moved in steps, the twin first, and only when the product has nothing left to do.

Nobody runs a clock faster. Time stands still while anything is at work: a loop, an entry without place, a reader
behind the log, a call at the vendor. Then it jumps to the next instant at which something happens.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from .product import Quiet

# The permit system says so often that it is there; after 150 s it counts as silent. Nobody steps more often for nothing.
HEARTBEAT = timedelta(seconds=120)
LONGEST_STEP = timedelta(seconds=120)
SHORTEST_STEP = timedelta(seconds=1)
WAIT_SECONDS = 20.0  # of real time that one question may wait for its answer
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

    async def move(self, to: datetime, within: float) -> Quiet:
        """Step domain time; the answer may wait so long for the work to be done."""
        ...

    async def quiet(self, within: float) -> Quiet:
        """Ask whether all work is done; the answer may wait so long for it."""
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
            await self._step(next_step(self.now, at, (self._product_due, self._twin_due, self._beat_due())))

    async def leap_to(self, at: datetime) -> None:
        """Move to an instant in one step, before anything goes on: whatever was due on the way is done at the end."""
        await self._twin.advance(at)
        quiet = await self._product.move(at, WAIT_SECONDS)
        self.now = self._next_beat = at
        await self._until_quiet(quiet)

    async def settle(self) -> None:
        """Wait until nothing is at work.

        Raises:
            NeverQuiet: something still was after a long while.
        """
        await self._until_quiet(await self._product.quiet(WAIT_SECONDS))

    async def _step(self, to: datetime) -> None:
        await self._twin.advance(to)
        beats = self.beating and self._next_beat <= to
        # With a heartbeat to send there is more to do at this instant, so nothing is gained by waiting before it.
        quiet = await self._product.move(to, 0 if beats else WAIT_SECONDS)
        self.now = to
        self.steps += 1
        if self._next_beat <= to:
            self._next_beat = to + HEARTBEAT
        if self._seen is not None:
            self._seen(to)
        if beats:
            await self._beat(to)
            quiet = await self._product.quiet(WAIT_SECONDS)
        await self._until_quiet(quiet)

    async def _until_quiet(self, quiet: Quiet) -> None:
        give_up = time.monotonic() + QUIET_WITHIN
        while True:
            if quiet.is_quiet:
                state = await self._twin.state()
                if not state["open_calls"]:
                    self._product_due, self._twin_due = quiet.next_due, _instant(state["next_event"])
                    return
            if time.monotonic() > give_up:
                raise NeverQuiet(f"still at work at {self.now.isoformat()}: {', '.join(quiet.busy)}")
            quiet = await self._product.quiet(WAIT_SECONDS)

    def _beat_due(self) -> datetime | None:
        return self._next_beat if self.beating else None


def next_step(now: datetime, at: datetime, due: tuple[datetime | None, ...]) -> datetime:
    """Return where to go next on the way to `at`: the first thing due, within the longest and shortest step."""
    ahead = [instant for instant in due if instant is not None and instant > now]
    wanted = min([at, now + LONGEST_STEP, *ahead])
    return min(at, max(wanted, now + SHORTEST_STEP))


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
