"""Instants on screen: the site's own time, how long ago, how long still.

Pure. `now` is domain time and an argument; the console never asks a clock while it writes a page.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

NOTHING: Final = "\N{EN DASH}"
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
# Under this a reader cares about seconds (a poll, a countdown); above it they only flicker.
_SECONDS_BELOW: Final = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class SiteTime:
    """Writes instants in the site's time zone, seen from `now`."""

    zone: ZoneInfo
    now: datetime

    def clock(self, at: datetime | None) -> str:
        """Write hours and minutes, with the day in front where it is not today's."""
        if at is None:
            return NOTHING
        local, today = at.astimezone(self.zone), self.now.astimezone(self.zone)
        text = f"{local:%H:%M}"
        days = (local.date() - today.date()).days
        if days == 0:
            return text
        names = {1: "tomorrow", -1: "yesterday"}
        return f"{names.get(days) or f'{local:%a} {local.day} {local:%b}'} {text}"

    def full(self, at: datetime | None) -> str:
        """Write day, date and seconds, for a tooltip and for print."""
        if at is None:
            return NOTHING
        local = at.astimezone(self.zone)
        return f"{local:%A} {local.day} {local:%B %Y}, {local:%H:%M:%S %Z}"

    def day(self) -> str:
        """Write today."""
        local = self.now.astimezone(self.zone)
        return f"{local:%a} {local.day} {local:%b %Y}"

    def ago(self, at: datetime | None) -> str:
        """Write how long ago an instant was, or how long until it comes."""
        if at is None:
            return "never"
        gone = self.now - at
        if abs(gone) < timedelta(seconds=1):
            return "just now"
        return f"{length(gone)} ago" if gone > timedelta(0) else f"in {length(-gone)}"

    def machine(self, at: datetime) -> str:
        """Write the instant for a `datetime` attribute."""
        return at.isoformat()


def length(of: timedelta) -> str:
    """Write a length of time in its one or two largest units."""
    if of < _SECONDS_BELOW:
        return f"{int(of.total_seconds())} s"
    if of < _HOUR:
        return f"{int(of / _MINUTE)} min"
    if of < _DAY:
        hours, rest = divmod(of, _HOUR)
        minutes = int(rest / _MINUTE)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, rest = divmod(of, _DAY)
    hours = int(rest / _HOUR)
    plural = "s" if days > 1 else ""
    return f"{days} day{plural} {hours} h" if hours and days < 3 else f"{days} day{plural}"


def share_left(start: datetime, end: datetime, now: datetime) -> int:
    """Return how much of a stretch lies ahead, in whole percent, for a bar."""
    whole = (end - start) / _MINUTE
    if whole <= 0:
        return 0
    return max(0, min(100, round(100 * ((end - now) / _MINUTE) / whole)))


def read_local(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the instant of a form's date and time at the site; None where it is none.

    An hour that comes twice is taken as its first: what is asked for ends earlier. One that is skipped is none.
    """
    try:
        given = datetime.fromisoformat(text)
        if given.tzinfo is not None:
            return None
        at = given.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.astimezone(zone).replace(tzinfo=None) == given else None
