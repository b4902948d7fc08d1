"""What a connection still lacks before it can be relied on, in words for whoever has to put it right.

A connector that can look at its own account implements `Examined`; locks are judged by what was listed last.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

__all__ = ["Examined", "Finding", "Weight"]


class Weight(StrEnum):
    """How much a finding matters."""

    FINE = "fine"  # looked at, and as it should be
    NOTE = "note"  # true of this site and worth knowing; nothing has to be done
    WEAKENS = "weakens"  # it works, but an end date or a bound cannot be relied on somewhere
    STOPS = "stops"  # nothing works, or nothing works there, until a person acts
    NOT_CHECKED = "not_checked"  # it could not be looked at; says nothing either way


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        check: what was looked at, a short code that stays the same.
        says: what was found; does: what has to be done about it; who: by whom.
        names: rights, options or locks that it is about; the report cuts long lists and keeps `count`.
    """

    check: str
    weight: Weight
    says: str
    who: str = ""
    does: str = ""
    names: tuple[str, ...] = ()
    count: int = 0


@runtime_checkable
class Examined(Protocol):
    """A connector that can say what its own account and the key system's options lack."""

    async def examine(self) -> tuple[Finding, ...]:
        """Look at everything, and go on after the first thing that is missing. `CallFailed` when nobody answers."""
        ...
