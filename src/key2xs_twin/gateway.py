"""What stands before a vendor's server: how fast it answers, how many calls a second it takes, how many a day.

No limit is known of either maker, so none is set unless somebody sets one. The day's quota is that of EVVA AirKey: it is
full again at 00:00 UTC, and whoever exceeds it is told once a day. Everything counts in virtual time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from key2xs_twin.rng import Randomness

WHOLE = 1.0 - 1e-9  # a token that lacks no more than what rounding takes


@dataclass(slots=True, kw_only=True)
class Limits:
    """Mutable on purpose: tests and the control interface change them while the server runs; ``None`` is no limit."""

    per_second: float | None = None
    burst: int = 1  # calls at once after a pause
    per_day: int | None = None
    reset_hour: int = 0  # UTC. EVVA: AirKey manual 2.7
    latency: tuple[timedelta, timedelta] = (timedelta(0), timedelta(0))  # from, to; seeded

    def __post_init__(self) -> None:
        too_low = (self.per_second is not None and self.per_second <= 0) or (
            self.per_day is not None and self.per_day < 0
        )
        if too_low or self.burst < 1 or not 0 <= self.reset_hour <= 23:
            raise ValueError("a rate is above 0, a quota at least 0, a burst at least 1, an hour 0 to 23")


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A call over a limit: 429, and after how many seconds to ask again."""

    retry_after: int
    quota_is_gone: bool


@dataclass(slots=True)
class Gateway:
    """The limits of one server, and what has been used of them."""

    name: str
    rng: Randomness
    limits: Limits = field(default_factory=Limits)
    calls_today: int = 0
    turned_away: int = 0
    told: list[datetime] = field(default_factory=list)  # when the customer was told that the quota is gone
    _day: datetime | None = None  # its end
    _tokens: float = 0.0
    _filled_at: datetime | None = None

    def refusal(self, now: datetime) -> TurnedAway | None:
        """Whether a call is turned away now; one that is not has to be counted when it gets through."""
        found = self._refusal(now)
        if found is not None:
            self.turned_away += 1
        return found

    def count(self, now: datetime) -> None:
        """A call got through."""
        self._renew(now)
        self.calls_today += 1
        if self.limits.per_second is not None:
            self._tokens -= 1.0

    def delay_s(self) -> float:
        """How long this answer takes."""
        low, high = self.limits.latency
        return self.rng.delay(low, high, "gateway", self.name).total_seconds()

    def calls_left(self, now: datetime) -> int | None:
        """What is left of the day's quota; ``None`` without one."""
        self._renew(now)
        return None if self.limits.per_day is None else max(self.limits.per_day - self.calls_today, 0)

    def use_up(self, now: datetime) -> None:
        """Somebody else made all calls that were left of this day's quota."""
        self._renew(now)
        self.calls_today = max(self.calls_today, self.limits.per_day or 0)

    def _refusal(self, now: datetime) -> TurnedAway | None:
        self._renew(now)
        limits = self.limits
        if limits.per_day is not None and self.calls_today >= limits.per_day:
            day_ends_at = self._next_reset(now)
            if not self.told or self.told[-1] < day_ends_at - timedelta(days=1):
                self.told.append(now)
            return TurnedAway(math.ceil((day_ends_at - now).total_seconds()), quota_is_gone=True)
        if limits.per_second is not None and self._tokens < WHOLE:
            return TurnedAway(math.ceil((1.0 - self._tokens) / limits.per_second - 1e-6), quota_is_gone=False)
        return None

    def _renew(self, now: datetime) -> None:
        if (ends_at := self._next_reset(now)) != self._day:
            self._day, self.calls_today = ends_at, 0
        if self.limits.per_second is None:
            self._filled_at = None
            return
        if self._filled_at is None:
            self._tokens = float(self.limits.burst)
        else:
            passed = (now - self._filled_at).total_seconds()
            self._tokens = min(float(self.limits.burst), self._tokens + passed * self.limits.per_second)
        self._filled_at = now

    def _next_reset(self, now: datetime) -> datetime:
        at = now.astimezone(UTC).replace(hour=self.limits.reset_hour, minute=0, second=0, microsecond=0)
        return at if at > now else at + timedelta(days=1)
