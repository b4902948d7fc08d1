"""What a key is told: rights, a window and how long it may work without contact.

A `Program` is the wish in vendor terms, after rounding and mapping, so two programs can be compared exactly.
`ProgramOnDevice` says how sure anybody is that a program is in the key.

Comparing follows one order: `a.within(b)` means that everything `a` allows is allowed by `b` at every instant.
Nothing here reads a clock and every instant is an aware datetime.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Final, TypeAlias

__all__ = [
    "EMPTY_PROGRAM",
    "NO_OFFLINE_UPDATES",
    "UNLIMITED",
    "OfflineExpiry",
    "OfflineUpdates",
    "Program",
    "ProgramOnDevice",
    "ProgramState",
    "Unlimited",
    "WeeklyWindow",
]


class Unlimited(Enum):
    """A limit that was switched off on purpose; never the result of a missing value."""

    UNLIMITED = "unlimited"

    def __repr__(self) -> str:
        """Print the word that a reader expects in a log line."""
        return "UNLIMITED"


UNLIMITED: Final = Unlimited.UNLIMITED

OfflineExpiry: TypeAlias = timedelta | Unlimited | None
"""How long a key works without contact. None: this kind of key has no such interval. UNLIMITED: switched off."""


@dataclass(frozen=True, slots=True)
class OfflineUpdates:
    """What updaters may do for a key while they cannot reach the vendor's server.

    `count`: how often after one contact with it; None = not known. `gap`: how long after it; None = no limit known.
    """

    count: int | None = 0
    gap: timedelta | None = None


NO_OFFLINE_UPDATES: Final = OfflineUpdates()
"""A key needs the server for every update."""

_MINUTES_A_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True, order=True)
class WeeklyWindow:
    """A stretch of one weekday in the site's local time. `day`: Monday is 0; minutes count from midnight."""

    day: int
    from_minute: int
    to_minute: int

    def __post_init__(self) -> None:
        """Refuse what no week has."""
        if not (0 <= self.day <= 6 and 0 <= self.from_minute < self.to_minute <= _MINUTES_A_DAY):
            msg = f"no weekly window: day {self.day}, minutes {self.from_minute} to {self.to_minute}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Program:
    """Everything that decides what a key may open, as the vendor stores it.

    Attributes:
        rights: the vendor's ids of access rights (iLOQ: SecurityAccess_ID); empty means that nothing opens.
        starts_at: first instant of use, None = no start limit.
        ends_at: first instant at which the key no longer opens, None = no end limit.
        offline_expires_after: longest time without contact, see `OfflineExpiry`.
        renews_until: a vendor-side scheduler moves `ends_at` forward by itself up to this instant
            (iLOQ KeyScheduler); UNLIMITED = for ever; None = no scheduler.
        schedule: the key works only inside these weekly windows; None = at any hour. Key2XS writes none: a grant has
            a window of its own. A schedule only narrows, so no bound counts it.
    """

    rights: frozenset[str] = frozenset()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    offline_expires_after: OfflineExpiry = None
    renews_until: datetime | Unlimited | None = None
    schedule: frozenset[WeeklyWindow] | None = None

    def __post_init__(self) -> None:
        """Refuse naive instants and an interval of zero, which one vendor reads as unlimited."""
        for name in ("starts_at", "ends_at", "renews_until"):
            value = getattr(self, name)
            if isinstance(value, datetime) and value.tzinfo is None:
                msg = f"{name} must carry a time zone"
                raise ValueError(msg)
        interval = self.offline_expires_after
        if isinstance(interval, timedelta) and interval <= timedelta(0):
            msg = "offline_expires_after must be positive; say UNLIMITED to switch it off"
            raise ValueError(msg)

    @property
    def opens_nothing(self) -> bool:
        """Say whether no lock opens with this program. Limits do not count: a lock may ignore them."""
        return not self.rights

    @property
    def window_is_empty(self) -> bool:
        """Say whether the program ends before it starts; a lock that ignores limits opens all the same."""
        end = self.last_end
        return self.starts_at is not None and end is not None and end <= self.starts_at

    @property
    def last_end(self) -> datetime | None:
        """Return the latest end that this program can reach without a new order; None = no end."""
        if self.ends_at is None or self.renews_until is UNLIMITED:
            return None
        if isinstance(self.renews_until, datetime):
            return max(self.ends_at, self.renews_until)
        return self.ends_at

    def within(self, other: Program) -> bool:
        """Say whether `other` allows everything that this program allows."""
        if self.opens_nothing:
            return True
        return (
            self.rights <= other.rights
            and _starts_no_earlier(self.starts_at, other.starts_at)
            and _ends_no_later(self.last_end, other.last_end)
            and _expires_no_later(self.offline_expires_after, other.offline_expires_after)
            and _runs_within(self.schedule, other.schedule)
        )

    def narrower_than(self, other: Program) -> bool:
        """Say whether this program takes something away from `other` and adds nothing."""
        return self.within(other) and not other.within(self)

    def wider_than(self, other: Program) -> bool:
        """Say whether this program allows anything, at any instant, that `other` does not.

        Two programs that cannot be compared are each wider than the other: replacing one by the other widens.
        """
        return not self.within(other)


EMPTY_PROGRAM: Final = Program()
"""No rights: opens nothing."""


class ProgramState(StrEnum):
    """How near a program is to the device, by what the vendor told us."""

    PLANNED = "planned"  # the vendor's plan holds it; nobody ordered it as far as we know
    POSSIBLE = "possible"  # ordered, or an order may have been accepted: it may be in the key
    PROVEN = "proven"  # read back as the program that the key acknowledged


@dataclass(frozen=True, slots=True)
class ProgramOnDevice:
    """A program with what is known about its way into one key. Sequences of these are oldest first.

    Attributes:
        written_at: the vendor accepted the plan.
        ordered_at: the vendor had accepted the order, so taken after the call came back and never before; None = not
            ordered, or no answer was received. A bound counts from here.
        fetched_at: a reading first showed that the device had fetched it without acknowledging.
        proven_at: the reading that showed it as programmed.
    """

    program: Program
    state: ProgramState
    written_at: datetime
    ordered_at: datetime | None = None
    fetched_at: datetime | None = None
    proven_at: datetime | None = None


def _starts_no_earlier(mine: datetime | None, theirs: datetime | None) -> bool:
    if theirs is None:
        return True
    return mine is not None and mine >= theirs


def _ends_no_later(mine: datetime | None, theirs: datetime | None) -> bool:
    if theirs is None:
        return True
    return mine is not None and mine <= theirs


def _expires_no_later(mine: OfflineExpiry, theirs: OfflineExpiry) -> bool:
    # A key kind without the interval (None) works without contact for ever, exactly like UNLIMITED.
    if not isinstance(theirs, timedelta):
        return True
    return isinstance(mine, timedelta) and mine <= theirs


def _runs_within(mine: frozenset[WeeklyWindow] | None, theirs: frozenset[WeeklyWindow] | None) -> bool:
    if theirs is None:
        return True
    return mine is not None and _open_minutes(mine) <= _open_minutes(theirs)


def _open_minutes(schedule: frozenset[WeeklyWindow]) -> frozenset[int]:
    """Return the minutes of the week in which a schedule lets a key work; overlapping windows count once."""
    return frozenset(
        window.day * _MINUTES_A_DAY + minute
        for window in schedule
        for minute in range(window.from_minute, window.to_minute)
    )
