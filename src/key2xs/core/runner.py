"""Running loops: each in its own task, woken by the log, by the clock, or by a short poll.

One loop's failure is its own: it is logged, waits a little and steps again. Nothing here knows what a loop does.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.core.clock import Clock, StoredClock
from key2xs.core.errors import Key2XSError
from key2xs.core.loops import Loop, heeds, was_idle

_LOG = logging.getLogger("key2xs.loops")

POLL_SECONDS = 1.0  # process time; a wake-up that was lost costs at most this
FAILURE_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 30.0


@dataclass
class _State:
    """How one loop stands."""

    due: datetime | None = None
    is_stepping: bool = True
    failures: int = 0
    problem: str | None = None


class Runner:
    """Runs loops until told to stop."""

    def __init__(
        self,
        loops: Sequence[Loop],
        clock: Clock,
        *,
        polls: Mapping[str, float] | None = None,
        followers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Run `loops` by `clock`.

        Args:
            loops: each with a name of its own.
            clock: domain time.
            polls: seconds between polls of single loops.
            followers: which loops may have work after a step of which; the log wakes nobody for work that is not on it.
        """
        self._loops, self._clock, self._polls = loops, clock, polls or {}
        self._followers = {
            name: [other for other in names if any(loop.name == other for loop in loops)]
            for name, names in (followers or {}).items()
        }
        self.steps = 0
        """Steps begun so far: who looks twice and finds the same number knows that nothing happened between."""
        self._states = {loop.name: _State() for loop in loops}
        self._wakes = {loop.name: asyncio.Event() for loop in loops}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run until `stop`; a step under way is finished first."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops:
                group.create_task(self._run_one(loop), name=loop.name)

    def stop(self) -> None:
        """Let every loop finish its step and end."""
        self._stop.set()
        self.wake()

    def wake(self) -> None:
        """Step every loop again: something changed, and nobody says what."""
        for event in self._wakes.values():
            event.set()

    def hear(self, kinds: Iterable[str]) -> None:
        """Step the loops that entries of these kinds may make work for: the log grew by them."""
        told = tuple(kinds)
        for loop in self._loops:
            if heeds(loop, told):
                self._wakes[loop.name].set()

    def wake_due(self) -> None:
        """Step every loop that is due: the clock was moved, and nothing else changed."""
        now = self._clock.now()
        for name, state in self._states.items():
            if state.due is not None and state.due <= now:
                self._wakes[name].set()

    def busy(self) -> list[str]:
        """Name the loops that are stepping or have work due now."""
        now = self._clock.now()
        return [
            name
            for name, state in self._states.items()
            if state.is_stepping or self._wakes[name].is_set() or (state.due is not None and state.due <= now)
        ]

    def next_due(self) -> datetime | None:
        """Return the earliest instant at which any loop wants to step by the clock."""
        return min((state.due for state in self._states.values() if state.due is not None), default=None)

    def problems(self) -> dict[str, str]:
        """Name the loops whose last step failed, or that could not do their work, and how."""
        # A loop that handles a failed call itself does not fail: it says so by its own `problem`.
        told = {loop.name: getattr(loop, "problem", None) for loop in self._loops}
        failed = {name: state.problem for name, state in self._states.items()}
        return {name: why for name in told if (why := failed[name] or told[name])}

    async def _run_one(self, loop: Loop) -> None:
        state, wake = self._states[loop.name], self._wakes[loop.name]
        while not self._stop.is_set():
            wake.clear()
            state.is_stepping = True
            self.steps += 1
            try:
                state.due = await loop.step(self._clock.now())
                state.failures, state.problem = 0, None
            except Exception as error:  # noqa: BLE001 - one loop's failure is its own
                state.failures += 1
                # What we can explain is said to people as it is: who has to do what. Anything else only by its kind.
                state.problem = str(error) if isinstance(error, Key2XSError) else type(error).__name__
                _LOG.exception("loop step failed", extra={"loop": loop.name, "failures": state.failures})
                state.is_stepping = False
                await self._wait(FAILURE_SECONDS)
                continue
            # Before this loop counts as idle, so that there is no moment in which nobody seems to have work.
            if not was_idle(loop):
                for follower in self._followers.get(loop.name, ()):
                    self._wakes[follower].set()
            state.is_stepping = False
            if state.due is None or state.due > self._clock.now():
                await self._idle(wake, state.due, self._polls.get(loop.name, POLL_SECONDS))

    async def _idle(self, wake: asyncio.Event, due: datetime | None, poll: float) -> None:
        seconds = min(poll, _LONGEST_WAIT_SECONDS)
        if due is not None and not isinstance(self._clock, StoredClock):
            seconds = min(seconds, max(0.0, (due - self._clock.now()).total_seconds()))
        try:
            await asyncio.wait_for(wake.wait(), seconds)
        except TimeoutError:
            return

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
