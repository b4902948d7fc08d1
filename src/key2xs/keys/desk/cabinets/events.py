"""What a key cabinet tells, in the plain form that any make can be mapped to: reading it, nothing else.

The kinds are those of Traka's cabinets (facts key-systems 6); ids, times and references are the sender's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec

from key2xs.core.errors import InvalidInput

Kind: TypeAlias = Literal[
    "item_taken",
    "item_returned",
    "item_returned_by_other",
    "item_removed_outside_schedule",
    "item_overdue",
    "cabinet_offline",
    "cabinet_online",
    "door_forced",
]
KINDS: Final = frozenset(get_args(Kind))
ABOUT_ITEMS: Final = frozenset(kind for kind in KINDS if kind.startswith("item_"))
TAKEN: Final = frozenset({"item_taken", "item_removed_outside_schedule"})
ALARMS: Final = frozenset({"door_forced", "item_removed_outside_schedule"})
RETURNED: Final = frozenset({"item_returned", "item_returned_by_other"})
COLUMNS: Final = ("event_id", "event", "time", "cabinet", "slot", "item", "person")
MOST: Final = 500  # events in one message

_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Maybe: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event on the wire. `person` is a reference in the scheme that the site set for this source."""

    id: _Text
    event: Kind
    time: datetime
    cabinet: _Maybe = ""
    slot: str | int | None = None
    item: _Maybe = ""
    person: _Maybe = ""


@dataclass(frozen=True, slots=True)
class CabinetEvent:
    """One event, read."""

    event_id: str
    kind: Kind
    at: datetime
    cabinet: str
    slot: str | None
    stamp: str | None
    person_ref: str | None

    @property
    def place(self) -> str:
        """The cabinet, and the slot where it is known."""
        return f"{self.cabinet}/{self.slot}" if self.slot else self.cabinet


_ONE_OR_MANY: Final = msgspec.json.Decoder(Message | list[Message])


def read_message(body: bytes, source: str) -> list[CabinetEvent]:
    """Read the body of a webhook: one event, or a list of them.

    Raises:
        InvalidInput: says which field is wrong; never shows a value.
    """
    try:
        found = _ONE_OR_MANY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem, _, where = str(error).partition(" - at `")
        raise InvalidInput(where.strip("`$.") or "body", problem, record="cabinet event") from error
    messages = found if isinstance(found, list) else [found]
    if not 0 < len(messages) <= MOST:
        raise InvalidInput("body", f"has 1 to {MOST} events")
    return [_event(each, source) for each in messages]


def read_row(row: Mapping[str, str], source: str) -> CabinetEvent:
    """Read one row of a file.

    Raises:
        InvalidInput: says which column is wrong.
    """
    for name in ("event_id", "event", "time"):
        if not row.get(name):
            raise InvalidInput(name, "is empty")
    raw: dict[str, Any] = {
        "id": row["event_id"],
        "event": row["event"],
        "time": row["time"],
        "cabinet": row.get("cabinet", ""),
        "slot": row.get("slot") or None,
        "item": row.get("item", ""),
        "person": row.get("person", ""),
    }
    try:
        message = msgspec.convert(raw, Message)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `")
        column = where.strip("`$.") or "row"
        raise InvalidInput({"id": "event_id"}.get(column, column), problem) from error
    return _event(message, source)


def in_time(events: Sequence[CabinetEvent]) -> list[CabinetEvent]:
    """Put events in the order in which they happened; what a cabinet sends at once it need not send in order."""
    return sorted(events, key=lambda each: (each.at, each.event_id))


def _event(message: Message, source: str) -> CabinetEvent:
    record = f"cabinet event {message.id}"
    if message.time.tzinfo is None:
        raise InvalidInput("time", "has no time zone", record=record)
    if message.event in ABOUT_ITEMS and not message.item:
        raise InvalidInput("item", f"is missing; {message.event} is about a key", record=record)
    for name in ("id", "cabinet", "item", "person"):
        if not getattr(message, name).isprintable():
            raise InvalidInput(name, "has characters that cannot be printed", record=record)
    if "/" in message.cabinet:
        raise InvalidInput("cabinet", "must not have a slash", record=record)
    return CabinetEvent(
        event_id=message.id,
        kind=message.event,
        at=message.time.astimezone(UTC),
        cabinet=message.cabinet.strip() or source,
        slot=str(message.slot).strip() or None if message.slot is not None else None,
        stamp=message.item.strip() or None,
        person_ref=message.person.strip() or None,
    )
