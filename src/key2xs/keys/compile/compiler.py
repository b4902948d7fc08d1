"""Many keys at once: which key carries which grant, so that the fewest devices change and the fewest are walked to.

Grants are tied to their holder's keys, so holders are looked at one by one. For each, every way to give the grants to
the keys is compared as long as there are not too many; above that each grant goes where it costs least, and then grants
are moved while that helps. The first that counts is that nothing which fits is left out. Then, in this order: devices
that change, devices that somebody must bring to an updater, rewritings that are already certain to follow, rights.

Invariants: never over a limit; no right opens a lock outside the grants that its key carries; same input, same output; a
key that needs no change is not touched.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import product
from math import prod
from typing import Final, TypeAlias

from key2xs.keys.carry import (
    CannotCarry,
    CannotWhy,
    Carried,
    Covers,
    GrantToCarry,
    KeyLimits,
    KeyPlan,
    plan_key,
)
from key2xs.keys.grid import end_on_grid
from key2xs.keys.program import EMPTY_PROGRAM, Program

from .steps import Carrier, Change, TargetKind, block_steps, is_same, key_steps
from .ways_out import OtherKey, Way, WayOut, ways_out

__all__ = ["Compiled", "KeyNow", "Stays", "WantedGrant", "compile_keys"]

_EXACT_UP_TO: Final = 4_096  # ways to give one holder's grants to his keys
_PASSES: Final = 20  # of moving grants; each one only ever improves

_Score: TypeAlias = tuple[int, int, int, int, int]
_Given: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyNow:
    """A key as it is. `current`: the program that it has or that is on its way; None = never programmed.

    `block`: it is to be blocked now, and carries nothing; `locks_held`: the cylinders that anything possibly in it opens.
    """

    key: str
    stamp: str
    limits: KeyLimits
    current: Program | None = None
    by_air: bool = False
    block: bool = False
    block_by_visits: bool = False
    locks_held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WantedGrant:
    """A grant and the keys of its holder; any one of them may carry it."""

    ask: GrantToCarry
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stays:
    """A grant that stays out of every key: why, and what helps, cheapest first."""

    cannot: CannotCarry
    ways: tuple[WayOut, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """What every key should have and what has to change.

    Attributes:
        plans: by key. carried: the key that carries a grant. cannot: grants that stay out.
        waiting: grants whose time to go onto a key has not come.
        changes: keys that change, with their steps; a key that is not here is not touched.
    """

    plans: Mapping[str, KeyPlan] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)
    cannot: Mapping[str, Stays] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()

    @property
    def visits(self) -> int:
        """How many devices somebody must bring or walk to."""
        return sum(change.carrier is not Carrier.AIR for change in self.changes)


def compile_keys(
    keys: Iterable[KeyNow],
    wants: Iterable[WantedGrant],
    covers: Covers,
    *,
    at: datetime,
    exact_up_to: int = _EXACT_UP_TO,
) -> Compiled:
    """Give grants to keys; see the module for what counts."""
    known = {key.key: key for key in sorted(keys, key=lambda key: key.key)}
    usable = {name for name, key in known.items() if not key.block}
    asked = sorted(
        (want for want in wants if want.ask.ends_at > at),
        key=lambda want: (want.ask.starts_at, want.ask.grant),
    )
    plans: dict[str, KeyPlan] = {name: KeyPlan(EMPTY_PROGRAM) for name in known}
    cannot: dict[str, Stays] = {}
    for group in _holders(asked, usable):
        holder = _Holder(known, group, usable, covers, at)
        given = holder.best(exact_up_to)
        found = holder.plans(given)
        plans |= found
        cannot |= _left_out(group, given, found, known, covers)
    for want in asked:
        if not want.keys & usable:
            why = CannotCarry(want.ask.locks, CannotWhy.NO_KEY)
            cannot[want.ask.grant] = Stays(why, (WayOut(Way.HAND_OUT, 1),))
    carried = {grant: name for name, plan in plans.items() for grant in plan.carried}
    waiting = frozenset(w.ask.grant for w in asked) - carried.keys() - cannot.keys()
    changes = (_change(key, plans[name].program, at) for name, key in known.items())
    return Compiled(plans, carried, cannot, waiting, tuple(each for each in changes if each is not None))


class _Holder:
    """The keys and grants that hang together; remembers every plan it made."""

    def __init__(
        self,
        known: Mapping[str, KeyNow],
        wants: Sequence[WantedGrant],
        usable: set[str],
        covers: Covers,
        at: datetime,
    ) -> None:
        self._wants, self._covers, self._at = wants, covers, at
        self._choices = [tuple(sorted(want.keys & usable)) for want in wants]
        self._keys = {name: known[name] for name in sorted({n for some in self._choices for n in some})}
        self._made: dict[tuple[str, tuple[int, ...]], KeyPlan] = {}

    def best(self, exact_up_to: int) -> _Given:
        if prod(map(len, self._choices)) <= exact_up_to:
            return min(product(*self._choices), key=lambda given: (self.score(given), given))
        return self._improved(self._first())

    def plans(self, given: _Given) -> dict[str, KeyPlan]:
        return {name: self._plan(name, _on(name, given)) for name in self._keys}

    def score(self, given: _Given) -> _Score:
        out = changed = brought = later = rights = 0
        for name, key in self._keys.items():
            numbers = _on(name, given)
            plan = self._plan(name, numbers)
            out += len(numbers) - len(plan.carried)
            if not is_same(key.current, plan.program, at=self._at):
                changed += 1
                brought += not key.by_air
            # The key ends with the earliest of its grants and is written again for those that run on.
            later += max(len({self._wants[n].ask.ends_at for n in numbers}) - 1, 0)
            rights += len(plan.program.rights)
        return out, changed, brought, later, rights

    def _plan(self, name: str, numbers: tuple[int, ...]) -> KeyPlan:
        plan = self._made.get((name, numbers))
        if plan is None:
            asks = [self._wants[n].ask for n in numbers]
            plan = plan_key(asks, self._covers, self._keys[name].limits, at=self._at)
            self._made[name, numbers] = plan
        return plan

    def _first(self) -> _Given:
        """Leave each grant where its rights are already; the rest goes to the key that is first by name."""
        given = []
        for want, choices in zip(self._wants, self._choices, strict=True):
            outcome = self._covers.cover(want.ask.locks)
            rights = outcome.rights if isinstance(outcome, Carried) else None
            has_it = (name for name in choices if rights and rights <= _rights(self._keys[name]))
            given.append(next(has_it, choices[0]))
        return tuple(given)

    def _improved(self, given: _Given) -> _Given:
        best = self.score(given)
        for _ in range(_PASSES):
            moves = [(self.score(moved), moved) for moved in self._moves(given)]
            score, moved = min(moves, default=(best, given))
            if score >= best:
                break
            best, given = score, moved
        return given

    def _moves(self, given: _Given) -> Iterable[_Given]:
        """Move one grant, or all that two keys could swap from one to the other."""
        for number, choices in enumerate(self._choices):
            for name in choices:
                if name != given[number]:
                    yield (*given[:number], name, *given[number + 1 :])
        for source in self._keys:
            for goal in self._keys:
                if source != goal:
                    yield tuple(
                        goal if name == source and goal in choices else name
                        for name, choices in zip(given, self._choices, strict=True)
                    )


def _on(name: str, given: _Given) -> tuple[int, ...]:
    return tuple(number for number, key in enumerate(given) if key == name)


def _rights(key: KeyNow) -> frozenset[str]:
    return key.current.rights if key.current is not None else frozenset()


def _holders(wants: Sequence[WantedGrant], usable: set[str]) -> list[list[WantedGrant]]:
    """Group grants that share a key, directly or through others."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for want in wants:
        first, *rest = sorted(want.keys & usable) or [""]
        for name in rest:
            one, other = sorted((root(first), root(name)))
            parent[other] = one
    groups: dict[str, list[WantedGrant]] = defaultdict(list)
    for want in wants:
        if names := want.keys & usable:
            groups[root(min(names))].append(want)
    return [groups[name] for name in sorted(groups)]


