"""What a CLIQ key is told, and carries: access list, validity, schedule, revalidation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class ValidityKind(StrEnum):
    """The three validities of a key (CLIQ Go guide)."""

    ALWAYS = "always"
    NEVER = "never"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """When a key is valid at all. ``starts_at`` may be open; an end is always given with ``between``."""

    kind: ValidityKind = ValidityKind.ALWAYS
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def allows(self, reading: datetime) -> bool:
        """Whether a key whose clock shows ``reading`` is valid."""
        if self.kind is not ValidityKind.BETWEEN:
            return self.kind is ValidityKind.ALWAYS
        if self.starts_at is not None and reading < self.starts_at:
            return False
        return self.ends_at is None or reading < self.ends_at


ALWAYS = Validity()
NEVER_VALID = Validity(kind=ValidityKind.NEVER)


@dataclass(frozen=True, slots=True, order=True)
class WeeklyRow:
    """One row of a weekly schedule: day (0 is Monday), and minutes from local midnight, the second one exclusive."""

    day: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlan:
    """The complete content of a key as somebody wants it; ``schedule`` ``None`` is no schedule.

    ``profile_ids``: access profiles tied to the key; ``from_profiles``: the entries that it has only through them.
    """

    cylinder_ids: frozenset[UUID] = frozenset()
    group_ids: frozenset[UUID] = frozenset()
    validity: Validity = ALWAYS
    schedule: tuple[WeeklyRow, ...] | None = None
    revalidation_minutes: int | None = None
    online_opening: bool = False
    profile_ids: frozenset[UUID] = frozenset()
    from_profiles: frozenset[UUID] = frozenset()

    @property
    def entries(self) -> int:
        """Entries of the access list: a group is one, whatever its size."""
        return len(self.cylinder_ids) + len(self.group_ids)


def in_schedule(schedule: tuple[WeeklyRow, ...] | None, local: datetime) -> bool:
    """Whether a local wall-clock time (naive) lies in a row."""
    if schedule is None:
        return True
    seconds = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
    return any(row.day == local.weekday() and row.start * 60 <= seconds < row.end * 60 for row in schedule)
