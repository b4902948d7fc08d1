"""The twin of the exposure bound: until when a key that should work will surely still work.

People need it during an outage: a phone whose offline time is short ends revocations soon, and its holder's work
as well. Limits that a lock may ignore are counted here, because it may just as well honour them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from .assumptions import AssumptionId
from .exposure_types import DEFAULT_SETTINGS, KINDS_WITH_COUNTDOWN, ExposureSettings, KeyOnRecord, WorksUntil
from .program import ProgramOnDevice, ProgramState

__all__ = ["works_until"]


def works_until(
    key: KeyOnRecord,
    opening: Sequence[bool],
    *,
    settings: ExposureSettings = DEFAULT_SETTINGS,
) -> WorksUntil:
    """Return the earliest instant at which the key could stop if nothing further reaches it.

    Every limit counts here, at every lock: a lock that may not honour an end date may just as well honour it.
    Clocks may be fast, so the margin is taken off.
    """
    stops = [
        _earliest_stop(record, key, opens=opens, settings=settings)
        for record, opens in zip(key.programs, opening, strict=True)
    ]
    if key.blocked_at is not None:
        stops.append(WorksUntil(key.blocked_at, "on the block list", (AssumptionId.BLOCK_LIST_REFUSES,)))
    if not stops:
        return WorksUntil(key.as_of, "no program is known to be in the key")
    if key.programs and key.programs[0].state is not ProgramState.PROVEN:
        return WorksUntil(key.as_of, "the key has not acknowledged any program yet")
    dated = [(stop.at, stop) for stop in stops if stop.at is not None]
    return min(dated, key=lambda pair: pair[0])[1] if dated else stops[0]


def _earliest_stop(
    record: ProgramOnDevice, key: KeyOnRecord, *, opens: bool, settings: ExposureSettings
) -> WorksUntil:
    program = record.program
    if not opens:
        since = record.proven_at or record.ordered_at or record.written_at
        return WorksUntil(since, "a program without this lock may be in the key")
    if program.starts_at is not None and program.starts_at > key.as_of:
        return WorksUntil(key.as_of, "the start lies ahead")
    if program.schedule is not None:
        return WorksUntil(key.as_of, "a weekly schedule in the key may refuse at any hour")
    stops: list[tuple[datetime, WorksUntil]] = []
    if program.ends_at is not None:
        at = program.ends_at - settings.margin(settings.unknown_clock_age)
        stops.append((at, WorksUntil(at, "end date in the key", (AssumptionId.CLOCK_MARGIN,))))
    interval = program.offline_expires_after
    if key.kind in KINDS_WITH_COUNTDOWN and isinstance(interval, timedelta):
        stops.append(_countdown_stop(record, interval, key, settings))
    if not stops:
        return WorksUntil(None, "no end date and no offline time")
    return min(stops, key=lambda pair: pair[0])[1]


def _countdown_stop(
    record: ProgramOnDevice, interval: timedelta, key: KeyOnRecord, settings: ExposureSettings
) -> tuple[datetime, WorksUntil]:
    # A program arrives by a contact, so its last contact was not before its order.
    contacts = [
        moment
        for moment in (record.ordered_at, key.last_contact_at, key.last_update_at)
        if moment is not None
    ]
    if not contacts:
        return key.as_of, WorksUntil(key.as_of, "no contact of the key is known")
    at = max(contacts) + interval - settings.margin(interval)
    assumed = (AssumptionId.COUNTDOWN_START, AssumptionId.CLOCK_MARGIN)
    return at, WorksUntil(at, "offline time without further contact", assumed)
