"""How many calls a key system takes: so many a second, so many a day, and for whom the last of them are kept.

No maker documents limits, so none hold unless somebody sets them. What takes away comes before what gives: near the end
of a day's quota a part of it is left to kills, stops and revocations, and when it is gone only kills and stops are still
tried. Reading in the background has a share of its own, and leaves half of what may be sent at once to the others.

Pure: instants come in as arguments, and what was used so far as a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

from .lanes import WorkLane

_UTC: Final = ZoneInfo("UTC")

# What one step at a key may take: read, write with both readings, order. Begun, it is not broken off half-way.
CALLS_A_STEP: Final = 20
BLOCK: Final = 50  # calls that one process takes for itself at once; what it does not use is lost for the day
_HOARD: Final = 10  # of what is left a process takes at most this part


class Standing(IntEnum):
    """How far a day's quota is used up."""

    PLENTY = 0
    RESERVE = 1  # what is left is kept for what takes away
    GONE = 2


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What a key system takes. `a_second`, `a_day`: None = no limit known; `reserve`, `background`: parts of one."""

    a_second: float | None = None
    burst: int = 1
    a_day: int | None = None
    day_starts_hour: int = 0
    day_zone: ZoneInfo = _UTC
    reserve: float = 0.2
    background: float = 0.5

    @property
    def is_unlimited(self) -> bool:
        """Tell whether nothing has to be counted."""
        return self.a_second is None and self.a_day is None

    @property
    def between(self) -> timedelta:
        """How long one call takes up of the pace, in whole microseconds and never too short."""
        return (
            timedelta(microseconds=ceil(1e6 / self.a_second)) if self.a_second is not None else timedelta(0)
        )

    def day_of(self, at: datetime) -> date:
        """Return the day of the quota that an instant lies in, by the date on which it began."""
        local = at.astimezone(self.day_zone)
        return local.date() if local.hour >= self.day_starts_hour else local.date() - timedelta(days=1)

    def day_ends(self, at: datetime) -> datetime:
        """Return when the quota is full again."""
        begins = self.day_of(at) + timedelta(days=1)
        return datetime(
            begins.year, begins.month, begins.day, self.day_starts_hour, tzinfo=self.day_zone
        ).astimezone(UTC)

    def most(self, lane: WorkLane | None) -> int | None:
        """Return up to how many calls a day work of a lane may begin; None = whatever was used. No lane: background."""
        if self.a_day is None or lane in {WorkLane.KILL, WorkLane.STOP}:
            return None
        return self.a_day if lane is WorkLane.REVOKE else int(self.a_day * (1 - self.reserve))

    @property
    def most_in_background(self) -> int | None:
        """Return how many calls a day may be made for reading in the background."""
        return None if self.a_day is None else int(self.a_day * (1 - self.reserve) * self.background)

    def standing(self, used: int) -> Standing:
        """Tell how far the quota is used up."""
        if self.a_day is None or used + CALLS_A_STEP <= self.a_day * (1 - self.reserve):
            return Standing.PLENTY
        return Standing.RESERVE if used + CALLS_A_STEP <= self.a_day else Standing.GONE


@dataclass(frozen=True, slots=True)
class Used:
    """What was used so far. `next_call_at`: when the call after all that were given out may be made."""

    day: date
    calls: int = 0
    in_background: int = 0
    next_call_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody may begin before `until`. `is_long`: not a matter of the pace, which goes on in a moment."""

    until: datetime
    why: str
    is_long: bool = False


def on_day(limits: CallLimits, used: Used, at: datetime) -> Used:
    """Return what was used on the day of an instant; a clock that is set back begins no new day."""
    day = limits.day_of(at)
    return used if used.day >= day else Used(day, next_call_at=used.next_call_at)


def may_begin(limits: CallLimits, used: Used, lane: WorkLane | None, at: datetime) -> Wait | None:
    """Say whether work of a lane may begin now, None if so. No lane: reading in the background."""
    used = on_day(limits, used, at)
    most = limits.most(lane)
    if most is not None and used.calls + CALLS_A_STEP > most:
        return Wait(limits.day_ends(at), _why(limits, used), is_long=True)
    share = limits.most_in_background
    if lane is None and share is not None and used.in_background + CALLS_A_STEP > share:
        why = f"{used.in_background} of the day's {limits.a_day} calls went into reading; the rest is kept"
        return Wait(limits.day_ends(at), why, is_long=True)
    if limits.a_second is None or (lane is not None and lane <= WorkLane.REVOKE):
        return None
    free_at = _begin(limits, used, at) + limits.between * (limits.burst // 2)
    return Wait(free_at, "calls are paced") if free_at > at else None


def take(
    limits: CallLimits, used: Used, lane: WorkLane | None, at: datetime
) -> tuple[Used, Sequence[datetime]] | Wait:
    """Take a block of calls: when each may be made, the first of them perhaps not yet.

    Work that was begun is finished: the quota alone stops it, and a kill or a stop not even that.
    """
    used = on_day(limits, used, at)
    room = BLOCK
    if limits.a_day is not None:
        left = limits.a_day - used.calls
        if left <= 0 and lane not in {WorkLane.KILL, WorkLane.STOP}:
            return Wait(limits.day_ends(at), _why(limits, used), is_long=True)
        room = max(1, min(BLOCK, left // _HOARD))
    times = _times(limits, used, at, room)
    in_background = used.in_background + (len(times) if lane is None else 0)
    used = replace(used, calls=used.calls + len(times), in_background=in_background)
    if limits.a_second is not None:
        used = replace(used, next_call_at=times[-1] + limits.between)
    return used, times


def _begin(limits: CallLimits, used: Used, at: datetime) -> datetime:
    """Return the time of the next call; a pause fills up no more than a burst."""
    full = at - limits.between * (limits.burst - 1)
    return full if used.next_call_at is None else max(used.next_call_at, full)


def _times(limits: CallLimits, used: Used, at: datetime, most: int) -> list[datetime]:
    if limits.a_second is None:
        return [at] * most
    begin = _begin(limits, used, at)
    now = int((at - begin) / limits.between) + 1 if begin <= at else 0
    # A quarter of a second ahead: others get their turn, and the database is not asked for every call.
    count = max(1, min(most, max(now, int(limits.a_second / 4))))
    return [begin + limits.between * number for number in range(count)]


def _why(limits: CallLimits, used: Used) -> str:
    if limits.standing(used.calls) is Standing.GONE:
        return f"the day's {limits.a_day} calls are used up: only kills and stops are still tried"
    kept = round(limits.reserve * 100)
    return f"{used.calls} of the day's {limits.a_day} calls are used: the last {kept} % are kept for what takes access away"
