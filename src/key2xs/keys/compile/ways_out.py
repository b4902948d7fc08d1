"""What helps where a grant stays out of a key: the cheapest first, as data.

Cheap means: few devices that somebody must walk to, then few decisions of other people. Nothing here is ever done by
itself: each way out is a proposal to a person.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from key2xs.keys.carry import CannotCarry, CannotWhy, Covers, GrantToCarry, KeyLimits

__all__ = ["OtherKey", "Way", "WayOut", "ways_of_key", "ways_out"]

_MOST_EXTRA: Final = 5  # further locks that anybody would seriously approve for the sake of a right


class Way(StrEnum):
    """Ways out; for equal cost the earlier comes first."""

    OTHER_KEY = "other_key"  # the holder has a key that carries it, or can
    WHOLE_STEPS = "whole_steps"  # a window that the key system can store
    WAIT = "wait"  # room comes free when another grant ends
    SPLIT_WINDOW = "split_window"  # each part goes onto the key when it begins
    USE_RIGHT = "use_right"  # a right would do if a few more locks were approved
    HAND_OUT = "hand_out"  # another key from the desk
    MAKE_RIGHT = "make_right"  # a right or group for exactly these locks, made in the key system


_RANK: Final[Mapping[Way, int]] = {way: rank for rank, way in enumerate(Way)}


@dataclass(frozen=True, slots=True)
class OtherKey:
    """Another key of the same holder and which grants it carries."""

    key: str
    stamp: str
    carries: frozenset[str]
    by_air: bool = False


@dataclass(frozen=True, slots=True)
class WayOut:
    """One way out. `visits`: devices to walk to; `decisions`: people to ask. The rest says with what."""

    way: Way
    visits: int
    decisions: int = 0
    key: str | None = None
    stamp: str | None = None
    right: str | None = None
    locks: tuple[str, ...] = ()
    at: datetime | None = None
    minutes: int | None = None

    @property
    def cost(self) -> tuple[int, int, int, str]:
        """Order ways out: the cheapest first, always the same."""
        return self.visits, self.decisions, _RANK[self.way], self.stamp or self.right or ""

    def as_json(self) -> dict[str, Any]:
        """Return it for storing; what it does not say is left out."""
        found: dict[str, Any] = {
            "way": str(self.way),
            "visits": self.visits,
            "decisions": self.decisions,
            "key": self.key,
            "stamp": self.stamp,
            "right": self.right,
            "locks": list(self.locks) or None,
            "at": self.at.isoformat() if self.at is not None else None,
            "minutes": self.minutes,
        }
        return {name: value for name, value in found.items() if value is not None}


def ways_out(
    ask: GrantToCarry,
    cannot: CannotCarry,
    covers: Covers,
    limits: KeyLimits,
    *,
    others: Iterable[OtherKey] = (),
    room_from: datetime | None = None,
) -> tuple[WayOut, ...]:
    """Return what helps, cheapest first. `room_from`: when the first grant that takes the room away ends."""
    found = _on_another_key(ask.grant, others)
    match cannot.why:
        case CannotWhy.NO_RIGHT_INSIDE:
            found += [*_larger_right(ask, cannot.locks, covers), _new_right(cannot.locks)]
        case CannotWhy.WINDOW_BELOW_GRID:
            found.append(
                WayOut(Way.WHOLE_STEPS, 0, 1, minutes=int(limits.grid.total_seconds() // 60)),
            )
        case CannotWhy.NO_SLOT:
            found.append(WayOut(Way.HAND_OUT, 1))
            if limits.free_slots >= 1:
                found.append(WayOut(Way.SPLIT_WINDOW, 1, at=ask.starts_at))
        case CannotWhy.TOO_MANY_RIGHTS:
            found += [WayOut(Way.HAND_OUT, 1), _new_right(ask.locks)]
            if room_from is not None and room_from < ask.ends_at:
                found.append(WayOut(Way.WAIT, 0, at=room_from))
        case CannotWhy.NO_KEY:
            found.append(WayOut(Way.HAND_OUT, 1))
        case CannotWhy.NO_LOCK:
            pass  # no key helps: the register of locks is wrong, or the list is not read yet
    return tuple(sorted(found, key=lambda way: way.cost))


def ways_of_key(grant: str, others: Iterable[OtherKey]) -> tuple[WayOut, ...]:
    """Return what helps where the key itself is the reason: one that is reported, for emergencies, or not ours."""
    found = [*_on_another_key(grant, others), WayOut(Way.HAND_OUT, 1)]
    return tuple(sorted(found, key=lambda way: way.cost))


def _on_another_key(grant: str, others: Iterable[OtherKey]) -> list[WayOut]:
    return [
        WayOut(Way.OTHER_KEY, 0 if other.by_air else 1, key=other.key, stamp=other.stamp)
        for other in others
        if grant in other.carries
    ]


def _larger_right(ask: GrantToCarry, missing: frozenset[str], covers: Covers) -> Sequence[WayOut]:
    """Return the right that needs the fewest further locks; more than a few is no way out."""
    extra = {
        right.right: right.locks - ask.locks for right in covers.reaching(missing) if missing <= right.locks
    }
    best = min(extra, key=lambda name: (len(extra[name]), name), default=None)
    if best is None or len(extra[best]) > _MOST_EXTRA:
        return ()
    return (WayOut(Way.USE_RIGHT, 0, 1, right=best, locks=tuple(sorted(extra[best]))),)


def _new_right(locks: frozenset[str]) -> WayOut:
    """A new right reaches a lock when somebody programs it."""
    return WayOut(Way.MAKE_RIGHT, len(locks), 1, locks=tuple(sorted(locks)))
