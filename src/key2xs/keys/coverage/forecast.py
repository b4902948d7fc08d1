"""When a memory is expected to lose rows that nobody read. Pure; time is an argument.

It goes by the rate at which rows were written while everything was read. With too little of that, it is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from .rules import Coverage

LOOK_BACK: Final = timedelta(days=90)
FEWEST_ROWS: Final = 20  # fewer say nothing about the next weeks
SHORTEST_SPAN: Final = timedelta(days=7)  # a rate without a weekend is none
_DAY: Final = timedelta(days=1)
_FARTHEST: Final = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Ring:
    """How many rows memories of a key system keep before the oldest is lost; None: they have no such memory.

    `own`: of keys of this system in a lock; `foreign`: of other keys in a lock; `key`: in a key.
    """

    own: int
    foreign: int | None = None
    key: int | None = None


# CLIQ Remote FAQ, UK: 1,000 and 100. A CLIQ key's memory and an iLOQ lock's are not published: a smaller number than they
# hold only warns earlier.
RINGS: Final[Mapping[str, Ring]] = MappingProxyType({"cliq": Ring(1000, 100, 100), "iloq": Ring(500)})


@dataclass(frozen=True, slots=True)
class Use:
    """Rows that were written from `since` to the last complete reading, and those known to be newer than it."""

    since: datetime
    rows: int
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a memory is expected to run over, at how many rows a day; None where that is not known."""

    expected_at: datetime | None = None
    rows_a_day: float | None = None


NOT_KNOWN: Final = Forecast()


def observed(coverage: Coverage) -> tuple[datetime, datetime] | None:
    """Return the time over which rows are counted: the newest that was read without a gap, at most 90 days of it."""
    if coverage.read_up_to is None or coverage.whole_since is None:
        return None
    return max(coverage.whole_since, coverage.read_up_to - LOOK_BACK), coverage.read_up_to


def forecast(coverage: Coverage, use: Use, holds: int, now: datetime) -> Forecast:
    """Say when a memory that holds so many rows has written that many since it was read last.

    Rows that are known by another way (an opening is also in the key) count as written: whichever comes first.
    """
    reached = coverage.read_up_to
    if reached is None:
        return NOT_KNOWN
    span = reached - use.since
    if use.rows < FEWEST_ROWS or span < SHORTEST_SPAN:
        return Forecast(now) if use.unread >= holds else NOT_KNOWN
    a_day = use.rows / (span / _DAY)
    by_rate = reached + min(holds / a_day * _DAY, _FARTHEST)
    by_count = now + min(max(holds - use.unread, 0) / a_day * _DAY, _FARTHEST)
    return Forecast(min(by_rate, by_count), a_day)
