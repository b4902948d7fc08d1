"""Spans of time seen at an instant, and the next instant at which any of them changes.

Spans are half-open: a permit valid to 18:00 is not valid at 18:00. All instants are aware and UTC.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from key2xs.core.errors import InvalidInput

from .types import Basis, Facts, FactWindow, Person, Qualification, Situation, Window

_MINUTE: Final = timedelta(minutes=1)


def window_at(span: FactWindow, at: datetime) -> Window:
    """See a span at an instant."""
    if span.standing == "none":
        return Window("none")
    if span.standing == "unknown":
        # The instants, if any, are when it may be known again: `until` watches them.
        return Window("unknown", span.starts_at, span.ends_at)
    if span.standing == "failed":
        # Time does not heal it, so it carries no instants: nothing will change by waiting.
        return Window("closed")
    has_begun = span.starts_at is None or span.starts_at <= at
    has_ended = span.ends_at is not None and span.ends_at <= at
    return Window("open" if has_begun and not has_ended else "closed", span.starts_at, span.ends_at)


def situation_at(facts: Facts, at: datetime) -> Situation:
    """See all facts at an instant.

    Raises:
        InvalidInput: the instant is naive or not UTC.
    """
    if at.tzinfo is None or at.utcoffset() != timedelta(0):
        raise InvalidInput("at", "must be an aware UTC instant")
    person, basis = facts.person, facts.basis
    return Situation(
        at=at.astimezone(UTC),
        person=Person(
            id=person.id,
            active=person.active,
            contract=window_at(person.contract, at),
            qualifications=tuple(
                Qualification(q.code, window_at(q.window, at)) for q in person.qualifications
            ),
            roles=person.roles,
        ),
        cylinder=facts.cylinder,
        basis=Basis(
            kind=basis.kind,
            window=window_at(basis.window, at),
            gas=window_at(basis.gas, at),
            permit_state=basis.permit_state,
            permit_type=basis.permit_type,
            step_state=basis.step_state,
            signed_on=basis.signed_on,
            needs_isolation=basis.needs_isolation,
            isolation_ok=basis.isolation_ok,
            needs_gas=basis.needs_gas,
            approvers=basis.approvers,
            requester=basis.requester,
            holder_role=basis.holder_role,
            unit_match=basis.unit_match,
            access_points=basis.access_points,
            reference=basis.reference,
        ),
        key=facts.key,
        sod_conflicts=facts.sod_conflicts,
        next_change_at=facts.next_change_at,
    )


def next_change(windows: Iterable[Window], at: datetime) -> datetime | None:
    """The first instant after `at` at which one of the windows opens or closes; None: never."""
    instants = (instant for window in windows for instant in (window.opens_at, window.closes_at))
    return min((instant for instant in instants if instant is not None and instant > at), default=None)


def pick_span(spans: Iterable[FactWindow], at: datetime) -> FactWindow:
    """Choose the one span that speaks for several of the same fact at an instant.

    The one in force that ends last; else, where one of them is not known, "unknown" until the next begins; else the
    next to begin; else the last to have ended; else "none". Choosing again at the decision's `until` keeps that
    sound: none can begin or end before without being the chosen one.
    """
    spans = list(spans)
    known = [span for span in spans if span.standing == "known" and not _is_empty(span)]
    in_force = [span for span in known if window_at(span, at).state == "open"]
    if in_force:
        return max(in_force, key=lambda span: (span.ends_at is None, span.ends_at or at))
    later = [span for span in known if span.starts_at is not None and span.starts_at > at]
    following = min(later, key=lambda span: span.starts_at or at, default=None)
    if any(span.standing == "unknown" for span in spans):
        return FactWindow(following.starts_at if following else None, None, "unknown")
    if following is not None:
        return following
    if known:
        return max(known, key=lambda span: span.ends_at or at)
    # Only "failed" or "none" is left, or a span that ends before it begins, which is no span.
    failed = any(span.standing == "failed" for span in spans)
    return FactWindow(standing="failed" if failed else "none")


def minutes_of(window: Window) -> int | None:
    """How long the window lasts in whole minutes, rounded up; None when an end is open or not known."""
    if window.opens_at is None or window.closes_at is None:
        return None
    # Rounding up: 60 minutes and one second is not "at most 60 minutes".
    return -((window.opens_at - window.closes_at) // _MINUTE)


def _is_empty(span: FactWindow) -> bool:
    return span.starts_at is not None and span.ends_at is not None and span.ends_at <= span.starts_at
