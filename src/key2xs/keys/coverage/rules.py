"""How far a memory is known: pure.

Two kinds of makers, two kinds of proof. One numbers the rows of a lock: rows that follow each other without a gap are
all there were from the first to the last of them, and nothing is said beyond the last. The other tells that a memory
was read as a whole: then it is known up to the reading, and back to the reading before, unless so many rows came in
between that the oldest may have been lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import pairwise
from typing import Final, Literal, TypeAlias

Standing: TypeAlias = Literal["unknown", "old", "rows_missing", "read"]

STANDINGS: Final[tuple[Standing, ...]] = ("unknown", "old", "rows_missing", "read")
"""Worst first."""
OLD_AFTER: Final = timedelta(days=30)
MISSING_FOR: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one lock whose numbers follow each other.

    Attributes:
        first, last: their numbers.
        rows: how many there are; more than numbers when a number came twice.
        begins: when the first was written at the latest.
        ends: when the last with a trusted time was written at the earliest; None when none has one.
    """

    first: int
    last: int
    rows: int
    begins: datetime
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Span:
    """Time of which a memory is known completely, both ends included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows that were written and are not here. `rows` None: nobody can say how many, perhaps none.

    `after` and `before` are when the rows beside it were written, as far as that is known. `lost`: the memory was wiped,
    so they will never come.
    """

    after: datetime | None
    before: datetime
    rows: int | None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far something was read: spans and gaps in order of time. Nothing outside a span may be claimed."""

    spans: tuple[Span, ...] = ()
    gaps: tuple[Gap, ...] = ()
    restarted: bool = False
    """The numbers of its rows do not rise with time: another lock in its place, perhaps. Nothing is claimed then."""

    @property
    def read_up_to(self) -> datetime | None:
        """The last complete reading; None when it is not known."""
        return self.spans[-1].end if self.spans else None

    @property
    def whole_since(self) -> datetime | None:
        """Since when nothing is missing up to `read_up_to`."""
        return self.spans[-1].start if self.spans else None

    @property
    def rows_missing(self) -> int:
        """How many rows are missing for sure."""
        return sum(gap.rows or 0 for gap in self.gaps)

    def covers(self, start: datetime, end: datetime) -> bool:
        """Tell whether everything between two instants was read."""
        return any(span.start <= start and end <= span.end for span in self.spans)


NOTHING: Final = Coverage()


def from_numbers(stretches: Iterable[Stretch], margin: timedelta) -> Coverage:
    """Return how far a lock with numbered rows is known; clocks may be off by `margin` either way."""
    ordered = sorted(stretches, key=lambda each: each.first)
    if _restarted(ordered, margin):
        return Coverage(restarted=True)
    spans = [
        Span(each.begins + margin, each.ends - margin)
        for each in ordered
        if each.ends is not None and each.begins + margin < each.ends - margin
    ]
    gaps = [
        Gap(before.ends, after.begins, after.first - before.last - 1) for before, after in pairwise(ordered)
    ]
    return Coverage(tuple(spans), tuple(gaps))


def _restarted(ordered: Sequence[Stretch], margin: timedelta) -> bool:
    """Numbers that come twice, or a later number at an earlier time, are not of one memory."""
    if any(each.rows > each.last - each.first + 1 for each in ordered):
        return True
    latest: datetime | None = None
    for each in ordered:
        if latest is not None and each.begins + 2 * margin < latest:
            return True
        if each.ends is not None and each.ends + 2 * margin < each.begins:
            return True
        latest = each.ends or latest
    return False


@dataclass(frozen=True, slots=True)
class Run:
    """Readings that follow each other without a loss. `wiped`: it begins with a wipe of the memory."""

    start: datetime
    end: datetime
    wiped: bool = False


def from_readings(runs: Iterable[Run], margin: timedelta) -> Coverage:
    """Return how far a memory is known that was read as a whole now and then."""
    ordered = sorted(runs, key=lambda each: (each.start, each.end))
    spans = [
        Span(each.start + margin, each.end - margin)
        for each in ordered
        if each.start + margin < each.end - margin
    ]
    gaps = [Gap(before.end, after.start, None, after.wiped) for before, after in pairwise(ordered)]
    if ordered and ordered[0].wiped:
        gaps.insert(0, Gap(None, ordered[0].start, None, lost=True))
    return Coverage(tuple(spans), tuple(gaps))


def may_have_lost(rows_since: int, holds: int) -> bool:
    """Tell whether a memory may have lost rows between two readings.

    Lost rows leave it full of rows that are newer than the reading before. All of those are here, by whatever way
    they came, so fewer rows than it holds prove that nothing was lost.
    """
    return rows_since >= holds


def either(one: Coverage, other: Coverage) -> Coverage:
    """Combine two memories each of which would tell: an opening is written into the key and into the cylinder."""
    merged: list[Span] = []
    for span in sorted((*one.spans, *other.spans), key=lambda each: each.start):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    gaps = sorted((*one.gaps, *other.gaps), key=lambda each: each.before)
    open_gaps = [gap for gap in gaps if not _inside(gap, merged)]
    return Coverage(
        tuple(merged), tuple(open_gaps), restarted=(one.restarted or other.restarted) and not merged
    )


def _inside(gap: Gap, spans: Iterable[Span]) -> bool:
    return gap.after is not None and any(s.start <= gap.after and gap.before <= s.end for s in spans)


def together(parts: Sequence[Coverage]) -> Coverage:
    """Combine memories all of which must be known: a key that keeps no memory is in those of its locks."""
    if not parts:
        return NOTHING
    spans = reduce(_common, (part.spans for part in parts))
    gaps = sorted((gap for part in parts for gap in part.gaps), key=lambda each: each.before)
    return Coverage(spans, tuple(gaps), restarted=any(part.restarted for part in parts))


def _common(ours: tuple[Span, ...], theirs: tuple[Span, ...]) -> tuple[Span, ...]:
    found = (Span(max(one.start, other.start), min(one.end, other.end)) for one in ours for other in theirs)
    return tuple(sorted((each for each in found if each.start < each.end), key=lambda each: each.start))


def standing(coverage: Coverage, now: datetime, old_after: timedelta = OLD_AFTER) -> Standing:
    """Say in a word how good it is."""
    if coverage.read_up_to is None:
        return "unknown"
    if now - coverage.read_up_to > old_after:
        return "old"
    recent = [gap for gap in coverage.gaps if gap.before >= now - MISSING_FOR]
    return "rows_missing" if recent else "read"


def badness(coverage: Coverage, stands: Standing) -> tuple[int, float, int]:
    """Sort by it and the worst comes first: not known, longest not read, most rows missing."""
    reached = coverage.read_up_to
    since = reached.timestamp() if reached is not None else 0.0
    return (STANDINGS.index(stands), since, -coverage.rows_missing)
