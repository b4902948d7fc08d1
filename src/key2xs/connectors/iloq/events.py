"""Rows of the vendor's lock log as lock events; pure.

A row carries three times: at the lock, read from the lock, arrived at the server. The cursor follows the arrival,
because rows of offline locks come days late and out of order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntFlag
from typing import Any, Final

from key2xs.core.errors import Retry
from key2xs.keys.port import EventPage, LockEvent, LockEventOutcome, TimeQuality

from .localtime import instant_from_utc_text, utc_text
from .payloads import DetailKey, LogRow

__all__ = ["LogType", "details_query", "event_page", "lock_event"]


MOST_DETAILED: Final = 500  # rows; a page of a backfill is longer and goes without
MOST_DETAILED_KEYS: Final = 100
_LONGEST_TAG: Final = 200
_PERSON_NOT_CERTAIN: Final = 1  # iLOQ Public API v2, FNKey log OptionMask
_NO_DETAIL: Final = DetailKey()


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
    rows: Iterable[LogRow],
    *,
    reached: datetime,
    now: datetime,
    retry_after: timedelta,
    details: Mapping[str, DetailKey] | None = None,
) -> EventPage:
    """Build a page in order of arrival; a row that comes twice in one answer is kept once.

    `details`: what the rows by device say of the key, by the row's id in lower case.

    Raises:
        Retry: a row cannot be read. Nothing is skipped: a lost row could be the opening that matters.
    """
    try:
        told = details or {}
        events = {row.log_id.lower(): lock_event(row, told.get(row.log_id.lower())) for row in rows}
    except (TypeError, ValueError) as err:
        raise Retry(retry_after, "the lock log holds a row that cannot be read") from err
    ordered = sorted(events.values(), key=lambda event: (event.arrived_at, event.vendor_event_id))
    return EventPage(tuple(ordered), cursor=reached.isoformat(), more=reached < now)


def details_query(rows: Sequence[LogRow]) -> dict[str, Any] | None:
    """Return what to ask for the details of these rows; None where that would not be one cheap request.

    The vendor answers at most 2,000 rows of a request by device.
    """
    keys = sorted({row.key_id.lower() for row in rows if row.key_id})
    times = [row.going_date for row in rows if row.key_id and row.going_date]
    if not keys or not times or len(rows) > MOST_DETAILED or len(keys) > MOST_DETAILED_KEYS:
        return None
    try:
        first, last = (pick(map(instant_from_utc_text, times)) for pick in (min, max))
    except (TypeError, ValueError):
        return None
    return {
        "FNKeyIds": keys,
        "GoingStartDateUtc": utc_text(first),
        "GoingEndDateUtc": utc_text(last + timedelta(seconds=1)),
    }


def lock_event(row: LogRow, detail: DetailKey | None = None) -> LockEvent:
    """Translate one row. ValueError for a time that cannot be read."""
    detail = detail or _NO_DETAIL
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
        person_certain=quality is TimeQuality.CLOCK
        and row.key_id is not None
        and not (detail.option_mask or 0) & _PERSON_NOT_CERTAIN,
        raw_type=row.type_mask,
        # By time a row tells the lock's counter only; the key's is in the rows by device (iLOQ Public API v2).
        counter_lock=row.going_counter,
        counter_key=detail.going_counter,
        tag=(detail.custom_values or "").strip()[:_LONGEST_TAG] or None,
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
