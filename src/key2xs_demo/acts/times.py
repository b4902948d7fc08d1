"""When things happen, as the clock at the site shows it."""

from datetime import datetime, timedelta

from key2xs_demo.cast import BEGINS

MINUTE = timedelta(minutes=1)


def at(hour: int, minute: int = 0) -> datetime:
    """Return an instant of the night: hours from 18 on are the evening's, those before the next morning's."""
    begun = BEGINS.replace(hour=0)
    day = timedelta(0) if hour >= BEGINS.hour else timedelta(days=1)
    # Wall-clock arithmetic is right here: no change of clocks lies in this night (see cast.EVENING).
    return begun + day + timedelta(hours=hour, minutes=minute)
