"""From the hands a key went through to who had it when: pure.

A desk acts when it acts; a cabinet's word may come hours late and out of order. So what was told is kept as it came,
put in order of when it happened, and read from the first to the last. The same words give the same answer in whatever
order they arrive. What does not fit together is a clash for a person to look at, never a silent change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from key2xs.core.ids import PersonId

Source: TypeAlias = Literal["desk", "cabinet"]
HandlingKind: TypeAlias = Literal["out", "back", "due"]
ClashKind: TypeAlias = Literal[
    "taken_while_out", "handed_out_while_out", "returned_by_other", "taken_by_unknown"
]

CLASHES: Final[frozenset[str]] = frozenset(
    {"taken_while_out", "handed_out_while_out", "returned_by_other", "taken_by_unknown"}
)
DISPUTES: Final = ("taken_while_out", "handed_out_while_out")
"""Clashes that leave two people who may have the key."""


@dataclass(frozen=True, slots=True)
class Handling:
    """One hand that a key went through.

    Attributes:
        mark: the order within one instant.
        person_id: who got or brought it; None when a cabinet did not know.
        giver_id: who gave it, where it went from one person to the next.
        place: the cabinet and slot.
    """

    id: UUID
    at: datetime
    source: Source
    kind: HandlingKind
    person_id: PersonId | None = None
    giver_id: PersonId | None = None
    crew_id: UUID | None = None
    due_at: datetime | None = None
    mark: str = "~"
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which one person had the key. `end` None: until further notice."""

    start: datetime
    end: datetime | None
    person_id: PersonId
    crew_id: UUID | None = None
    due_at: datetime | None = None
    source: Source = "desk"


@dataclass(frozen=True, slots=True)
class Clash:
    """A word that does not fit what was known before it."""

    kind: ClashKind
    handling_id: UUID
    at: datetime
    person_id: PersonId | None
    holder_id: PersonId | None


@dataclass(frozen=True, slots=True)
class Custodies:
    """Who had the key when, without overlap, and what did not fit."""

    spans: tuple[Span, ...]
    clashes: tuple[Clash, ...]


def in_order(handlings: Iterable[Handling]) -> list[Handling]:
    """Put handlings in the order in which they happened; at one instant the desk has the last word."""
    return sorted(handlings, key=lambda each: (each.at, each.source == "desk", each.mark, each.id))


def read_in_order(before: Span | None, handlings: Sequence[Handling]) -> Custodies:
    """Read handlings from the first to the last.

    Args:
        before: who had the key when the first one happened.
        handlings: in any order.
    """
    reading = _Reading(before)
    for each in in_order(handlings):
        if each.kind == "out" and each.person_id is None:
            reading.taken_by_unknown(each)
        elif each.kind == "out" and each.source == "desk":
            reading.handed_out(each, each.person_id)  # type: ignore[arg-type]
        elif each.kind == "out":
            reading.taken(each, each.person_id)  # type: ignore[arg-type]
        elif each.kind == "back":
            reading.came_back(each)
        else:
            reading.due_moved(each)
    return reading.result()


class _Reading:
    """The state while reading."""

    def __init__(self, before: Span | None) -> None:
        self._now = replace(before, end=None) if before else None
        self._spans: list[Span] = []
        self._clashes: list[Clash] = []

    def handed_out(self, each: Handling, person: PersonId) -> None:
        """The desk's own act counts: somebody had the key in hand when it was done."""
        now = self._now
        if now is not None and now.person_id == person and each.giver_id is None:
            # Told twice: at the cabinet, and at the desk, which knows more about it.
            self._now = replace(now, crew_id=each.crew_id, due_at=each.due_at or now.due_at)
            return
        if now is not None and each.giver_id != now.person_id:
            self._clash("handed_out_while_out", each)
        self._close(each.at)
        self._open(each, person)

    def taken(self, each: Handling, person: PersonId) -> None:
        """A cabinet gave it out."""
        now = self._now
        if now is None:
            self._open(each, person)
        elif now.person_id != person:
            self._clash("taken_while_out", each)

    def taken_by_unknown(self, each: Handling) -> None:
        """Somebody took it, and nobody known goes by what the cabinet says."""
        self._clash("taken_by_unknown", each)

    def came_back(self, each: Handling) -> None:
        """It is where keys belong; who had it before is not asked."""
        now = self._now
        other = now is not None and each.person_id is not None and each.person_id != now.person_id
        if other and each.source == "cabinet":
            self._clash("returned_by_other", each)
        self._close(each.at)

    def due_moved(self, each: Handling) -> None:
        """It is due at another time; a cabinet that calls it overdue makes it due then, never later."""
        now = self._now
        if now is None:
            return
        due = each.due_at
        if each.source == "cabinet" and now.due_at is not None and due is not None:
            due = min(due, now.due_at)
        self._now = replace(now, due_at=due)

    def result(self) -> Custodies:
        """Return everything read."""
        spans = [*self._spans, *([self._now] if self._now else [])]
        return Custodies(tuple(spans), tuple(self._clashes))

    def _open(self, each: Handling, person: PersonId) -> None:
        self._now = Span(each.at, None, person, each.crew_id, each.due_at, each.source)

    def _close(self, at: datetime) -> None:
        if self._now is not None and self._now.start < at:
            self._spans.append(replace(self._now, end=at))
        self._now = None

    def _clash(self, kind: ClashKind, each: Handling) -> None:
        holder = self._now.person_id if self._now else None
        self._clashes.append(Clash(kind, each.id, each.at, each.person_id, holder))
