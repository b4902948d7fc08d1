"""A weekly schedule on a key's clock as a set of true instants."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from key2xs_twin.devices import windows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from key2xs_twin.cliq.plan import WeeklyRow
    from key2xs_twin.devices.windows import Interval
    from key2xs_twin.time import DeviceClock

DAY = timedelta(days=1)


def open_times(
    schedule: Iterable[WeeklyRow], frm: datetime, to: datetime, zone: ZoneInfo, clock: DeviceClock | None
) -> list[Interval]:
    """When the schedule allows, between two true instants; ``clock`` ``None`` judges on true time."""
    rows = tuple(schedule)
    # A day on both sides: the clock may be off, and local midnight is not midnight UTC.
    first = (frm - DAY).astimezone(zone).date()
    last = (to + DAY).astimezone(zone).date()
    found: list[Interval] = []
    day = first
    while day <= last:
        midnight = datetime.combine(day, datetime.min.time())
        for row in rows:
            if row.day == day.weekday():
                begin, end = (midnight + timedelta(minutes=minutes) for minutes in (row.start, row.end))
                on_clock = windows.intersect(windows.from_local(begin, zone), windows.before_local(end, zone))
                found += [true_interval(each, clock) for each in on_clock]
        day += DAY
    return windows.intersect(_merged(found), [(frm, to)])


def true_interval(interval: Interval, clock: DeviceClock | None) -> Interval:
    """An interval on a device's clock as true instants; the ends of time stay where they are."""
    return _true(interval[0], clock), _true(interval[1], clock)


def _true(reading: datetime, clock: DeviceClock | None) -> datetime:
    if clock is None or reading in {windows.PAST, windows.FUTURE}:
        return reading
    return clock.instant_of(reading)


def _merged(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
