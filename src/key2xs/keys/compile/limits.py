"""Every limit of a device as data: the number, what it counts, who says so, and how sure that is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from key2xs.keys.program import Program

__all__ = [
    "LIMITS",
    "SLOT_COSTS",
    "Limit",
    "Mark",
    "SlotUse",
    "iloq_slots",
    "most",
    "slots_of",
]


class Mark(StrEnum):
    """How sure a limit is."""

    DOCUMENTED = "documented"
    RECOMMENDED = "recommended"  # the maker advises it; devices take more


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. `most` counts `unit` at one `per`."""

    id: str
    most: int
    unit: str
    per: str
    source: str
    mark: Mark


_OAS: Final = "iLOQ Public API v2, TimeLimitSlot, read 2026-11"
_BLOCKLIST: Final = "iLOQ support, Blocked keys (blocklist), 5 Series Plus, read 2026-11"
_CLIQ_UK: Final = "ASSA ABLOY UK, CLIQ Remote FAQ, older generation, read 2026-11"
_CLIQ_DE: Final = "ASSA ABLOY / IKON, CLIQ Software FAQ, read 2026-11"

LIMITS: Final[Mapping[str, Limit]] = {
    limit.id: limit
    for limit in (
        Limit("iloq-slots", 10, "slots", "key", _OAS, Mark.DOCUMENTED),
        Limit("iloq-slots-newer-locks", 23, "slots", "key", _OAS, Mark.DOCUMENTED),
        Limit("iloq-blocked-keys", 500, "blocked keys", "key blocking group", _BLOCKLIST, Mark.DOCUMENTED),
        Limit("cliq-key-groups", 200, "key groups", "cylinder", _CLIQ_UK, Mark.DOCUMENTED),
        Limit("cliq-blocked-keys", 3_000, "blocked keys", "cylinder", _CLIQ_UK, Mark.DOCUMENTED),
        Limit("cliq-jobs", 30, "jobs", "programming key", _CLIQ_DE, Mark.RECOMMENDED),
    )
}
"""The list in a CLIQ key has a limit too, which no public source names: the connector reads it from the system."""


class SlotUse(StrEnum):
    """What takes slots in an iLOQ key."""

    START = "start"
    END = "end"
    PROFILE_START = "profile_start"
    PROFILE_END = "profile_end"
    WEEKLY_ROW = "weekly_row"


SLOT_COSTS: Final[Mapping[SlotUse, int]] = dict.fromkeys(SlotUse, 1)
"""iLOQ Public API v2, TimeLimitSlot, read 2026-11: each of them takes one slot."""

_NEWER: Final = {"C5": 138, "D5": 135}  # lock firmware from which a key may use 23 slots; same source


def most(limit: str) -> int:
    """Return the number of a limit."""
    return LIMITS[limit].most


def slots_of(program: Program, *, profile_starts: int = 0, profile_ends: int = 0) -> int:
    """Count the slots that a program takes.

    ASSUMPTION: a weekly row is counted for each day although one row may name several days: never too few.
    """
    uses = {
        SlotUse.START: int(program.starts_at is not None),
        SlotUse.END: int(program.ends_at is not None),
        SlotUse.PROFILE_START: profile_starts,
        SlotUse.PROFILE_END: profile_ends,
        SlotUse.WEEKLY_ROW: len(program.schedule or ()),
    }
    return sum(SLOT_COSTS[use] * count for use, count in uses.items())


def iloq_slots(locks: Iterable[tuple[str, int | None]]) -> int:
    """Return the slots of a key that is used at these locks, each with its family and firmware.

    One lock that is older, or of which this is not known, holds the key to the smaller number.
    """
    known = list(locks)
    newer = bool(known) and all(
        version is not None and family in _NEWER and version >= _NEWER[family] for family, version in known
    )
    return most("iloq-slots-newer-locks" if newer else "iloq-slots")
