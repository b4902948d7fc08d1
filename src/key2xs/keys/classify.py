"""What an opening means: pure, from what is known when it is looked at, and again when more is known."""

from dataclasses import dataclass
from datetime import datetime

from key2xs.core.ids import GrantId

from .port import LockEventOutcome, TimeQuality
from .types import EventClass


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one row of a lock's log.

    Attributes:
        key_known: the key is in the register.
        managed: it was handed out through Key2XS at least once before the event.
        holder_known: somebody had it at the time.
        covered_by: a grant of the holder that covered the cylinder at the time.
        ended: the newest grant of the holder on this cylinder that had ended by then, and when.
        was_possible: a program that opens the cylinder may still have been on the key.
        blocked_at: since when the key is reported lost or blocked.
    """

    outcome: LockEventOutcome
    time_quality: TimeQuality
    occurred_at: datetime | None
    cylinder_known: bool
    key_known: bool
    managed: bool
    holder_known: bool
    covered_by: GrantId | None
    ended: tuple[GrantId, datetime] | None
    was_possible: bool
    blocked_at: datetime | None = None
    kept: bool = False
    """By a right that the key has kept since before Key2XS."""
    kept_until: datetime | None = None
    """When such a right ended, if it did."""


@dataclass(frozen=True, slots=True)
class Class:
    """The class of an event, in one sentence, with the grant that explains it."""

    name: EventClass
    why: str
    grant_id: GrantId | None = None


def classify(evidence: Evidence) -> Class:
    """Class one event. Whatever nothing explains is *unexplained*, the top alarm."""
    if evidence.outcome is LockEventOutcome.REFUSED:
        return Class("refused", "the lock refused it")
    if evidence.outcome is LockEventOutcome.OTHER:
        return Class("other", "not an opening")
    if not evidence.key_known:
        return Class("unexplained", "opened by a key that is in no register")
    if evidence.time_quality is not TimeQuality.CLOCK or evidence.occurred_at is None:
        return Class("undated", "opened at a time that the lock does not know")
    if not evidence.cylinder_known:
        return Class("unexplained", "opened a lock that is in no plant register")
    return _classify_opening(evidence)


def _classify_opening(evidence: Evidence) -> Class:
    if _was_blocked(evidence):
        # Its holder may have another key and keep the grant: that explains nothing that this one opens.
        return _classify_blocked(evidence)
    if evidence.covered_by is not None:
        return Class("expected", "its holder had a grant for it", evidence.covered_by)
    if not evidence.managed:
        return Class("legacy", "opened by a key that was never handed out through Key2XS")
    if evidence.kept:
        return Class("legacy", "opened by a right that the key has kept since before Key2XS")
    if evidence.kept_until is not None and evidence.was_possible:
        return Class(
            "after_end",
            f"its right from before Key2XS ended {evidence.kept_until:%Y-%m-%d %H:%M} UTC; "
            "the key could not be told in time",
        )
    if evidence.ended is not None and evidence.was_possible:
        grant, ended_at = evidence.ended
        return Class(
            "after_end",
            f"the grant ended {ended_at:%Y-%m-%d %H:%M} UTC; the key could not be told in time",
            grant,
        )
    if not evidence.holder_known:
        return Class("unexplained", "opened by a key that nobody was handed")
    return Class("unexplained", "no grant explains it")


def _was_blocked(evidence: Evidence) -> bool:
    return (
        evidence.blocked_at is not None
        and evidence.occurred_at is not None
        and evidence.occurred_at >= evidence.blocked_at
    )


def _classify_blocked(evidence: Evidence) -> Class:
    grant = evidence.covered_by or (evidence.ended[0] if evidence.ended is not None else None)
    if grant is not None and evidence.was_possible:
        return Class("after_end", "the key was blocked before; this lock had not heard of it", grant)
    return Class("unexplained", "opened by a key that was blocked before")
