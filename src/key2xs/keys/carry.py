"""From grants to the program of one key, without giving a single cylinder that was not granted.

A vendor sells access rights, not cylinders: a right opens a fixed set of locks. Only rights whose locks *all* lie
inside a grant may be written for it. Where those rights do not reach a cylinder, the grant says *cannot be
carried* and names the cylinder; the rest of the grant is not silently delivered instead.

Pure: no clock, no database. Instants come in as arguments.

Invariants: no right opens a lock outside its grant; no right of a cover can be left out; the end of a program is
never after the earliest end of the grants in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import combinations
from typing import Final
from zoneinfo import ZoneInfo

from .compile.limits import slots_of
from .grid import end_on_grid, start_on_grid
from .port import VendorRight
from .program import EMPTY_PROGRAM, OfflineExpiry, Program

__all__ = [
    "CannotCarry",
    "CannotWhy",
    "Carried",
    "Covers",
    "GrantToCarry",
    "KeyLimits",
    "KeyPlan",
    "cover",
    "plan_key",
]

_EXACT_UP_TO: Final = 12  # candidate rights; above it the search for the smallest cover turns greedy
_REMEMBERED: Final = 20_000  # covers kept; a crew asks for the same locks many times


class CannotWhy(StrEnum):
    """Why a grant cannot be put into a key."""

    NO_RIGHT_INSIDE = (
        "no_right_inside"  # every right that opens the cylinder opens others too, or none exists
    )
    WINDOW_BELOW_GRID = "window_below_grid"  # after rounding nothing of the window is left
    NO_SLOT = "no_slot"  # the key has no room for the limits
    TOO_MANY_RIGHTS = "too_many_rights"  # the key has no room for the rights
    NO_LOCK = "no_lock_known"  # the key system has no such cylinder
    NO_KEY = "no_key"  # the holder has no key that could be given it


@dataclass(frozen=True, slots=True)
class GrantToCarry:
    """What one grant asks of a key: cylinders by their vendor ids, and its window."""

    grant: str
    locks: frozenset[str]
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What the key can store. `free_slots` leaves out slots that others filled; None = no known limit."""

    grid: timedelta
    zone: ZoneInfo
    free_slots: int
    max_rights: int | None = None
    offline_expires_after: OfflineExpiry = None
    one_by_one: bool = False
    """Only rights that open a single lock: what the key opens is listed in each lock."""
    deliver_ahead: timedelta = timedelta(0)
    """How long before its start the next grant may be put into a key that has no other; zero = not before."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The rights that carry a grant, exactly its cylinders."""

    rights: frozenset[str]


@dataclass(frozen=True, slots=True)
class CannotCarry:
    """A grant that stays out of the key. `locks` are the cylinders that are the reason."""

    locks: frozenset[str]
    why: CannotWhy


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """The program that a key should have, what each grant got, and when to plan again.

    `plan_again_at` is the next instant at which the answer changes by itself; None = never.
    """

    program: Program
    carried: Mapping[str, Carried] = field(default_factory=dict)
    cannot: Mapping[str, CannotCarry] = field(default_factory=dict)
    plan_again_at: datetime | None = None


class Covers:
    """A catalogue of rights that answers which of them carry a set of locks, and remembers its answers."""

    def __init__(self, catalogue: Iterable[VendorRight]) -> None:
        """Look up rights by lock, so that a large catalogue costs nothing where a grant is small."""
        self.rights: Mapping[str, VendorRight] = {right.right: right for right in catalogue}
        by_lock: dict[str, set[str]] = defaultdict(set)
        for right in self.rights.values():
            if right.writable:
                for lock in right.locks:
                    by_lock[lock].add(right.right)
        self._by_lock: Mapping[str, set[str]] = by_lock
        self._known: dict[frozenset[str], Carried | CannotCarry] = {}

    @cached_property
    def single(self) -> Covers:
        """Only the rights that open one lock."""
        return Covers(right for right in self.rights.values() if len(right.locks) == 1)

    def cover(self, locks: frozenset[str]) -> Carried | CannotCarry:
        """Find the fewest rights that open exactly `locks`, using only rights that lie wholly inside.

        Same input, same answer: ties go to the right with more locks, then to the smaller id.
        """
        known = self._known.get(locks)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[locks] = self._search(locks)
        return known

    def reaching(self, locks: Iterable[str]) -> list[VendorRight]:
        """Return the writable rights that open at least one of `locks`, by id."""
        names = set[str]().union(*(self._by_lock.get(lock, set()) for lock in locks))
        return [self.rights[name] for name in sorted(names)]

    def _search(self, locks: frozenset[str]) -> Carried | CannotCarry:
        inside = sorted(
            (right for right in self.reaching(locks) if right.locks <= locks),
            key=lambda right: (-len(right.locks), right.right),
        )
        reached = frozenset[str]().union(*(right.locks for right in inside))
        if missing := locks - reached:
            return CannotCarry(locks=missing, why=CannotWhy.NO_RIGHT_INSIDE)
        useful = _without_dominated(inside)
        chosen = _smallest(locks, useful) if len(useful) <= _EXACT_UP_TO else _greedy(locks, useful)
        return Carried(frozenset(right.right for right in chosen))


def cover(locks: frozenset[str], catalogue: Iterable[VendorRight]) -> Carried | CannotCarry:
    """Find the fewest rights that open exactly `locks`; see `Covers.cover`."""
    return Covers(catalogue).cover(locks)


