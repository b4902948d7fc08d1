"""What carries changes to keys and cylinders: updaters, programming keys and the visits that block a key.

In a system whose block list lives in each cylinder, a person has to carry a programming key there. A visit is one
cylinder on that round, and its outcome is known only when the programming key has come back to an updater.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["BlockVisit", "ProgrammingKey", "Updater", "VisitState", "place_visits"]


class VisitState(StrEnum):
    """How far one visit is, as far as anybody can know."""

    WAITING = "waiting"  # made, not yet in a programming key: it can still be given to another one
    LOADED = "loaded"  # in a programming key that has not come back
    DONE = "done"  # the cylinder holds the block
    FAILED = "failed"  # the programming key came back without having done it


@dataclass(frozen=True, slots=True)
class BlockVisit:
    """One cylinder that must be told that a key is blocked.

    Attributes:
        programming_key: the vendor's id of the programming key that has the task.
        done_at: by the programming key's clock, when the cylinder took it; known_at: when the system learned of it.
    """

    lock: str
    state: VisitState
    programming_key: str
    made_at: datetime
    done_at: datetime | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProgrammingKey:
    """A key that programs cylinders. `holder_ref` is the vendor's id of a person, never a name.

    `tasks`: everything that it holds or that waits for it, of any key; with `capacity` it says what still fits.
    """

    vendor_id: str
    marking: str
    capacity: int
    tasks: int
    last_seen_at: datetime | None
    last_seen_place: str | None = None
    holder_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Updater:
    """A place where a key gets its new program. `place` is the vendor's text, often an access point's code."""

    vendor_id: str
    kind: str
    place: str
    online: bool
    seen_at: datetime | None = None


def place_visits(
    locks: Sequence[str],
    programming_keys: Sequence[ProgrammingKey],
    waiting: Mapping[str, Collection[str]] | None = None,
) -> tuple[dict[str, list[str]], frozenset[str]]:
    """Give locks to programming keys with room; the second answer is what fits nowhere.

    One that has to go to a lock anyway (`waiting`: by lock, programming keys for which a task there waits) takes it along.
    Of the others the one that was seen last comes first: one that lies in a drawer never goes on a round. Same input, same
    answer.
    """
    ordered = sorted(
        programming_keys,
        key=lambda key: (-(key.last_seen_at.timestamp() if key.last_seen_at else 0.0), key.vendor_id),
    )
    room = {key.vendor_id: max(key.capacity - key.tasks, 0) for key in ordered}
    placed: dict[str, list[str]] = {}
    left: list[str] = []
    for lock in sorted(locks):
        shared = (waiting or {}).get(lock, ())
        carrier = next((name for name in room if name in shared and room[name]), None)
        if carrier is None:
            left.append(lock)
        else:
            placed.setdefault(carrier, []).append(lock)
            room[carrier] -= 1
    for name, free in room.items():
        if free and left:
            placed[name] = sorted([*placed.get(name, ()), *left[:free]])
            left = left[free:]
    return placed, frozenset(left)
