"""Instants on our side, local time without offset on the vendor's: converted here and nowhere else.

Written: only local times with one meaning (`keys.grid` rounds to them), so nothing is left to the lock's taste.
Read: somebody else may have stored a time inside the repeated or the missing hour. Then an end counts as the later
and a start as the earlier of its two readings: what a key *might* do is what exposure has to know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from key2xs.keys.grid import has_one_meaning

__all__ = ["end_from_local", "instant_from_utc_text", "start_from_local", "to_local", "utc_text"]

_LOCAL_FORMAT = "%Y-%m-%dT%H:%M:%S"  # iLOQ Public API v2: no offset, no fraction


def to_local(at: datetime, zone: ZoneInfo) -> str:
    """Return the local text of an instant.

    Raises:
        ValueError: the local time would have two meanings, or seconds would be lost.
    """
    wall = at.astimezone(zone).replace(tzinfo=None, fold=0)
    if not has_one_meaning(wall, zone):
        raise ValueError(f"{wall.isoformat()} has two meanings in {zone.key}")
    if wall.microsecond:
        raise ValueError("fractions of a second cannot be stored")
    return wall.strftime(_LOCAL_FORMAT)


def end_from_local(text: str, zone: ZoneInfo) -> datetime:
    """Return the latest instant that a stored end can mean. ValueError for text that is no local time."""
    return max(_both(text, zone))


def start_from_local(text: str, zone: ZoneInfo) -> datetime:
    """Return the earliest instant that a stored start can mean. ValueError for text that is no local time."""
    return min(_both(text, zone))


def instant_from_utc_text(text: str) -> datetime:
    """Read a `...Utc` value; the vendor leaves the offset out or writes Z."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def utc_text(at: datetime) -> str:
    """Write a `...Utc` value."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _both(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    wall = datetime.fromisoformat(text)
    if wall.tzinfo is not None:
        # Documented without offset; should the vendor ever send one, it says exactly what it means.
        return wall.astimezone(UTC), wall.astimezone(UTC)
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second
