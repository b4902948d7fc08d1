"""Days at the site: what a bare date means as an instant.

A contract that ends on 30 November lets its holder finish the 30th: it ends with the first instant of
1 December in the site's own time zone, which is neither midnight UTC nor always 24 hours after the last one.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from key2xs.core.errors import InvalidInput

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}")
OPEN_END_YEAR: Final = 9999  # personnel systems write 9999-12-31 for "no end"


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC.

    Where the clocks skip midnight the day begins with the skip; where midnight comes twice it begins with the
    first one.
    """
    # `fold=0` gives exactly that in both cases: before a gap the old offset, in an overlap the earlier instant.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a local day is over, in UTC."""
    return start_of_day(day + timedelta(days=1), zone)


def parse_start(text: str, zone: ZoneInfo, *, field: str) -> datetime | None:
    """Read when something begins: a date (the start of that day) or an instant with an offset.

    Raises:
        InvalidInput: neither; names the field.
    """
    day = _parse_date(text)
    if day is not None:
        return start_of_day(day, zone)
    return _parse_instant(text, field=field)


def parse_end(text: str, zone: ZoneInfo, *, field: str) -> datetime | None:
    """Read when something ends: a date (the end of that day) or an instant with an offset; year 9999 is no end.

    Raises:
        InvalidInput: neither; names the field.
    """
    day = _parse_date(text)
    if day is not None:
        return None if day.year >= OPEN_END_YEAR else end_of_day(day, zone)
    instant = _parse_instant(text, field=field)
    return None if instant.year >= OPEN_END_YEAR else instant


def _parse_date(text: str) -> date | None:
    try:
        # Not `fromisoformat` alone: it also takes week dates and dates without hyphens.
        return date.fromisoformat(text.strip()) if _DATE.fullmatch(text.strip()) else None
    except ValueError:
        return None


def _parse_instant(text: str, *, field: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text.strip()) if _INSTANT.match(text.strip()) else None
    except ValueError:
        instant = None
    if instant is None:
        raise InvalidInput(field, "is neither a date (2026-11-30) nor an instant (2026-11-30T18:00:00+01:00)")
    if instant.tzinfo is None:
        raise InvalidInput(field, "has no offset; write 2026-11-30T18:00:00+01:00 or a bare date")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput(field, "is out of range") from error
