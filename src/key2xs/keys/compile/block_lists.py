"""A block list that spreads by itself: who joins it, who leaves it, and who finds no room.

Pure. A key that is on the list stays until somebody has it taken off: a full list never forgets one to make room.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .limits import most
from .steps import Carrier, Change, TargetKind, list_steps

__all__ = ["BlockListNow", "CompiledList", "compile_block_list"]


@dataclass(frozen=True, slots=True)
class BlockListNow:
    """One list: of a key blocking group, or of the whole system."""

    name: str
    blocked: frozenset[str] = frozenset()
    most: int = most("iloq-blocked-keys")


@dataclass(frozen=True, slots=True)
class CompiledList:
    """The list as it should be. `no_room`: keys that must be blocked and are not, for lack of room.

    `could_leave`: keys on the list that are proven to open nothing. Taking one off, which two people decide, makes room.
    """

    blocked: frozenset[str]
    no_room: tuple[str, ...] = ()
    could_leave: tuple[str, ...] = ()
    change: Change | None = None


def compile_block_list(
    now: BlockListNow,
    *,
    block: Iterable[str],
    unblock: Iterable[str] = (),
    proven_empty: Iterable[str] = (),
) -> CompiledList:
    """Compile one list. `block` in the order in which the keys were reported: the first finds room first.

    What leaves makes room at the next compilation, not at this one: it leaves the list after the others have joined.
    """
    joins = [key for key in dict.fromkeys(block) if key not in now.blocked]
    leaves = frozenset(unblock) & now.blocked - set(block)
    room = max(now.most - len(now.blocked), 0)
    put, left = joins[:room], tuple(joins[room:])
    steps = list_steps(block=put, unblock=leaves)
    change = Change(TargetKind.BLOCK_LIST, now.name, Carrier.SPREADS, steps) if steps else None
    could_leave = tuple(sorted(now.blocked & set(proven_empty) - leaves)) if left else ()
    return CompiledList((now.blocked | set(put)) - leaves, left, could_leave, change)
