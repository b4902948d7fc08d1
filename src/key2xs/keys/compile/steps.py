"""The ordered steps that change one target: what takes away goes first.

A target is a key or a block list. Several steps at one target are still one change of the device: it takes what waits for
it at one contact. Two orders differ between makers, and the wrong one leaves a key that cannot be stopped:

    one list that spreads      close the window, keep the rights, block, send the list; it may not be emptied before:
                               the maker takes only keys with rights on the list, and a blocked key cannot be changed
    a list in each cylinder    empty the key, block it, visit the cylinders
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from key2xs.keys.program import (
    EMPTY_PROGRAM,
    UNLIMITED,
    OfflineExpiry,
    Program,
    WeeklyWindow,
)

__all__ = [
    "Act",
    "Carrier",
    "Change",
    "Step",
    "TargetKind",
    "block_steps",
    "is_same",
    "key_steps",
    "list_steps",
    "meet",
]


class TargetKind(StrEnum):
    """What is changed."""

    KEY = "key"
    BLOCK_LIST = "block_list"


class Carrier(StrEnum):
    """How a change reaches its device."""

    AIR = "air"
    UPDATER = "updater"  # somebody brings the key
    SPREADS = "spreads"  # from key to lock to key, nobody knows when


class Act(StrEnum):
    """One step at a target."""

    NARROW = "narrow"
    CLOSE = "close"  # rights stay, the window is over
    EMPTY = "empty"
    BLOCK = "block"
    ORDER = "order"
    ORDER_LIST = "order_list"
    VISIT = "visit"
    WIDEN = "widen"
    UNBLOCK = "unblock"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `program` is written by *narrow*, *close*, *empty* and *widen*; `names` are keys, groups or locks."""

    act: Act
    program: Program | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """All that happens to one device, in order."""

    kind: TargetKind
    target: str
    carrier: Carrier
    steps: tuple[Step, ...]


def is_same(held: Program | None, wanted: Program, *, at: datetime) -> bool:
    """Tell whether a key that holds `held` does what `wanted` says and need not be touched.

    A start that has passed is as good as none. Programs that open nothing are the same whatever their limits.
    """
    if held is None:
        return wanted.opens_nothing
    if held.starts_at is not None and held.starts_at <= at:
        held = replace(held, starts_at=None)
    return held == wanted or (held.opens_nothing and wanted.opens_nothing)


def key_steps(held: Program | None, wanted: Program) -> tuple[Step, ...]:
    """Return how a key gets from one program to another; a mixed change takes away in a step of its own.

    What it takes away then need not wait until widening is allowed or has its turn.
    """
    held = held or EMPTY_PROGRAM
    if wanted.within(held):
        act = Act.EMPTY if wanted.opens_nothing else Act.NARROW
        return Step(act, wanted), Step(Act.ORDER)
    if held.within(wanted):
        return Step(Act.WIDEN, wanted), Step(Act.ORDER)
    less = meet(held, wanted)
    act = Act.EMPTY if less.opens_nothing else Act.NARROW
    return Step(act, less), Step(Act.ORDER), Step(Act.WIDEN, wanted), Step(Act.ORDER)


def block_steps(
    held: Program | None, *, closes_at: datetime, by_visits: bool, locks: Iterable[str] = ()
) -> tuple[Step, ...]:
    """Return how a key is blocked. `closes_at` lies on the key's grid and not after now; `locks`: those to visit."""
    held = held or EMPTY_PROGRAM
    if by_visits:
        empty = () if held.opens_nothing else (Step(Act.EMPTY, EMPTY_PROGRAM), Step(Act.ORDER))
        return *empty, Step(Act.BLOCK), Step(Act.VISIT, names=tuple(sorted(set(locks))))
    if held.opens_nothing:
        return ()  # the maker does not take it, and there is nothing to stop
    over = held.last_end is not None and held.last_end <= closes_at
    closed = replace(held, starts_at=None, ends_at=closes_at, renews_until=None)
    close = () if over else (Step(Act.CLOSE, closed), Step(Act.ORDER))
    return *close, Step(Act.BLOCK), Step(Act.ORDER_LIST)


def list_steps(*, block: Iterable[str], unblock: Iterable[str]) -> tuple[Step, ...]:
    """Return how a list that spreads is changed; it is sent once after all that joins it and once after all that leaves."""
    joins, leaves = tuple(sorted(block)), tuple(sorted(unblock))
    steps: list[Step] = []
    if joins:
        steps += [Step(Act.BLOCK, names=joins), Step(Act.ORDER_LIST)]
    if leaves:
        steps += [Step(Act.UNBLOCK, names=leaves), Step(Act.ORDER_LIST)]
    return tuple(steps)


def meet(one: Program, other: Program) -> Program:
    """Return a program within both, and as wide as a program can be that is."""
    rights = one.rights & other.rights
    starts = [at for at in (one.starts_at, other.starts_at) if at is not None]
    ends = [at for at in (one.last_end, other.last_end) if at is not None]
    schedule = _both(one.schedule, other.schedule)
    if not rights or (schedule is not None and not schedule):
        return EMPTY_PROGRAM
    both = Program(
        rights=rights,
        starts_at=max(starts, default=None),
        ends_at=min(ends, default=None),
        offline_expires_after=_shorter(one.offline_expires_after, other.offline_expires_after),
        schedule=schedule,
    )
    return EMPTY_PROGRAM if both.window_is_empty else both


def _shorter(one: OfflineExpiry, other: OfflineExpiry) -> OfflineExpiry:
    known = [each for each in (one, other) if isinstance(each, timedelta)]
    if known:
        return min(known)
    return UNLIMITED if UNLIMITED in {one, other} else None


def _both(
    one: frozenset[WeeklyWindow] | None, other: frozenset[WeeklyWindow] | None
) -> frozenset[WeeklyWindow] | None:
    if one is None or other is None:
        return other if one is None else one
    return frozenset(
        WeeklyWindow(mine.day, begins, ends)
        for mine in one
        for theirs in other
        if mine.day == theirs.day
        and (begins := max(mine.from_minute, theirs.from_minute))
        < (ends := min(mine.to_minute, theirs.to_minute))
    )
