"""Exposure added up: per key, person, company or security zone, the worst first. Pure; time is an argument."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from .exposure_types import ExposureKind

__all__ = ["Group", "OpenPair", "add_up"]

_ORDER: Final = (ExposureKind.PROVEN_END, ExposureKind.BOUND, ExposureKind.NO_BOUND)


@dataclass(frozen=True, slots=True)
class OpenPair:
    """A key and a cylinder at which its right was ended. `until` None: nothing ends it by itself."""

    key_id: UUID
    stamp: str
    person_id: UUID | None
    cylinder_id: UUID
    kind: ExposureKind
    until: datetime | None

    def kind_at(self, at: datetime) -> ExposureKind:
        """What it is at an instant: a bound that is over is as good as a proven end."""
        if self.kind is ExposureKind.NO_BOUND:
            return self.kind
        is_over = self.until is not None and self.until <= at
        return ExposureKind.PROVEN_END if is_over else self.kind


@dataclass(frozen=True, slots=True)
class Group:
    """The keys of one name. `until` is the latest end; None where one has none, and where everything has ended."""

    name: str
    kind: ExposureKind
    until: datetime | None
    no_bound: int
    """Keys that nothing ends by itself somewhere."""
    bound: int
    """Keys that stop by themselves everywhere, and have not yet."""
    proven: int
    """Keys that surely open none of these cylinders any more."""
    cylinders: int
    """Cylinders that may still be opened by one of the keys."""


def add_up(
    pairs: Iterable[OpenPair], at: datetime, names: Callable[[OpenPair], Iterable[str]]
) -> list[Group]:
    """Return the groups, the worst first: no bound, then the latest bound, then what has ended; then the larger one."""
    groups: dict[str, list[OpenPair]] = {}
    for pair in pairs:
        for name in names(pair):
            groups.setdefault(name, []).append(pair)
    return sorted((_group(name, members, at) for name, members in groups.items()), key=_worst_first)


def _group(name: str, pairs: Iterable[OpenPair], at: datetime) -> Group:
    worst: dict[UUID, ExposureKind] = {}
    cylinders: set[UUID] = set()
    ends: list[datetime] = []
    for pair in pairs:
        kind = pair.kind_at(at)
        worst[pair.key_id] = max(worst.get(pair.key_id, kind), kind, key=_ORDER.index)
        if kind is not ExposureKind.PROVEN_END:
            cylinders.add(pair.cylinder_id)
        if kind is ExposureKind.BOUND and pair.until is not None:
            ends.append(pair.until)
    kinds = list(worst.values())
    kind = max(kinds, key=_ORDER.index, default=ExposureKind.PROVEN_END)
    return Group(
        name,
        kind,
        max(ends, default=None) if kind is ExposureKind.BOUND else None,
        kinds.count(ExposureKind.NO_BOUND),
        kinds.count(ExposureKind.BOUND),
        kinds.count(ExposureKind.PROVEN_END),
        len(cylinders),
    )


def _worst_first(group: Group) -> tuple[int, float, int, int, str]:
    later = -group.until.timestamp() if group.until is not None else 0.0
    return (-_ORDER.index(group.kind), later, -group.no_bound, -group.cylinders, group.name)
