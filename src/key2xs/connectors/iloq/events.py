"""Rows of the vendor's lock log as lock events; pure.

A row carries three times: at the lock, read from the lock, arrived at the server. The cursor follows the arrival,
because rows of offline locks come days late and out of order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import IntFlag

from key2xs.core.errors import Retry
from key2xs.keys.port import EventPage, LockEvent, LockEventOutcome, TimeQuality

from .localtime import instant_from_utc_text
from .payloads import LogRow

__all__ = ["LogType", "event_page", "lock_event"]


class LogType(IntFlag):
    """Bits of AccessTypeMask (iLOQ Public API v2, log TypeMask)."""

    FAILED = 1
    LOCK_PROGRAMMED = 2
    OPENED = 4
    UNKNOWN_KEY = 4096
    PASSAGE_WITHOUT_LOG = 16384
    TIME_IS_LAST_KNOWN = 65536
    NO_TIME = 131072


def event_page(
    rows: Iterable[LogRow], *, reached: datetime, now: datetime, retry_after: timedelta
) -> EventPage:
    """Build a page in order of arrival; a row that comes twice in one answer is kept once.

    Raises:
        Retry: a row cannot be read. Nothing is skipped: a lost row could be the opening that matters.
    """
    try:
        events = {row.log_id.lower(): lock_event(row) for row in rows}
    except (TypeError, ValueError) as err:
        raise Retry(retry_after, "the lock log holds a row that cannot be read") from err
    ordered = sorted(events.values(), key=lambda event: (event.arrived_at, event.vendor_event_id))
    return EventPage(tuple(ordered), cursor=reached.isoformat(), more=reached < now)


def lock_event(row: LogRow) -> LockEvent:
    """Translate one row. ValueError for a time that cannot be read."""
    mask = LogType(row.type_mask & int(~LogType(0)))
    quality = _time_quality(mask, row)
    going = instant_from_utc_text(row.going_date) if row.going_date else None
    return LockEvent(
        vendor_event_id=row.log_id.lower(),
        occurred_at=None if quality is TimeQuality.NONE else going,
        time_quality=quality,
        read_at=instant_from_utc_text(row.reading_date) if row.reading_date else None,
        arrived_at=instant_from_utc_text(row.arrived_at),
        vendor_lock=(row.lock_id or "").lower(),
        vendor_key=row.key_id.lower() if row.key_id else None,
        outcome=_outcome(mask),
        # Without a trusted time the vendor names whoever held the key when the row was read (iLOQ manual, settings).
        person_certain=quality is TimeQuality.CLOCK and row.key_id is not None,
        raw_type=row.type_mask,
        # By time a row tells the lock's counter only; the key's is in the rows by device (iLOQ Public API v2).
        counter_lock=row.going_counter,
    )


def _outcome(mask: LogType) -> LockEventOutcome:
    # An opening is never hidden behind another bit.
    if mask & (LogType.OPENED | LogType.PASSAGE_WITHOUT_LOG):
        return LockEventOutcome.OPENED
    if LogType.FAILED in mask:
        return LockEventOutcome.REFUSED
    return LockEventOutcome.OTHER


def _time_quality(mask: LogType, row: LogRow) -> TimeQuality:
    if LogType.NO_TIME in mask or row.going_date is None:
        return TimeQuality.NONE
    if LogType.TIME_IS_LAST_KNOWN in mask:
        return TimeQuality.LAST_KNOWN
    return TimeQuality.CLOCK
