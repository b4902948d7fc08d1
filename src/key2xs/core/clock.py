"""Clocks: domain time, which can be virtual, and monotonic time, which cannot.

Rules take `at` as an argument; only edges ask a clock. Domain time says when facts are true; monotonic time
runs leases, timeouts, batches and tokens, because a demo that steps the night must not expire a session.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where an edge gets its two kinds of time from."""

    def now(self) -> datetime:
        """Return the instant of the domain, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow, unrelated to the domain."""
        ...


class SystemClock:
    """The clock of a real site."""

    def now(self) -> datetime:
        """Return the wall clock's instant in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the process's monotonic seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until somebody moves it; the demo and the tests step it."""

    def __init__(self, at: datetime) -> None:
        """Start at `at`, which must be aware."""
        self._at = require_utc(at)
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the instant it was last moved to."""
        return self._at

    def monotonic(self) -> float:
        """Return the seconds moved so far."""
        return self._elapsed

    def advance_to(self, at: datetime) -> None:
        """Move forward to `at`; a clock never goes back.

        Raises:
            ValueError: `at` lies before the present instant.
        """
        at = require_utc(at)
        if at < self._at:
            message = f"a clock cannot go back from {self._at.isoformat()} to {at.isoformat()}"
            raise ValueError(message)
        self._elapsed += (at - self._at).total_seconds()
        self._at = at


class StoredClock(ManualClock):
    """Domain time read from the database, for the demo only: one process writes it, all others follow.

    Monotonic time stays the process's own, so that timeouts, sessions and batches are not stepped.
    """

    def monotonic(self) -> float:
        """Return the process's monotonic seconds."""
        return time.monotonic()

    def follow(self, at: datetime) -> None:
        """Take over the stored instant if it is later; a late notification never turns time back."""
        if require_utc(at) > self.now():
            self.advance_to(at)


def require_utc(at: datetime) -> datetime:
    """Return `at` in UTC.

    Raises:
        ValueError: `at` has no time zone; a naive instant means a different moment on every machine.
    """
    if at.tzinfo is None:
        message = "an instant needs a time zone"
        raise ValueError(message)
    return at.astimezone(UTC)
