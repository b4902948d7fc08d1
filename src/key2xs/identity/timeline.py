"""What a new statement does to the timeline of a fact. Pure: no database, no clock.

A source states how things are from some instant on. What it said before about the time before that instant stays
as history; what it said about later times is replaced. Nothing is overwritten: a replaced row stays, closed in
`known`, so that "as known then" keeps its answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, start included, end not; None is open."""

    start: datetime | None
    end: datetime | None

    @property
    def empty(self) -> bool:
        """Tell whether no instant lies inside."""
        return self.start is not None and self.end is not None and self.start >= self.end

    def contains(self, at: datetime) -> bool:
        """Tell whether `at` lies inside."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)

    def before(self, cut: datetime | None) -> "Span | None":
        """Return the part before `cut`, or None when nothing is left."""
        if cut is None:
            return None
        part = Span(self.start, cut if self.end is None else min(self.end, cut))
        return None if part.empty else part


@dataclass(frozen=True, slots=True)
class Stated:
    """One row of a timeline as it is known now."""

    id: int
    span: Span
    value: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Splice:
    """Which rows to close and which to write instead."""

    close: tuple[int, ...]
    write: tuple[tuple[Span, tuple[Any, ...]], ...]

    @property
    def changes(self) -> bool:
        """Tell whether anything is different afterwards."""
        return bool(self.close or self.write)


def restate(known: Sequence[Stated], new: tuple[Span, tuple[Any, ...]] | None, *, at: datetime) -> Splice:
    """Work out how a timeline changes when a source states at `at` how it is from now on.

    Args:
        known: the rows known now, in any order.
        new: what is true according to the statement, or None when it says that nothing is.
        at: when it was stated. The past before both `at` and the start of `new` is left as it was.
    """
    cut = at if new is None else _earlier(at, new[0].start)
    affected = [row for row in known if row.span.end is None or cut is None or row.span.end > cut]
    kept = [(part, row.value) for row in affected if (part := row.span.before(cut))]
    write = _join(kept, new)
    unchanged = sorted(((row.span, row.value) for row in affected), key=_order) == sorted(write, key=_order)
    return Splice((), ()) if unchanged else Splice(tuple(row.id for row in affected), tuple(write))


def _join(
    kept: list[tuple[Span, tuple[Any, ...]]], new: tuple[Span, tuple[Any, ...]] | None
) -> list[tuple[Span, tuple[Any, ...]]]:
    """Add the new stretch, growing the one it continues: `active` said twice is one stretch, not two."""
    if new is None:
        return kept
    span, value = new
    for place, (part, before) in enumerate(kept):
        if before == value and part.end is not None and part.end == span.start:
            return [*kept[:place], *kept[place + 1 :], (Span(part.start, span.end), value)]
    return [*kept, new]


def _earlier(at: datetime, start: datetime | None) -> datetime | None:
    return None if start is None else min(at, start)


def _order(item: tuple[Span, tuple[Any, ...]]) -> tuple[bool, str]:
    start = item[0].start
    return start is not None, start.isoformat() if start else ""
