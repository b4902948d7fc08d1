"""Until when a key could still open a cylinder, taken over every program that may be in it.

The answer for one key and one cylinder is an `Exposure`:

- *proven end*: nothing that may be in the key opens this cylinder (or its lock holds the block list);
- *bound*: every program that may be in the key stops by itself, at the latest at `at`;
- *no bound*: at least one of them does not, and the terms say which and why;
- *still allowed*: another grant covers the pair, so there is nothing to end.

Its twin, `works_until`, is the earliest instant at which a key that should work could stop if nothing further
reaches it.

Pure and fast: no clock, no database, no I/O. `exposure_map` evaluates thousands of keys by grouping.

Invariants, each a property test:
- one more possible program never makes a bound earlier;
- a bound is never before the end of any single program that may be in the key;
- a proven narrowing gives a proven end;
- ordering a block list changes nothing here; a block list that reached the lock ends exposure at that lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from key2xs.core.tri import YES

from .assumptions import AssumptionId, Mark
from .exposure_types import (
    DEFAULT_SETTINGS,
    KINDS_WITH_CLOCK,
    KINDS_WITH_COUNTDOWN,
    Exposure,
    ExposureKind,
    ExposureSettings,
    KeyOnRecord,
    LockClass,
    Term,
    WorksUntil,
    lock_class,
    possible_programs,
)
from .port import KeyKind, ProgrammingState
from .program import EMPTY_PROGRAM, OfflineUpdates, ProgramOnDevice, ProgramState
from .works_until import works_until

__all__ = [
    "DEFAULT_SETTINGS",
    "Exposure",
    "ExposureKind",
    "ExposureSettings",
    "KeyOnRecord",
    "LatestOpenings",
    "LockClass",
    "Term",
    "WorksUntil",
    "expose",
    "lock_class",
    "possible_programs",
    "works_until",
]

_DAY: Final = timedelta(days=1)
_SCHEDULE: Final = Term(
    "weekly schedule", "not counted: it only narrows", "program that may be in the key", Mark.DOC
)


def expose(
    key: KeyOnRecord,
    opening: Sequence[bool],
    lock: LockClass,
    *,
    settings: ExposureSettings = DEFAULT_SETTINGS,
    block_list_at: datetime | None = None,
    ended_at: datetime | None = None,
    allowed_by: str | None = None,
    latest: LatestOpenings | None = None,
) -> Exposure:
    """Answer for one key at locks of one class.

    Args:
        key: what is known about the key; `key.programs` must already be cut by `possible_programs`.
        opening: for each of `key.programs`, whether it opens these locks, limits aside.
        lock: the class of the locks.
        settings: margins and what the facts leave open.
        block_list_at: since when these locks are known to hold a block list with the key.
        ended_at: since when these locks are known to let the key in no longer.
        allowed_by: the grant that still allows the pair, if any.
        latest: what was computed for this key before, to save work in a series.
    """
    if block_list_at is not None:
        term = Term("block list reached this lock", block_list_at, "reading of the lock", Mark.DOC)
        return Exposure(ExposureKind.PROVEN_END, block_list_at, (term,), (AssumptionId.BLOCK_LIST_REFUSES,))
    if ended_at is not None:
        term = Term("the lock lists the key no longer", ended_at, "programming key that came back", Mark.DOC)
        return Exposure(ExposureKind.PROVEN_END, ended_at, (term,), _ALWAYS)
    latest = latest or LatestOpenings(key, settings)
    if key.kind is KeyKind.NORMAL:
        opening = _listed_and_limited_apart(key, opening)
    ends = [latest.of(index, lock) for index, opens in enumerate(opening) if opens]
    scheduled = latest.has_schedules and any(
        opens and record.program.schedule is not None
        for opens, record in zip(opening, key.programs, strict=True)
    )
    ends += _unknown_predecessor(key)
    found = _worst(ends) if ends else _never_opened(key)
    if scheduled:
        found = replace(found, terms=(*found.terms, _SCHEDULE))
    if allowed_by is None:
        return found
    term = Term("still allowed by", allowed_by, "grants", Mark.OWN)
    return Exposure(ExposureKind.STILL_ALLOWED, found.at, (term, *found.terms), found.assumptions)


def _listed_and_limited_apart(key: KeyOnRecord, opening: Sequence[bool]) -> Sequence[bool]:
    """Combine what locks list and what is in the key: they travel apart.

    A lock that any possible program lists may let the key in with the limits of any other. Only the empty program has none
    to let it in with: the key is never valid.
    """
    if not any(opening):
        return opening
    return [record.program != EMPTY_PROGRAM for record in key.programs]


@dataclass(frozen=True, slots=True)
class _Latest:
    """The latest opening that one program allows; at None = it never stops by itself."""

    at: datetime | None
    terms: tuple[Term, ...]
    assumptions: tuple[AssumptionId, ...]


_ALWAYS: Final = (
    AssumptionId.ACK_IS_TRUTH,
    AssumptionId.NO_UNSEEN_PROGRAMMING,
    AssumptionId.LOCK_CONTENT,
)


class LatestOpenings:
    """The latest opening that each possible program of one key allows, computed once per class of lock.

    Of the limits that surely hold the earliest counts; limits that may not hold are named and not counted.
    """

    def __init__(self, key: KeyOnRecord, settings: ExposureSettings) -> None:
        """Work out what does not depend on the lock."""
        self._key, self._settings = key, settings
        self._countdowns = [_by_countdown(record, key, settings) for record in key.programs]
        self.has_schedules = any(record.program.schedule is not None for record in key.programs)
        self._known: dict[tuple[int, LockClass], _Latest] = {}

    def of(self, index: int, lock: LockClass) -> _Latest:
        """Return the latest opening of program `index` at locks of class `lock`."""
        found = self._known.get((index, lock))
        if found is None:
            found = self._known[index, lock] = self._earliest_limit(index, lock)
        return found

    def _earliest_limit(self, index: int, lock: LockClass) -> _Latest:
        record = self._key.programs[index]
        limits = (
            _by_end_date(record, self._key, lock, self._settings),
            self._countdowns[index],
            _by_online_lock(record, self._key, lock, self._settings),
        )
        holding = [(limit.at, limit) for limit in limits if limit.at is not None]
        if holding:
            return min(holding, key=lambda pair: pair[0])[1]
        return _Latest(None, tuple(term for limit in limits for term in limit.terms), ())


def _by_end_date(
    record: ProgramOnDevice, key: KeyOnRecord, lock: LockClass, settings: ExposureSettings
) -> _Latest:
    end = record.program.last_end
    if end is None:
        return _absent("end date in the key", "none, or renewed for ever", "last reading")
    if key.kind in KINDS_WITH_CLOCK:
        return _by_end_date_of_key(end, key, settings)
    if lock.honours_limits != YES:
        return _absent(
            "end date in the key", "not counted: the lock is not known to honour time limits", "lock"
        )
    if lock.has_clock == YES:
        age = _clock_age(lock, end, settings)
        assumed: tuple[AssumptionId, ...] = ()
    elif key.kind is KeyKind.PHONE and settings.phone_supplies_time:
        age = end - record.written_at
        assumed = (AssumptionId.PHONE_SUPPLIES_TIME,)
    else:
        return _absent("end date in the key", "not counted: no time source is known at the lock", "lock")
    if record.program.renews_until is not None:
        assumed = (*assumed, AssumptionId.SCHEDULER_STOPS)
    margin = settings.margin(age)
    terms = (
        Term("end date in the key", end, "program that may be in the key", Mark.DOC),
        Term("clock margin", margin, "setting", Mark.INF),
    )
    common = (AssumptionId.END_DATE_AT_LOCK, AssumptionId.LOCAL_TIME_RULES, AssumptionId.CLOCK_MARGIN)
    return _Latest(end + margin, terms, (*common, *assumed))


def _by_end_date_of_key(end: datetime, key: KeyOnRecord, settings: ExposureSettings) -> _Latest:
    """Count the end in a key that has a clock of its own; it was set at the last update, or later."""
    age = end - key.last_update_at if key.last_update_at is not None else settings.unknown_clock_age
    margin = settings.margin(age)
    terms = (
        Term("end of validity in the key", end, "program that may be in the key", Mark.DOC),
        Term("clock margin", margin, "setting, since the key's clock was last set", Mark.INF),
    )
    return _Latest(end + margin, terms, (AssumptionId.KEY_JUDGES_TIME, AssumptionId.CLOCK_MARGIN))


def _by_countdown(record: ProgramOnDevice, key: KeyOnRecord, settings: ExposureSettings) -> _Latest:
    interval = record.program.offline_expires_after
    if key.kind not in KINDS_WITH_COUNTDOWN:
        return _absent("offline time", "this kind of key has none", "key kind")
    if not isinstance(interval, timedelta):
        return _absent("offline time", "unlimited", "program that may be in the key")
    start = _countdown_start(record, key, settings)
    if start is None:
        return _absent("offline time", "not counted: any contact may start it again", "vendor state")
    if key.kind in KINDS_WITH_CLOCK:
        return _by_revalidation(start, interval, key, settings)
    margin = settings.margin(interval)
    terms = (
        Term("countdown starts at the latest", start, "order accepted, or network lost", Mark.INF),
        Term("offline time", interval, "program that may be in the key", Mark.DOC),
        Term("clock margin", margin, "setting", Mark.INF),
    )
    assumed = (
        AssumptionId.OFFLINE_EXPIRY_ENFORCED,
        AssumptionId.COUNTDOWN_START,
        AssumptionId.CONTACT_DELIVERS,
        AssumptionId.CLOCK_MARGIN,
    )
    return _Latest(start + interval + margin, terms, assumed)


def _by_revalidation(
    start: datetime, interval: timedelta, key: KeyOnRecord, settings: ExposureSettings
) -> _Latest:
    """Count the revalidation interval, and what updaters may add to it while they cannot reach the server."""
    longest = _longest_without_server(interval, key.offline_updates, settings)
    if longest is None:
        why = "not counted: updaters may renew it without the server, and no limit to that is sure"
        return _absent("revalidation", why, "vendor settings")
    margin = settings.margin(longest)
    terms = [
        Term("last update at the latest", start, "vendor's word, or order accepted", Mark.DOC),
        Term("revalidation", interval, "program that may be in the key", Mark.DOC),
        Term("clock margin", margin, "setting, since the key's clock was last set", Mark.INF),
    ]
    assumed = [
        AssumptionId.REVALIDATION_ENFORCED,
        AssumptionId.OFFLINE_UPDATES_AS_READ,
        AssumptionId.UPDATE_DELIVERS,
        AssumptionId.CLOCK_MARGIN,
    ]
    if key.offline_updates.count:
        more = Term("updates without the server", longest - interval, "vendor settings", Mark.DOC)
        terms.insert(2, more)
        if not settings.offline_revives:
            assumed.append(AssumptionId.LAPSED_STAYS_LAPSED)
    return _Latest(start + longest + margin, tuple(terms), tuple(assumed))


def _longest_without_server(
    interval: timedelta, offline: OfflineUpdates, settings: ExposureSettings
) -> timedelta | None:
    """Return how long after its last contact with the server a key can still be valid; None = no limit is sure."""
    if offline.count == 0:
        return interval
    limits = []
    if offline.gap is not None:
        limits.append(offline.gap + interval)
    if offline.count is not None and not settings.offline_revives:
        limits.append(interval * (offline.count + 1))
    return min(limits, default=None)


def _countdown_start(
    record: ProgramOnDevice, key: KeyOnRecord, settings: ExposureSettings
) -> datetime | None:
    """Return the latest instant at which this program's countdown can have started, None = it can start again.

    A contact after a later order was accepted delivers that order, so the last contact under this program was
    before it. Without a later order that still waits, every contact starts the countdown again.
    """
    if key.out_of_contact_since is not None:
        return key.out_of_contact_since
    last = key.programs[-1]
    if record is last or last.ordered_at is None:
        return None
    accepted = last.ordered_at + settings.delivery_lag
    if (
        key.last_update_at is not None
        and key.programming_state is ProgrammingState.ORDERED
        and key.as_of >= accepted
        and last.fetched_at is None
    ):
        # Read after the order stood everywhere, and it still waits: an update since then would have delivered it.
        return key.last_update_at
    # An order newer than the reading stands: the state that was read is from before it.
    is_newer_than_reading = last.ordered_at > key.as_of
    is_standing = key.programming_state.is_waiting or key.programming_state is ProgrammingState.PROGRAMMED
    if not (is_newer_than_reading or is_standing):
        return None
    return max(last.ordered_at, last.fetched_at or last.ordered_at) + settings.delivery_lag


def _by_online_lock(
    record: ProgramOnDevice, key: KeyOnRecord, lock: LockClass, settings: ExposureSettings
) -> _Latest:
    last = key.programs[-1]
    if lock.online_required != YES or record is last or last.ordered_at is None:
        return _Latest(None, (), ())
    if not settings.online_locks_refuse:
        return _absent("lock asks the server", "not counted: unverified without network", "setting")
    term = Term("lock asks the server", last.ordered_at, "order accepted", Mark.INF)
    at = last.ordered_at + settings.delivery_lag + settings.margin_base
    return _Latest(at, (term,), (AssumptionId.ONLINE_LOCK_ASKS, AssumptionId.CLOCK_MARGIN))


def _clock_age(lock: LockClass, at: datetime, settings: ExposureSettings) -> timedelta:
    if lock.clock_set_on is None:
        return settings.unknown_clock_age
    return (at.date() - lock.clock_set_on) + _DAY


def _absent(name: str, why: str, source: str) -> _Latest:
    return _Latest(None, (Term(name, why, source, Mark.OWN),), ())


def _unknown_predecessor(key: KeyOnRecord) -> list[_Latest]:
    if key.was_empty_before or (key.programs and key.programs[0].state is ProgramState.PROVEN):
        return []
    return [_absent("program in the key", "never read as programmed: it may hold anything", "last reading")]


def _worst(ends: Sequence[_Latest]) -> Exposure:
    at, latest = ends[0].at, ends[0]
    for end in ends:
        if end.at is None:
            return Exposure(ExposureKind.NO_BOUND, None, end.terms, _ALWAYS)
        if at is None or end.at > at:
            at, latest = end.at, end
    assumed = dict.fromkeys(_ALWAYS)
    for end in ends:
        assumed.update(dict.fromkeys(end.assumptions))
    return Exposure(ExposureKind.BOUND, at, latest.terms, tuple(assumed))


def _never_opened(key: KeyOnRecord) -> Exposure:
    first = key.programs[0] if key.programs else None
    at = first.proven_at if first is not None and first.proven_at is not None else key.as_of
    term = Term("no program in the key opens this lock", at, "last program acknowledged by the key", Mark.DOC)
    return Exposure(ExposureKind.PROVEN_END, at, (term,), _ALWAYS)
