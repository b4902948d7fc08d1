"""The nouns of emergency keys under seal."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from key2xs.core.ids import KeyId, KeySystemId, PersonId

SealState: TypeAlias = Literal["sealed", "broken", "recalled", "withdrawn"]
_SATURDAY = 5
_REVIEW_BY_HOUR = 17  # of the next working day, by the site's clock


@dataclass(frozen=True, slots=True)
class SealedKey:
    """An emergency key in its envelope or box, or out of it."""

    key_id: KeyId
    system_id: KeySystemId
    stamp: str
    kind: str
    seal: str
    place: str
    state: SealState
    since: datetime
    checked_at: datetime
    check_due_at: datetime

    def is_check_overdue(self, at: datetime) -> bool:
        """Tell whether nobody looked at the seal in time."""
        return self.state == "sealed" and self.check_due_at <= at


@dataclass(frozen=True, slots=True)
class SealUse:
    """One time that a seal was broken."""

    id: UUID
    key_id: KeyId
    stamp: str
    seal: str
    broken_at: datetime
    taken_by: PersonId
    second_id: PersonId
    reason: str
    recall_due_at: datetime
    recalled_at: datetime | None
    returned_at: datetime | None
    new_seal: str | None
    review_due_at: datetime
    reviewed_at: datetime | None
    reviewed_by: PersonId | None
    outcome: str | None

    def overdue(self, at: datetime) -> str | None:
        """Return what is overdue about it, in words."""
        if self.returned_at is None and self.recall_due_at <= at:
            return "not back under seal"
        if self.reviewed_at is None and self.review_due_at <= at:
            return "not reviewed"
        return None


def sealed_of(row: Any) -> SealedKey:
    """Read a key under seal from its row."""
    return SealedKey(
        key_id=KeyId(row["key_id"]),
        system_id=KeySystemId(row["system_id"]),
        stamp=row["stamp"],
        kind=row["kind"],
        seal=row["seal"],
        place=row["place"],
        state=row["state"],
        since=row["since"],
        checked_at=row["checked_at"],
        check_due_at=row["check_due_at"],
    )


def use_of(row: Any, *, reason: str, outcome: str | None) -> SealUse:
    """Read a use from its row; what was typed is sealed there, so it is read before."""
    return SealUse(
        id=row["id"],
        key_id=KeyId(row["key_id"]),
        stamp=row["stamp"],
        seal=row["seal"],
        broken_at=row["broken_at"],
        taken_by=PersonId(row["taken_by"]),
        second_id=PersonId(row["second_id"]),
        reason=reason,
        recall_due_at=row["recall_due_at"],
        recalled_at=row["recalled_at"],
        returned_at=row["returned_at"],
        new_seal=row["new_seal"],
        review_due_at=row["review_due_at"],
        reviewed_at=row["reviewed_at"],
        reviewed_by=row["reviewed_by"],
        outcome=outcome,
    )


def review_due(broken_at: datetime, zone: ZoneInfo) -> datetime:
    """Return the end of the next working day at the site after an instant; feast days are not known here."""
    day = broken_at.astimezone(zone).date() + timedelta(days=1)
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    due = datetime(day.year, day.month, day.day, _REVIEW_BY_HOUR, tzinfo=zone)
    return due.astimezone(broken_at.tzinfo)