def _left_out(
    wants: Sequence[WantedGrant],
    given: _Given,
    plans: Mapping[str, KeyPlan],
    known: Mapping[str, KeyNow],
    covers: Covers,
) -> dict[str, Stays]:
    ends = {want.ask.grant: want.ask.ends_at for want in wants}
    others = partial(_others, plans=plans, known=known)
    found = {}
    for want, name in zip(wants, given, strict=True):
        plan = plans[name]
        why = plan.cannot.get(want.ask.grant)
        if why is not None:
            found[want.ask.grant] = Stays(
                why,
                ways_out(
                    want.ask,
                    why,
                    covers,
                    known[name].limits,
                    others=others(want.ask.grant),
                    room_from=min((ends[grant] for grant in plan.carried), default=None),
                ),
            )
    return found


def _others(grant: str, *, plans: Mapping[str, KeyPlan], known: Mapping[str, KeyNow]) -> list[OtherKey]:
    return [
        OtherKey(name, known[name].stamp, frozenset(plan.carried), known[name].by_air)
        for name, plan in plans.items()
        if grant in plan.carried
    ]


def _change(key: KeyNow, wanted: Program, at: datetime) -> Change | None:
    carrier = Carrier.AIR if key.by_air else Carrier.UPDATER
    if key.block:
        steps = block_steps(
            key.current,
            closes_at=end_on_grid(at, grid=key.limits.grid, zone=key.limits.zone),
            by_visits=key.block_by_visits,
            locks=key.locks_held,
        )
    elif is_same(key.current, wanted, at=at):
        return None
    else:
        steps = key_steps(key.current, wanted)
    return Change(TargetKind.KEY, key.key, carrier, steps) if steps else None