def plan_key(
    grants: Sequence[GrantToCarry],
    catalogue: Iterable[VendorRight] | Covers,
    limits: KeyLimits,
    *,
    at: datetime,
) -> KeyPlan:
    """Plan the program of one key for the grants that its holder has.

    Grants that run at `at` share one window: the key has a single start and a single end. It ends with the
    earliest of them, so it has to be planned again then and whenever the next one begins. A running grant needs
    no start: the key is written after it began. A grant that has not begun enters the key only when none runs
    and `limits.deliver_ahead` allows it, and then its start is stored, rounded up.

    Where not all fit, the grant that began first stays: one that comes later never takes another off the key, and
    a grant is carried whole or not at all.
    """
    covers = catalogue if isinstance(catalogue, Covers) else Covers(catalogue)
    if limits.one_by_one:
        covers = covers.single
    ends = {g.grant: end_on_grid(g.ends_at, grid=limits.grid, zone=limits.zone) for g in grants}
    carried: dict[str, Carried] = {}
    cannot: dict[str, CannotCarry] = {}
    running = [g for g in grants if g.starts_at <= at < g.ends_at]
    chosen = running or _next_ahead(grants, at=at, ahead=limits.deliver_ahead)
    inside: list[GrantToCarry] = []
    program = EMPTY_PROGRAM
    for grant in sorted(chosen, key=lambda each: (each.starts_at, each.grant)):
        begins = at
        if grant.starts_at > at:
            begins = start_on_grid(grant.starts_at, grid=limits.grid, zone=limits.zone)
        if ends[grant.grant] <= begins:
            cannot[grant.grant] = CannotCarry(grant.locks, CannotWhy.WINDOW_BELOW_GRID)
            continue
        outcome = covers.cover(grant.locks)
        if isinstance(outcome, CannotCarry):
            cannot[grant.grant] = outcome
            continue
        with_it = _program([*inside, grant], carried | {grant.grant: outcome}, ends, limits=limits, at=at)
        if why := _too_big(with_it, limits):
            cannot[grant.grant] = CannotCarry(grant.locks, why)
            continue
        carried[grant.grant], program = outcome, with_it
        inside.append(grant)
    return KeyPlan(program, carried, cannot, _plan_again_at(grants, ends, limits=limits, at=at))


def _program(
    grants: Sequence[GrantToCarry],
    carried: Mapping[str, Carried],
    ends: Mapping[str, datetime],
    *,
    limits: KeyLimits,
    at: datetime,
) -> Program:
    if not grants:
        return EMPTY_PROGRAM
    upcoming = [g.starts_at for g in grants if g.starts_at > at]
    return Program(
        rights=frozenset[str]().union(*(carried[g.grant].rights for g in grants)),
        # Several upcoming grants share one start slot: the latest start is the only one that widens nothing.
        starts_at=start_on_grid(max(upcoming), grid=limits.grid, zone=limits.zone) if upcoming else None,
        ends_at=min(ends[g.grant] for g in grants),
        offline_expires_after=limits.offline_expires_after,
    )


def _next_ahead(grants: Sequence[GrantToCarry], *, at: datetime, ahead: timedelta) -> list[GrantToCarry]:
    begins = min((g.starts_at for g in grants if g.starts_at > at), default=None)
    if begins is None or begins - at > ahead:
        return []
    return [g for g in grants if g.starts_at == begins]


def _too_big(program: Program, limits: KeyLimits) -> CannotWhy | None:
    if slots_of(program) > limits.free_slots:
        return CannotWhy.NO_SLOT
    if limits.max_rights is not None and len(program.rights) > limits.max_rights:
        return CannotWhy.TOO_MANY_RIGHTS
    return None


def _plan_again_at(
    grants: Sequence[GrantToCarry], ends: Mapping[str, datetime], *, limits: KeyLimits, at: datetime
) -> datetime | None:
    """Return the next begin, rounded end or true end after `at`, or the instant to deliver ahead."""
    instants = [moment for g in grants for moment in (g.starts_at, g.ends_at, ends[g.grant])]
    instants += [g.starts_at - limits.deliver_ahead for g in grants]
    return min((moment for moment in instants if moment > at), default=None)


def _without_dominated(rights: Sequence[VendorRight]) -> list[VendorRight]:
    """Leave out rights whose locks another, earlier right opens too; the order stays."""
    kept: list[VendorRight] = []
    for right in rights:
        if not any(right.locks <= other.locks for other in kept):
            kept.append(right)
    return kept


def _smallest(locks: frozenset[str], rights: Sequence[VendorRight]) -> Sequence[VendorRight]:
    for size in range(len(rights) + 1):
        for some in combinations(rights, size):
            if frozenset[str]().union(*(right.locks for right in some)) == locks:
                return some
    raise AssertionError("the caller made sure that all rights together reach every lock")


def _greedy(locks: frozenset[str], rights: Sequence[VendorRight]) -> Sequence[VendorRight]:
    missing, chosen = set(locks), list[VendorRight]()
    while missing:
        best = max(rights, key=lambda right: len(right.locks & missing))
        chosen.append(best)
        missing -= best.locks
    for right in list(chosen):
        others = frozenset[str]().union(*(other.locks for other in chosen if other is not right))
        if right.locks <= others:
            chosen.remove(right)
    return chosen
