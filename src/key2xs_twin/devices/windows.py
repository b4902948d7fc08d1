"""Local wall-clock limits as sets of true instants.

A device compares local times without offset. In autumn an hour happens twice, so *before 02:30* is true,
then false, then true again; in spring a limit may fall into the hour that is missing. These functions give
the exact sets, as sorted half-open intervals.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

PAST = datetime.min.replace(tzinfo=UTC)
FUTURE = datetime.max.replace(tzinfo=UTC)

Interval = tuple[datetime, datetime]  # from, inclusive; to, exclusive


def before_local(limit: datetime, zone: ZoneInfo) -> list[Interval]:
    """All instants whose local time lies before ``limit`` (naive)."""
    first, second = _both_instants(limit, zone)
    if first == second:
        return [(PAST, first)]
    if first < second:  # the hour happens twice: the clock goes back between the two
        change = _change_between(first, second, zone)
        return [(begin, end) for begin, end in ((PAST, first), (change, second)) if begin < end]
    return [(PAST, _change_between(second, first, zone))]


def from_local(limit: datetime, zone: ZoneInfo) -> list[Interval]:
    """All instants whose local time is ``limit`` (naive) or later."""
    return complement(before_local(limit, zone))


def complement(intervals: list[Interval]) -> list[Interval]:
    """Everything that is not in ``intervals``."""
    result: list[Interval] = []
    start = PAST
    for begin, end in intervals:
        if start < begin:
            result.append((start, begin))
        start = end
    if start < FUTURE:
        result.append((start, FUTURE))
    return result


def intersect(one: list[Interval], other: list[Interval]) -> list[Interval]:
    """What is in both; the lists are short, so every pair is looked at."""
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return sorted(pair for pair in pairs if pair[0] < pair[1])


def _both_instants(limit: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    local = limit.replace(tzinfo=zone)
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _change_between(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The instant of the clock change in ``[low, high]``, found by halving down to a microsecond."""
    before = low.astimezone(zone).utcoffset()
    step = timedelta(microseconds=1)
    while high - low > step:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
