"""The words of exposure: what is known about a key and a lock, what the facts leave open, and the answers.

`exposure` computes with them, `works_until` gives the twin number, `exposure_map` does it for many keys at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from key2xs.core.tri import NO, YES, Tri

from .assumptions import AssumptionId, Mark
from .port import KeyKind, ProgrammingState, VendorLock
from .program import NO_OFFLINE_UPDATES, OfflineUpdates, ProgramOnDevice, ProgramState

__all__ = [
    "DEFAULT_SETTINGS",
    "KINDS_WITH_CLOCK",
    "KINDS_WITH_COUNTDOWN",
    "Exposure",
    "ExposureKind",
    "ExposureSettings",
    "KeyOnRecord",
    "LockClass",
    "Term",
    "WorksUntil",
    "lock_class",
    "possible_programs",
]

KINDS_WITH_COUNTDOWN: Final = frozenset(
    {KeyKind.PHONE, KeyKind.FOB, KeyKind.DYNAMIC, KeyKind.CONNECT, KeyKind.NORMAL}
)  # iLOQ Public API v2: not for metal keys; CLIQ: revalidation
KINDS_WITH_CLOCK: Final = frozenset(
    {KeyKind.DYNAMIC, KeyKind.CONNECT, KeyKind.NORMAL}
)  # the key judges its own time limits by its own clock, whatever the lock is
_DAY: Final = timedelta(days=1)


class ExposureKind(StrEnum):
    """The four answers, from best to none."""

    PROVEN_END = "proven_end"
    STILL_ALLOWED = "still_allowed"
    BOUND = "bound"
    NO_BOUND = "no_bound"


@dataclass(frozen=True, slots=True)
class ExposureSettings:
    """What the facts leave open, with safe defaults; each one shows up in the assumptions of an answer.

    Attributes:
        margin_base, margin_per_day: how far a clock may be off, the second per day since it was set.
        unknown_clock_age: age of a lock clock of which nobody knows when it was set.
        delivery_lag: between an accepted order and the last contact that did not yet carry it.
        phone_supplies_time: a lock without a clock takes the phone's time (facts: inferred).
        offline_revives: an updater without the server also renews a key whose interval has run out (facts: unknown).
        online_locks_refuse: a lock with required online authentication refuses at once (facts: unverified).
    """

    margin_base: timedelta = timedelta(minutes=2)
    margin_per_day: timedelta = timedelta(seconds=2)
    unknown_clock_age: timedelta = timedelta(days=365)
    delivery_lag: timedelta = timedelta(minutes=1)
    phone_supplies_time: bool = True
    online_locks_refuse: bool = False
    offline_revives: bool = True

    def margin(self, age: timedelta) -> timedelta:
        """Return how far a clock may be off that was set `age` ago."""
        return self.margin_base + self.margin_per_day * max(age / _DAY, 0.0)


DEFAULT_SETTINGS: Final = ExposureSettings()


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that went into an answer. `value` is an instant, a length of time, a word or None for absent."""

    name: str
    value: datetime | timedelta | str | None
    source: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Exposure:
    """The answer for one key at one cylinder.

    `at` is the instant after which the key does not open it; None with *no bound*, and with *still allowed* when
    nothing ends it by itself. A bound in the past means that every possible program has run out.
    """

    kind: ExposureKind
    at: datetime | None
    terms: tuple[Term, ...] = ()
    assumptions: tuple[AssumptionId, ...] = ()


@dataclass(frozen=True, slots=True)
class WorksUntil:
    """The earliest instant at which the key could stop; None = nothing known would stop it."""

    at: datetime | None
    because: str
    assumptions: tuple[AssumptionId, ...] = ()


@dataclass(frozen=True, slots=True)
class LockClass:
    """What makes locks alike for exposure: only a *yes* counts, *unknown* is treated as *no*."""

    has_clock: Tri
    honours_limits: Tri
    online_required: Tri
    clock_set_on: date | None = None


@dataclass(frozen=True, slots=True)
class KeyOnRecord:
    """All that is known about one key when exposure is asked.

    Attributes:
        programs: oldest first; may begin before the last proven one, `possible_programs` cuts it.
        programming_state: of the vendor's latest plan, at `as_of`. After an accepted order it is ORDERED until a later
            reading says otherwise: whoever keeps the record sets it.
        as_of: the instant of the last reading; a bound is never claimed from older knowledge silently.
        was_empty_before: nothing was ever in the key before the first of `programs`.
        hidden_rights: the vendor hints at rights on this key that we cannot see.
        out_of_contact_since: known, not guessed: no contact with the vendor's server after this instant.
        last_update_at: the last contact at which the key was updated, as the vendor said at `as_of`; None = it did not.
        offline_updates: what updaters may do for the key without the server, as the vendor said at `as_of`.
        last_contact_at: a contact that is known to have happened (only makes `works_until` later).
        ended_at: locks that let the key in no longer whatever is in it, by proof, and since when, as read at `as_of`; a
            program written since then may let it in again.
        block_list_reached: locks that are known to hold a block list with this key, and since when.
        blocked_at: the block list with this key was ordered; gives no bound.
    """

    vendor_key: str
    kind: KeyKind
    programs: tuple[ProgramOnDevice, ...]
    programming_state: ProgrammingState
    as_of: datetime
    was_empty_before: bool = False
    hidden_rights: bool = False
    out_of_contact_since: datetime | None = None
    last_update_at: datetime | None = None
    offline_updates: OfflineUpdates = NO_OFFLINE_UPDATES
    last_contact_at: datetime | None = None
    ended_at: Mapping[str, datetime] = field(default_factory=dict)
    block_list_reached: Mapping[str, datetime] = field(default_factory=dict)
    blocked_at: datetime | None = None


def possible_programs(records: Iterable[ProgramOnDevice]) -> tuple[ProgramOnDevice, ...]:
    """Return the programs that may be in the key: the last proven one and everything after it."""
    kept: list[ProgramOnDevice] = []
    for record in records:
        if record.state is ProgramState.PROVEN:
            kept.clear()
        kept.append(record)
    return tuple(kept)


def lock_class(lock: VendorLock) -> LockClass:
    """Return the class of a lock, in which everything that cannot matter is left out.

    A clock counts only where limits are honoured, and the day it was set counts as the first of its month: an older
    clock gets a wider margin, so this never shortens a bound (by at most 31 days' drift it lengthens it).
    """
    judges = lock.honours_limits == YES and lock.has_clock == YES
    set_on = lock.clock_set_at.date().replace(day=1) if judges and lock.clock_set_at is not None else None
    return LockClass(
        has_clock=YES if judges else NO,
        honours_limits=YES if lock.honours_limits == YES else NO,
        online_required=YES if lock.online_required == YES else NO,
        clock_set_on=set_on,
    )
