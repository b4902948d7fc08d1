"""Programs that only take away: what may be written while nothing may widen, and before a key is blocked."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from .grid import end_on_grid
from .port import KeyCapabilities, KeyReading
from .program import EMPTY_PROGRAM, Program

__all__ = ["closed", "narrowest"]


def narrowest(wanted: Program, reading: KeyReading) -> Program:
    """Return what may be written while nothing may widen: no more than plan and device hold already.

    A restored database may want back what was taken away after its backup. Where the vendor's plan is narrower than
    the wish it stays; where the two cannot be compared, nothing is left of either.
    """
    planned, held = reading.planned or EMPTY_PROGRAM, reading.on_device or EMPTY_PROGRAM
    if wanted.within(planned) and wanted.within(held):
        return wanted
    return planned if planned.within(wanted) and planned.within(held) else EMPTY_PROGRAM


def closed(planned: Program, capabilities: KeyCapabilities, *, at: datetime) -> Program | None:
    """Return the same rights with a window that is over; None when it is over already.

    For a vendor that takes only keys with rights on its block list: emptied, the key could not be blocked any more.
    """
    end = end_on_grid(at, grid=capabilities.grid, zone=ZoneInfo(capabilities.time_zone))
    if planned.last_end is not None and planned.last_end <= end:
        return None
    return replace(planned, starts_at=None, ends_at=end, renews_until=None)
