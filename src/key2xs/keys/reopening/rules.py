"""Which finding breaks which assumption, and what is left of a bound that rests on it. Pure; time is an argument."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from key2xs.keys.assumptions import AssumptionId, Mark
from key2xs.keys.exposure_types import Exposure, ExposureKind, ExposureSettings, KeyOnRecord, Term
from key2xs.keys.program import ProgramState


class Cause(StrEnum):
    """What was found."""

    CLOCK = "clock"  # the clock of a key is off by more than the margin
    EDIT = "edit"  # somebody worked on it, and nobody here
    LOCK_CLOCK = "lock_clock"  # the clock of a lock is off by more than the margin
    NOT_READ = "not_read"  # the key was not read for too long
    UNBLOCKED = "unblocked"  # somebody else took it off the block list
    OPENING = "opening"  # an opening after the bound that was published for it


BREAKS: Final[Mapping[Cause, frozenset[AssumptionId]]] = MappingProxyType(
    {
        Cause.CLOCK: frozenset({AssumptionId.CLOCK_MARGIN}),
        Cause.EDIT: frozenset({AssumptionId.NO_UNSEEN_PROGRAMMING}),
        # Only an end that the lock itself judges: a phone's offline time runs by the phone.
        Cause.LOCK_CLOCK: frozenset({AssumptionId.END_DATE_AT_LOCK, AssumptionId.LOCAL_TIME_RULES}),
        Cause.NOT_READ: frozenset({AssumptionId.NO_UNSEEN_PROGRAMMING}),
        # Its program is as it was; only what locks were told of it is not.
        Cause.UNBLOCKED: frozenset({AssumptionId.BLOCK_LIST_REFUSES}),
        # Something was wrong, and nobody knows what: nothing that was taken for granted of this key counts.
        Cause.OPENING: frozenset(AssumptionId),
    }
)
PROVES: Final = frozenset({Cause.EDIT, Cause.NOT_READ})
"""What a later reading can prove to be over; a bad clock, a list that lacks it or an opening that should not have been
needs a person."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One finding that stands. `lock` None: at all locks. An opening names the lock, and casts doubt on all of them."""

    cause: Cause
    because: str
    found_at: datetime
    lock: str | None = None

    def concerns(self, exposure: Exposure, lock: str) -> bool:
        """Tell whether an answer at a lock rests on what was found to be wrong."""
        here = self.cause is Cause.OPENING or self.lock in {None, lock}
        return here and not BREAKS[self.cause].isdisjoint(exposure.assumptions)

    def is_over(self, record: KeyOnRecord) -> bool:
        """Tell whether the key acknowledged its newest program after this was found, which proves it to be over."""
        newest = record.programs[-1] if record.programs else None
        proven_at = newest.proven_at if newest is not None and newest.state is ProgramState.PROVEN else None
        return self.cause in PROVES and proven_at is not None and proven_at >= self.found_at


def reopened(exposure: Exposure, lock: str, broken: Iterable[Broken]) -> Exposure:
    """Return an answer at a lock as it stands with these findings: a bound or a proof that rests on one is none."""
    if exposure.kind not in {ExposureKind.BOUND, ExposureKind.PROVEN_END}:
        return exposure
    found = [each for each in broken if each.concerns(exposure, lock)]
    if not found:
        return exposure
    why = tuple(
        Term("re-opened because", each.because, f"found {each.found_at:%Y-%m-%d %H:%M} UTC", Mark.OWN)
        for each in found
    )
    return Exposure(ExposureKind.NO_BOUND, None, (*why, *exposure.terms), exposure.assumptions)


def is_off(shown: datetime, true: datetime, set_at: datetime | None, settings: ExposureSettings) -> bool:
    """Tell whether a clock that was set at an instant is off by more than bounds allow for."""
    age = true - set_at if set_at is not None else settings.unknown_clock_age
    return abs(shown - true) > settings.margin(max(age, timedelta()))


def is_ahead(written: datetime, read_at: datetime, settings: ExposureSettings) -> bool:
    """Tell whether a row bears a time so far after its own reading that no clock within the margin wrote it."""
    return written - read_at > settings.margin(settings.unknown_clock_age)


def in_words(length: timedelta) -> str:
    """Write how far a clock is off."""
    seconds = abs(length).total_seconds()
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
