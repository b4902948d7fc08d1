"""Request bodies of the simulated CLIQ interface: exact names, nothing else."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from key2xs_twin.cliq.errors import CliqError, invalid
from key2xs_twin.cliq.plan import ALWAYS, NEVER_VALID, KeyPlan, Validity, ValidityKind, WeeklyRow

if TYPE_CHECKING:
    from key2xs_twin.cliq.settings import CliqSettings

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_FIELD = re.compile(r"`\$\.(\w+)")
_NAMED = re.compile(r"(?:unknown|required) field `(\w+)`")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request body."""


class SessionBody(Body):
    """POST /sessions."""

    client: str
    secret: str


class CylinderEntry(Body):
    """An entry of an access list: one cylinder or one group."""

    cylinder: UUID | msgspec.UnsetType = msgspec.UNSET
    group: UUID | msgspec.UnsetType = msgspec.UNSET


class AlwaysBody(Body, tag_field="kind", tag="always"):
    """Valid without end."""


class NeverBody(Body, tag_field="kind", tag="never"):
    """Never valid."""


class BetweenBody(Body, tag_field="kind", tag="between"):
    """Valid between two instants; ``from`` may be null."""

    start: str | None = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


ValidityBody: TypeAlias = AlwaysBody | NeverBody | BetweenBody


class RowBody(Body):
    """A row of a weekly schedule, local to the site."""

    day: Annotated[int, msgspec.Meta(ge=0, le=6)]
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class PlanBody(Body):
    """PUT /keys/{id}/plan: replaces everything, so everything is required."""

    access: list[CylinderEntry]
    validity: ValidityBody
    schedule: list[RowBody] | None
    revalidation_minutes: int | None
    online_opening: bool


class ListBody(Body):
    """PUT /cylinders/{id}/list: replaces everything."""

    keys: list[UUID]
    key_groups: list[UUID]


class ReportBody(Body):
    """POST /keys/{id}/report."""

    what: Literal["lost", "broken", "found"]


class HolderBody(Body):
    """POST /keys/{id}/holder."""

    holder: str | None


class TaskBody(Body):
    """A task of a new job."""

    kind: Literal["block", "unblock", "list"]
    cylinder: UUID
    key: UUID


class JobBody(Body):
    """POST /jobs."""

    programming_key: UUID
    tasks: list[TaskBody]


B = TypeVar("B", bound=Body)


def decode(body: bytes, shape: type[B]) -> B:
    """Read a request body strictly; 422 names the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.DecodeError as error:
        text = str(error)
        found = _FIELD.search(text) or _NAMED.search(text)
        raise invalid(found[1] if found else "body", text) from None


def read_plan(body: PlanBody, settings: CliqSettings) -> KeyPlan:
    """A plan out of a body, everything checked that needs no look at the site."""
    cylinders = [entry.cylinder for entry in body.access if isinstance(entry.cylinder, UUID)]
    groups = [entry.group for entry in body.access if isinstance(entry.group, UUID)]
    if any((entry.cylinder is msgspec.UNSET) is (entry.group is msgspec.UNSET) for entry in body.access):
        raise invalid("access", "An entry names one cylinder or one group.")
    if len(set(cylinders)) + len(set(groups)) != len(body.access):
        raise invalid("access", "An entry is repeated.")
    if len(body.access) > settings.max_access_entries:
        most = settings.max_access_entries
        raise CliqError(422, "too_many_entries", f"A key holds at most {most} entries.", "access")
    minutes = body.revalidation_minutes
    if minutes is not None and not settings.revalidation_min <= minutes <= settings.revalidation_max:
        limits = f"{settings.revalidation_min} to {settings.revalidation_max}"
        raise CliqError(422, "revalidation_range", f"Minutes are {limits}.", "revalidation_minutes")
    return KeyPlan(
        cylinder_ids=frozenset(cylinders),
        group_ids=frozenset(groups),
        validity=_read_validity(body.validity),
        schedule=_read_schedule(body.schedule),
        revalidation_minutes=minutes,
        online_opening=body.online_opening,
    )


def _read_validity(body: ValidityBody) -> Validity:
    match body:
        case AlwaysBody():
            return ALWAYS
        case NeverBody():
            return NEVER_VALID
        case BetweenBody():
            starts_at = None if body.start is None else _read_instant(body.start)
            ends_at = _read_instant(body.end)
            if starts_at is not None and starts_at >= ends_at:
                raise CliqError(422, "validity_order", "The validity ends before it begins.", "validity")
            return Validity(kind=ValidityKind.BETWEEN, starts_at=starts_at, ends_at=ends_at)


def _read_instant(text: str) -> datetime:
    if not _INSTANT.fullmatch(text):
        raise invalid("validity", f"{text!r} is not an instant in UTC with Z.")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise invalid("validity", f"{text!r} is no instant.") from None


def _read_schedule(rows: list[RowBody] | None) -> tuple[WeeklyRow, ...] | None:
    if rows is None:
        return None
    if not rows:
        raise invalid("schedule", "A schedule has rows; null is no schedule.")
    read = [WeeklyRow(row.day, _read_clock(row.start), _read_clock(row.end)) for row in rows]
    if any(row.start >= row.end for row in read):
        raise invalid("schedule", "A row begins before it ends; a night is two rows.")
    return tuple(sorted(read))


def _read_clock(text: str) -> int:
    """Minutes from midnight; 24:00 is the end of the day."""
    if not _CLOCK.fullmatch(text):
        raise invalid("schedule", f"{text!r} is not HH:MM.")
    return int(text[:2]) * 60 + int(text[3:])


def write_instant(instant: datetime | None) -> str | None:
    """An instant as the interface prints it."""
    return None if instant is None else instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write_clock(minutes: int) -> str:
    """Minutes from midnight as the interface prints them."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def problem(code: str, message: str, field: str | None = None) -> bytes:
    """A problem body."""
    content: dict[str, Any] = {"code": code, "message": message, "field": field}
    return msgspec.json.encode(content)
