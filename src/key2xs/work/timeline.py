"""From the events known about a permit to its state at every instant.

The stored state is a pure function of the *set* of events known, taken in the order of their sequence. So events may
arrive twice, late, or in any order, and the end is the same; a late one changes the past it belongs to. What the
function never does is to give more than the newest known event says.

    in           events of one permit, stops of its area
    out          stretches of time, each with a state; what the newest one lacks; what looks wrong
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from .states import ENDED, NARROWING, PLANNED, State, is_legal, narrowest_of

Place = tuple[str, str]
"""Scheme and id of an asset, or ("point:" + kind, id) of a point."""

# Senders number events when they make them, so times rise with sequences. More than this against it is not a late
# message but a sender that starts counting again, and then neither order can be trusted.
TIME_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Told:
    """What one event says, as far as the order of events matters. Findings of its own come along."""

    sequence: int
    event_id: str
    verb: str
    told_at: datetime
    state: State
    valid_from: datetime
    valid_to: datetime
    revision: int
    places: frozenset[Place] = frozenset()
    approved_at: datetime | None = None
    """The newest approval in it."""
    suspends: str | None = None
    """Why the permit cannot be live although the sender says so: `gas_unsafe`, `attendant_lost`."""
    findings: tuple[str, ...] = ()
    content: str = ""
    """Equal for events that say the same."""
    readable: bool = True
    """False for an event that could not be understood beyond its permit and sequence."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Everything in the permit's area stopped."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which a permit has one state; it lasts until the next one begins."""

    starts_at: datetime
    state: State
    cause: str
    """`event`, `gas_unsafe`, `attendant_lost`, `illegal_move`, `clock`, `area_stop`, ..."""
    sequence: int
    valid_from: datetime
    valid_to: datetime
    withheld: frozenset[Place] = frozenset()
    """Places that the sender added and nobody approved yet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that looks wrong, for the page of the permit."""

    sequence: int
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A permit's states over time."""

    stretches: tuple[Stretch, ...]
    findings: tuple[Finding, ...]
    gaps: tuple[int, ...]
    """Sequences after which at least one is missing: the permit should be fetched."""

    @property
    def newest(self) -> int:
        """The highest sequence known, 0 without events."""
        return max((stretch.sequence for stretch in self.stretches), default=0)

    def at(self, at: datetime) -> Stretch | None:
        """Return the stretch an instant lies in; None before the first one."""
        found = None
        for stretch in self.stretches:
            if stretch.starts_at > at:
                break
            found = stretch
        return found


