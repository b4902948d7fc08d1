"""A circuit breaker for one key system: when it fails whoever asks, it is asked seldom, and for the most urgent first.

Pure: time comes in as an argument. In memory: a worker that starts anew asks at once, which costs one call.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

FAILURES: Final = 5  # calls in a row, for at least two keys: one key that always fails is no outage
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(seconds=30)  # a system that is back is noticed within this


@dataclass
class Breaker:
    """Counts failures in a row. Open, it lets one call through after each pause; one that succeeds closes it."""

    failures: int = 0
    until: datetime | None = None
    _first: UUID | None = None
    _several: bool = False

    @property
    def is_open(self) -> bool:
        """Tell whether the system is asked only now and then."""
        return self.until is not None

    def wait_until(self, at: datetime) -> datetime | None:
        """Return until when nobody asks; None when somebody may."""
        return self.until if self.until is not None and at < self.until else None

    def failed(self, target: UUID, at: datetime) -> None:
        """Note that a call for a target was not answered, or not for certain."""
        if self.failures == 0:
            self._first, self._several = target, False
        self.failures += 1
        self._several = self._several or target != self._first
        if self._several and self.failures >= FAILURES:
            pauses = min(self.failures - FAILURES, 10)
            self.until = at + min(LONGEST_PAUSE, FIRST_PAUSE * 2**pauses)

    def answered(self) -> None:
        """Note that the system answered, whatever it said."""
        self.failures, self.until, self._first, self._several = 0, None, None, False
