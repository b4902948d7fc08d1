"""Put starts and ends on the steps that a vendor can store, without ever widening the window.

A vendor that stores local wall-clock time has two traps a year. In autumn an hour is repeated: 02:30 names two
instants and nobody knows which one the lock will take. In spring an hour is missing. Both are avoided here: a
rounded instant is never inside a repeated or a missing hour, so its local text has exactly one meaning.

Invariants: a rounded end is never later and a rounded start never earlier than what was asked; rounding twice
changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["end_on_grid", "has_one_meaning", "is_on_grid", "start_on_grid"]

_DAY: Final = timedelta(days=1)
_LONGEST_SEARCH: Final = timedelta(hours=26)  # longer than any repeated or missing stretch of local time


def end_on_grid(at: datetime, *, grid: timedelta, zone: ZoneInfo) -> datetime:
    """Return the last instant not after `at` that lies on `grid` and has one meaning in local time."""
    wall = _wall_steps(at, grid=grid, zone=zone)
    earliest = wall - _LONGEST_SEARCH
    while wall > earliest:
        if has_one_meaning(wall, zone) and (instant := _instant(wall, zone)) <= at:
            return instant
        wall -= grid
    raise ValueError(f"no step of {grid} before {at.isoformat()}")


def start_on_grid(at: datetime, *, grid: timedelta, zone: ZoneInfo) -> datetime:
    """Return the first instant not before `at` that lies on `grid` and has one meaning in local time."""
    wall = _wall_steps(at, grid=grid, zone=zone)
    latest = wall + _LONGEST_SEARCH
    while wall < latest:
        if has_one_meaning(wall, zone) and (instant := _instant(wall, zone)) >= at:
            return instant
        wall += grid
    raise ValueError(f"no step of {grid} after {at.isoformat()}")


def is_on_grid(at: datetime, *, grid: timedelta, zone: ZoneInfo) -> bool:
    """Say whether `at` can be stored exactly: a step of `grid` since local midnight, with one meaning."""
    return end_on_grid(at, grid=grid, zone=zone) == at


def has_one_meaning(wall: datetime, zone: ZoneInfo) -> bool:
    """Say whether a naive local time names exactly one instant: neither repeated nor skipped."""
    first = wall.replace(tzinfo=zone, fold=0).utcoffset()
    second = wall.replace(tzinfo=zone, fold=1).utcoffset()
    return first == second


def _wall_steps(at: datetime, *, grid: timedelta, zone: ZoneInfo) -> datetime:
    """Return the naive local time of `at`, rounded down to a step since midnight."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    if grid <= timedelta(0) or _DAY % grid:
        raise ValueError("the grid must divide a day")
    local = at.astimezone(zone).replace(tzinfo=None, fold=0)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (local - midnight) // grid * grid


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)
