"""Keys that are listed in cylinders: which cylinders must be visited, and what each visit does there.

A cylinder lists single keys and key groups, and the keys that are blocked in it. All that changes in one cylinder is one
visit. A cylinder that already lets in whom it should is not visited, whatever the entries that make it so.

Pure. Invariants: never more entries or blocked keys than fit; no key is let in that has no grant there; a block that was
there is never dropped to make room.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from key2xs.keys.carriers import ProgrammingKey, place_visits
from key2xs.keys.carry import CannotCarry, CannotWhy, Carried, cover
from key2xs.keys.port import VendorRight

from .limits import most
from .steps import Carrier, Change, TargetKind, cylinder_steps

__all__ = ["CompiledCylinders", "CylinderNow", "ListedGrant", "compile_cylinders"]


@dataclass(frozen=True, slots=True)
class CylinderNow:
    """A cylinder as it was programmed last."""

    lock: str
    keys: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ListedGrant:
    """A grant for a key that is listed in cylinders."""

    grant: str
    key: str
    locks: frozenset[str]
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class CompiledCylinders:
    """What every changed cylinder should list and hold, and the rounds that bring it there.

    Attributes:
        wanted: by lock, only cylinders that change. rounds: locks by programming key.
        unplaced: locks for which no programming key has room.
        not_blocked: by lock, keys for which its block list has no room.
    """

    wanted: Mapping[str, CylinderNow] = field(default_factory=dict)
    carried: frozenset[str] = frozenset()
    cannot: Mapping[str, CannotCarry] = field(default_factory=dict)
    not_blocked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    rounds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unplaced: frozenset[str] = frozenset()


def compile_cylinders(
    cylinders: Iterable[CylinderNow],
    grants: Iterable[ListedGrant],
    groups: Mapping[str, frozenset[str]],
    *,
    at: datetime,
    block: Mapping[str, frozenset[str]] | None = None,
    unblock: Mapping[str, frozenset[str]] | None = None,
    programming_keys: Sequence[ProgrammingKey] = (),
    entries: int = most("cliq-cylinder-entries"),
    blocked: int = most("cliq-blocked-keys"),
) -> CompiledCylinders:
    """Compile the visits for grants that run at `at`. `groups`: their member keys; `block`, `unblock`: keys by lock."""
    known = {cylinder.lock: cylinder for cylinder in sorted(cylinders, key=lambda each: each.lock)}
    running = sorted(
        (g for g in grants if g.starts_at <= at < g.ends_at), key=lambda g: (g.starts_at, g.grant)
    )
    let_in: dict[str, set[str]] = defaultdict(set)
    carried: set[str] = set()
    cannot: dict[str, CannotCarry] = {}
    for grant in running:
        if missing := grant.locks - known.keys():
            cannot[grant.grant] = CannotCarry(missing, CannotWhy.NO_LOCK)
            continue
        full = {lock for lock in grant.locks if not _fits(let_in[lock] | {grant.key}, groups, entries)}
        if full:
            cannot[grant.grant] = CannotCarry(frozenset(full), CannotWhy.CYLINDER_FULL)
            continue
        carried.add(grant.grant)
        for lock in grant.locks:
            let_in[lock].add(grant.key)
    wanted: dict[str, CylinderNow] = {}
    not_blocked: dict[str, frozenset[str]] = {}
    for lock, now in known.items():
        held, left = _blocked(now, (block or {}).get(lock), (unblock or {}).get(lock), blocked)
        if left:
            not_blocked[lock] = left
        keys, some = _entries(now, frozenset(let_in[lock]), groups)
        then = CylinderNow(lock, keys, some, held)
        if then != now:
            wanted[lock] = then
    changes = tuple(_visit(known[lock], then) for lock, then in wanted.items())
    rounds, unplaced = place_visits(sorted(wanted), programming_keys)
    return CompiledCylinders(wanted, frozenset(carried), cannot, not_blocked, changes, rounds, unplaced)


def _fits(keys: set[str], groups: Mapping[str, frozenset[str]], entries: int) -> bool:
    return len(keys) <= entries or len(_fewest(frozenset(keys), groups)) <= entries


def _entries(
    now: CylinderNow, keys: frozenset[str], groups: Mapping[str, frozenset[str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the single keys and groups to list; as they are where they let in exactly these keys."""
    members = (groups.get(group, frozenset()) for group in now.groups)
    if now.keys.union(*members) == keys:
        return now.keys, now.groups
    chosen = _fewest(keys, groups)
    listed = frozenset(name for is_group, name in chosen if is_group)
    return frozenset(name for is_group, name in chosen if not is_group), listed


def _fewest(keys: frozenset[str], groups: Mapping[str, frozenset[str]]) -> frozenset[tuple[bool, str]]:
    """Return the fewest entries that let in exactly `keys`: a group only where each of its members may in."""
    useful = sorted(name for name, members in groups.items() if len(members) > 1 and members <= keys)
    names: dict[str, tuple[bool, str]] = {f"g{n}": (True, name) for n, name in enumerate(useful)}
    names |= {f"k{n}": (False, name) for n, name in enumerate(sorted(keys))}
    if not useful:
        return frozenset(names.values())
    entries = (
        VendorRight(short, name, groups[name] if is_group else frozenset({name}), writable=True)
        for short, (is_group, name) in names.items()
    )
    outcome = cover(keys, entries)
    if isinstance(outcome, Carried):
        return frozenset(names[short] for short in outcome.rights)
    raise AssertionError  # pragma: no cover - every key is an entry of its own


def _blocked(
    now: CylinderNow, block: frozenset[str] | None, unblock: frozenset[str] | None, limit: int
) -> tuple[frozenset[str], frozenset[str]]:
    """Return who is blocked in the end and who found no room; a block that was there stays."""
    held = now.blocked - (unblock or frozenset())
    new = sorted((block or frozenset()) - held)
    room = max(limit - len(held), 0)
    return held | frozenset(new[:room]), frozenset(new[room:])


def _visit(now: CylinderNow, then: CylinderNow) -> Change:
    steps = cylinder_steps(
        block=then.blocked - now.blocked,
        take_off=chain(now.keys - then.keys, now.groups - then.groups),
        put_in=chain(then.keys - now.keys, then.groups - now.groups),
        unblock=now.blocked - then.blocked,
    )
    return Change(TargetKind.CYLINDER, now.lock, Carrier.PROGRAMMING_KEY, steps)
