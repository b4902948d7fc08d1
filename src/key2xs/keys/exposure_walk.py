"""The order in which to walk some places: nearest first, then without crossings. Pure and deterministic.

Distances are straight lines over the ground; pipe racks, fences and stairs make the real way longer. Places without
coordinates come last, by area and unit, and count nothing.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from key2xs.plant.distance import metres_between

__all__ = ["Leg", "Stop", "Walk", "plan_walk"]

_MOST_STARTS: Final = 12
_TRIES: Final = 600  # starts times stops: long walks are tried from fewer starts
_MOST_ROUNDS: Final = 30
_STRETCH: Final = 50  # stops in a stretch that is turned round, so that a long walk stays quick to plan


@dataclass(frozen=True, slots=True, order=True)
class Stop:
    """One place to go to, and the cylinders there. Ordered as places without coordinates are walked."""

    area: str
    unit: str
    place: str
    name: str = ""
    cylinders: tuple[str, ...] = ()
    lat: float | None = None
    lon: float | None = None

    @property
    def is_placed(self) -> bool:
        """Whether it is known where it lies."""
        return self.lat is not None and self.lon is not None


@dataclass(frozen=True, slots=True)
class Leg:
    """One stop of a walk. `metres` from the stop before; None for the first one, and where either has no coordinates."""

    stop: Stop
    metres: int | None


@dataclass(frozen=True, slots=True)
class Walk:
    """Some stops in order. `metres` is the straight-line length over the stops that have coordinates."""

    legs: tuple[Leg, ...]
    metres: int
    unplaced: int
    """Stops without coordinates, at the end."""
    left_out: int = 0
    """Places that are too many for one walk."""


def plan_walk(stops: Sequence[Stop]) -> Walk:
    """Return a short way over all stops: the same stops give the same way, in whatever order they come."""
    placed = sorted((stop for stop in stops if stop.is_placed), key=_by_name)
    unplaced = sorted((stop for stop in stops if not stop.is_placed), key=_by_name)
    apart = [[metres_between(one, other) or 0 for other in placed] for one in placed]
    starts = min(len(placed), _MOST_STARTS, max(1, _TRIES // max(len(placed), 1)))
    tours = [_uncrossed(_nearest_first(apart, start), apart) for start in range(starts)]
    best = min(tours, key=lambda tour: (_length(tour, apart), tour), default=[])
    legs = [Leg(placed[index], apart[best[n - 1]][index] if n else None) for n, index in enumerate(best)] + [
        Leg(stop, None) for stop in unplaced
    ]
    return Walk(tuple(legs), _length(best, apart), len(unplaced))


def _by_name(stop: Stop) -> tuple[str, str, str, tuple[str, ...]]:
    return (stop.area, stop.unit, stop.place, stop.cylinders)


def _nearest_first(apart: Sequence[Sequence[int]], start: int) -> list[int]:
    tour, left = [start], set(range(len(apart))) - {start}
    while left:
        row = apart[tour[-1]]
        nearest = min(left, key=lambda index: (row[index], index))
        tour.append(nearest)
        left.remove(nearest)
    return tour


def _uncrossed(tour: list[int], apart: Sequence[Sequence[int]]) -> list[int]:
    """2-opt on an open path: turn a stretch round as long as that makes the way shorter."""
    for _ in range(_MOST_ROUNDS):
        better = False
        for first in range(len(tour) - 1):
            for last in range(first + 1, min(len(tour), first + _STRETCH)):
                if _gain(tour, apart, first, last) > 0:
                    tour[first : last + 1] = tour[first : last + 1][::-1]
                    better = True
        if not better:
            break
    return tour


def _gain(tour: Sequence[int], apart: Sequence[Sequence[int]], first: int, last: int) -> int:
    gain = 0
    if first > 0:
        gain += apart[tour[first - 1]][tour[first]] - apart[tour[first - 1]][tour[last]]
    if last < len(tour) - 1:
        gain += apart[tour[last]][tour[last + 1]] - apart[tour[first]][tour[last + 1]]
    return gain


def _length(tour: Sequence[int], apart: Sequence[Sequence[int]]) -> int:
    return sum(apart[one][other] for one, other in itertools.pairwise(tour))