@dataclass
class _Fold:
    """The walk along the events. `base` is the last state that was established: an unknown one is not."""

    stops: list[Stop]
    stretches: list[Stretch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    base: State = "unknown"
    before: Told | None = None
    approved_at: datetime | None = None
    places: frozenset[Place] = frozenset()

    @property
    def last(self) -> Stretch:
        return self.stretches[-1]

    def note(self, told: Told, code: str, text: str) -> None:
        self.findings.append(Finding(told.sequence, code, text))

    def push(self, stretch: Stretch) -> None:
        """Add a stretch. One that begins where the last began replaces it."""
        if self.stretches and self.last.starts_at >= stretch.starts_at:
            self.stretches.pop()
        self.stretches.append(stretch)

    def pass_time(self, until: datetime | None) -> None:
        """Let the clock and the area stops act up to an instant; None: for ever."""
        while self.stops and (until is None or self.stops[0].at < until):
            stop = self.stops.pop(0)
            self.expire(stop.at)
            self.stop(stop)
        self.expire(until)

    def expire(self, until: datetime | None) -> None:
        if not self.stretches or self.last.state not in {"live", "test"}:
            return
        ends = max(self.last.valid_to, self.last.starts_at)
        if until is None or ends <= until:
            # The sender did not say *expired*, so a revalidation may still follow; `base` stays.
            self.push(replace(self.last, starts_at=ends, state="expired", cause="clock"))

    def stop(self, stop: Stop) -> None:
        if not self.stretches or self.base in ENDED | PLANNED:
            return
        self.base = "cancelled"
        at = max(stop.at, self.last.starts_at)
        self.push(replace(self.last, starts_at=at, state="cancelled", cause="area_stop"))


def fold(events: Iterable[Told], stops: Iterable[Stop] = ()) -> Timeline:
    """Work out a permit's states from all events and stops known about it, in whatever order they come."""
    walk = _Fold(sorted(stops, key=lambda stop: (stop.at, stop.id)))
    ordered = _one_per_sequence(events, walk)
    gaps = [one.sequence for one, other in pairwise(ordered) if other.sequence > one.sequence + 1]
    for told in ordered:
        starts_at = max(told.told_at, walk.last.starts_at) if walk.stretches else told.told_at
        if walk.stretches:
            walk.pass_time(starts_at)
            starts_at = max(starts_at, walk.last.starts_at)
        else:
            walk.stops = [stop for stop in walk.stops if stop.at >= told.told_at]
        _step(walk, told, starts_at, after_gap=walk.before is not None and walk.before.sequence in gaps)
    walk.pass_time(None)
    return Timeline(tuple(walk.stretches), tuple(walk.findings), tuple(gaps))


def _one_per_sequence(events: Iterable[Told], walk: _Fold) -> list[Told]:
    groups: dict[int, list[Told]] = {}
    for told in events:
        groups.setdefault(told.sequence, []).append(told)
    return [_settle(group, walk) for _, group in sorted(groups.items())]


def _settle(group: list[Told], walk: _Fold) -> Told:
    """Return the one event of a sequence. Two that differ give the narrower state, or unknown."""
    readable = [told for told in group if told.readable] or group
    by_content = {
        told.content: told for told in sorted(readable, key=lambda told: told.event_id, reverse=True)
    }
    candidates = sorted(by_content.values(), key=lambda told: (told.content, told.event_id))
    first = candidates[0]
    if len(candidates) == 1:
        return first
    walk.note(
        first, "sequence_conflict", f"{len(candidates)} different events have sequence {first.sequence}"
    )
    return replace(
        first,
        told_at=max(told.told_at for told in candidates),
        state=narrowest_of(told.state for told in candidates),
        places=frozenset.intersection(*(told.places for told in candidates)),
        valid_to=min(told.valid_to for told in candidates),
    )


def _step(walk: _Fold, told: Told, starts_at: datetime, *, after_gap: bool) -> None:
    for text in told.findings:
        walk.note(told, "contradiction", text)
    approved = _freshly_approved(walk, told)
    state, cause = _next_state(walk, told, approved=approved, after_gap=after_gap)
    valid_from, valid_to = _window(walk, told, approved=approved)
    withheld = _withheld(walk, told, approved=approved)
    if state != "unknown":
        walk.base = state
    walk.before = told if told.readable else walk.before
    if told.approved_at:
        walk.approved_at = max(told.approved_at, walk.approved_at or told.approved_at)
    walk.push(Stretch(starts_at, state, cause, told.sequence, valid_from, valid_to, withheld))


def _freshly_approved(walk: _Fold, told: Told) -> bool:
    if told.approved_at is None:
        return False
    return walk.approved_at is None or told.approved_at > walk.approved_at


def _next_state(walk: _Fold, told: Told, *, approved: bool, after_gap: bool) -> tuple[State, str]:
    if walk.base in ENDED:
        if told.state not in ENDED:
            walk.note(told, "ended", f"the permit is {walk.base}; going on needs a new permit")
        return walk.base, walk.last.cause
    if not told.readable:
        kept = walk.base if walk.base in NARROWING else "unknown"
        return told.state if told.state in NARROWING else kept, "unreadable"
    wanted: State = "suspended" if told.suspends and told.state in {"live", "test"} else told.state
    if walk.before is None and walk.base == "unknown":
        # The first thing we hear. Senders exist before we are connected, so it may be any state.
        return wanted, "contradiction" if wanted == "unknown" else told.suspends or "event"
    if wanted in NARROWING:
        if wanted != walk.base and not is_legal(walk.base, wanted, revalidated=False):
            walk.note(told, "illegal_move", f"from {walk.base} to {wanted}; believed because it narrows")
        return wanted, told.suspends if told.suspends and told.state != wanted else "event"
    reason = _why_not(walk, told, wanted, approved=approved, after_gap=after_gap)
    if reason is None and wanted != "unknown":
        return wanted, "event"
    if reason and wanted != "unknown":
        walk.note(told, *reason)
    # What took keys away stays; only from a state that gave some does doubt lead to "unknown".
    return walk.base if walk.base in NARROWING else "unknown", reason[0] if reason else "contradiction"


def _why_not(
    walk: _Fold, told: Told, wanted: State, *, approved: bool, after_gap: bool
) -> tuple[str, str] | None:
    """Return why a move that does not narrow cannot be believed."""
    before = walk.before
    if before and told.told_at < before.told_at - TIME_TOLERANCE:
        return "time_runs_back", f"sequence {told.sequence} is older than sequence {before.sequence}"
    if before and told.revision < before.revision:
        return "revision_runs_back", f"revision {told.revision} after {before.revision}"
    revalidated = told.verb == "revalidated"
    if revalidated and walk.base in {"live", "suspended", "test"} and not approved:
        return "not_signed", "revalidated without an approval newer than the last one"
    if walk.last.state == "expired" and wanted == "live" and not revalidated:
        return "window_passed", "in force again after its window had passed, without a revalidation"
    skipped = after_gap and walk.base in PLANNED and wanted == "live"  # the approval may be in the gap
    if walk.base != "unknown" and not skipped and not is_legal(walk.base, wanted, revalidated=revalidated):
        return "illegal_move", f"from {walk.base} to {wanted}" + ("" if revalidated else ", not revalidated")
    return None


def _window(walk: _Fold, told: Told, *, approved: bool) -> tuple[datetime, datetime]:
    """Return the window that counts: while work goes on only a new signature makes it longer."""
    before = walk.last if walk.stretches else None
    if before and not told.readable:
        return before.valid_from, before.valid_to
    if before is None or approved or walk.base not in {"live", "test", "suspended"}:
        return told.valid_from, told.valid_to
    if told.valid_to > before.valid_to or told.valid_from < before.valid_from:
        walk.note(told, "window_not_signed", "the window grew without a new approval; the old one counts")
    return max(told.valid_from, before.valid_from), min(told.valid_to, before.valid_to)


def _withheld(walk: _Fold, told: Told, *, approved: bool) -> frozenset[Place]:
    """Return the places that count for nothing yet: added while work goes on, and not signed for."""
    if not told.readable:
        return walk.last.withheld if walk.stretches else frozenset()
    before = walk.before
    if before is None or walk.base not in {"live", "test", "suspended"}:
        walk.places = told.places
        return frozenset()
    if told.places - before.places and told.revision <= before.revision:
        walk.note(told, "revision_unchanged", "the scope grew under the same revision")
    elif approved:
        walk.places = told.places
    withheld = told.places - walk.places
    walk.places &= told.places
    if withheld:
        walk.note(told, "scope_not_signed", f"{len(withheld)} added places wait for a new approval")
    return withheld
