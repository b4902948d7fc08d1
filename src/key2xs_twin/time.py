"""Virtual time: one true clock for the world, and the wrong clocks of its devices.

Nothing in the twin asks the computer for the time. :class:`TwinTime` moves only when told to, and runs what
was scheduled on the way in a fixed order, so that one seed and one list of acts give the same bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

DAY = timedelta(days=1)

NEVER = datetime.min.replace(tzinfo=UTC)  # earlier than any instant: "at no time from now on"


@dataclass(order=True, slots=True)
class Scheduled:
    """One thing that will happen; ``cancel()`` leaves it in the heap but makes it do nothing."""

    due_at: datetime
    number: int
    action: Callable[[], object] = field(compare=False)
    name: str = field(compare=False, default="")
    cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        """Make the event do nothing when its time comes."""
        self.cancelled = True


class TwinTime:
    """True time of the simulated world (aware UTC), moved by :meth:`advance_to` only."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("the twin's start must be an aware datetime")
        self.now = start.astimezone(UTC)
        self._heap: list[Scheduled] = []
        self._count = 0

    def at(self, due_at: datetime, action: Callable[[], object], *, name: str = "") -> Scheduled:
        """Run ``action`` when time reaches ``due_at``; an instant already past means *next thing*."""
        self._count += 1
        event = Scheduled(max(due_at, self.now), self._count, action, name)
        heapq.heappush(self._heap, event)
        return event

    def after(self, delay: timedelta, action: Callable[[], object], *, name: str = "") -> Scheduled:
        """Run ``action`` when ``delay`` has passed."""
        return self.at(self.now + delay, action, name=name)

    def advance_to(self, instant: datetime) -> int:
        """Move to ``instant``, running due events in order of time, then of scheduling; return how many ran.

        Raises:
            ValueError: ``instant`` lies in the past. The world has no way back.

        """
        if instant < self.now:
            raise ValueError(f"time cannot go back from {self.now.isoformat()} to {instant.isoformat()}")
        ran = 0
        while self._heap and self._heap[0].due_at <= instant:
            event = heapq.heappop(self._heap)
            if event.cancelled:
                continue
            self.now = event.due_at
            event.action()
            ran += 1
        self.now = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
        return ran

    def next_due(self) -> datetime | None:
        """When the next event is due, or ``None`` when nothing is scheduled."""
        while self._heap and self._heap[0].cancelled:
            heapq.heappop(self._heap)
        return self._heap[0].due_at if self._heap else None


@dataclass(slots=True)
class DeviceClock:
    """A device's own idea of the time: set once, then off by ``offset`` and drifting.

    ``drift`` is a pure number: seconds gained for each true second since ``set_at``.
    """

    set_at: datetime
    offset: timedelta = timedelta(0)
    drift: float = 0.0

    def reading(self, at: datetime) -> datetime:
        """What the device shows at the true instant ``at``."""
        if not self.drift:
            return at + self.offset
        return at + self.offset + (at - self.set_at) * self.drift

    def instant_of(self, reading: datetime) -> datetime:
        """The true instant at which the device shows ``reading`` (inverse of :meth:`reading`)."""
        elapsed = reading - self.offset - self.set_at
        return self.set_at + (elapsed / (1.0 + self.drift) if self.drift else elapsed)

    def elapsed(self, spent: timedelta) -> timedelta:
        """How much true time passes while this clock counts ``spent``."""
        return spent / (1.0 + self.drift) if self.drift else spent

    def counted(self, passed: timedelta) -> timedelta:
        """How much this clock counts while the true time ``passed`` goes by."""
        return passed * (1.0 + self.drift) if self.drift else passed

    def correct(self, at: datetime) -> None:
        """Drop the drift gathered since the last setting; the constant offset is the device's own habit."""
        self.set_at = at


def drift_from_seconds_per_day(seconds: float) -> float:
    """Turn *seconds a day* into the pure number that :class:`DeviceClock` uses."""
    return seconds / DAY.total_seconds()
