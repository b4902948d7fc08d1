"""What the simulated CLIQ interface says, typed; with `client` it is the wire, and nothing else is.

SIMULATED INTERFACE: the vendor's own is not public, so these names are ours. Unknown fields are ignored on reading.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar, cast

import msgspec

T = TypeVar("T")


class Session(msgspec.Struct, frozen=True):
    """A session that was opened."""

    session: str


class OfflineUpdates(msgspec.Struct, frozen=True):
    """What updaters may do without the server."""

    count: int | None = None
    gap_minutes: int | None = None


class Minutes(msgspec.Struct, frozen=True):
    """A range."""

    min: int
    max: int


class System(msgspec.Struct, frozen=True):
    """The locking system and its limits."""

    domain_complete: bool
    offline_updates: OfflineUpdates
    max_access_entries: int
    revalidation_minutes: Minutes
    job_capacity: int


class Cylinder(msgspec.Struct, frozen=True):
    """A cylinder."""

    id: str
    marking: str
    groups: list[str]
    online_opening: bool = False


class Group(msgspec.Struct, frozen=True):
    """A cylinder group: one entry in a key's list."""

    id: str
    name: str
    members: list[str]
    writable: bool


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of an access list."""

    cylinder: str | None = None
    group: str | None = None


class Validity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Always, never, or between two instants."""

    kind: str
    from_: datetime | None = msgspec.field(name="from", default=None)
    to: datetime | None = None


class Window(msgspec.Struct, frozen=True):
    """A stretch of a weekday, in the site's time."""

    day: int
    from_: str = msgspec.field(name="from")
    to: str


class Plan(msgspec.Struct, frozen=True):
    """Everything a key is told."""

    access: list[Entry]
    validity: Validity
    schedule: list[Window] | None
    revalidation_minutes: int | None
    online_opening: bool


class Update(msgspec.Struct, frozen=True):
    """How far what was sent is."""

    state: str


class LastUpdate(msgspec.Struct, frozen=True):
    """The last contact with an updater that had the server."""

    at: datetime


class Key(msgspec.Struct, frozen=True):
    """A key; the second half only where it is read alone."""

    id: str
    serial: str
    marking: str
    kind: str
    revision: int
    holder: str | None = None
    handed_out: bool = False
    reported: str | None = None
    block_state: str = "none"
    retired: bool = False
    planned: Plan | None = None
    sent_revision: int | None = None
    update: Update = Update("none")
    confirmed: Plan | None = None
    last_update: LastUpdate | None = None
    confirmed_at: datetime | None = None


class ListTask(msgspec.Struct, frozen=True):
    """A visit that writes a cylinder's list and is not over; `revision` of the list that the programming key holds."""

    kind: str
    programming_key: str
    state: str
    revision: int | None = None


class Listing(msgspec.Struct, frozen=True):
    """Whether a cylinder lists a normal key, by plan and as programmed last."""

    cylinder: str
    revision: int
    planned: bool
    programmed: bool
    programmed_at: datetime | None = None
    changed_at: datetime | None = None
    tasks: list[ListTask] = []


class Listings(msgspec.Struct, frozen=True):
    """The cylinders that list a normal key, did so, or are to."""

    items: list[Listing]


class CylinderList(msgspec.Struct, frozen=True):
    """What is planned for one cylinder: normal keys and key groups."""

    cylinder: str
    revision: int
    keys: list[str]
    key_groups: list[str]


class KeyGroup(msgspec.Struct, frozen=True):
    """Normal keys that are one entry in a cylinder."""

    id: str
    members: list[str]


class KeyGroups(msgspec.Struct, frozen=True):
    """All key groups."""

    items: list[KeyGroup]


class Updater(msgspec.Struct, frozen=True):
    """A place where keys are updated."""

    id: str
    kind: str
    place: str
    online: bool
    seen_at: datetime | None = None


class ProgrammingKey(msgspec.Struct, frozen=True):
    """A key that programs cylinders."""

    id: str
    serial: str
    capacity: int
    holder: str | None = None
    last_seen_at: datetime | None = None
    last_seen_place: str | None = None


class Task(msgspec.Struct, frozen=True):
    """One cylinder on a programming key's round."""

    n: int
    kind: str
    cylinder: str
    key: str | None  # none: everything in the cylinder is overwritten
    state: str
    done_at: datetime | None = None
    known_at: datetime | None = None


class Job(msgspec.Struct, frozen=True):
    """What a programming key is to do."""

    id: str
    programming_key: str
    made_at: datetime
    tasks: list[Task]


class Event(msgspec.Struct, frozen=True):
    """A row of the log, by arrival."""

    id: str
    read_at: datetime
    arrived_at: datetime
    kind: str
    occurred_at: datetime | None = None
    reason: str | None = None
    cylinder: str | None = None
    key: str | None = None
    source: str | None = None


class Events(msgspec.Struct, frozen=True):
    """A page of the log."""

    items: list[Event]
    cursor: str
    more: bool


class Updaters(msgspec.Struct, frozen=True):
    """All updaters."""

    items: list[Updater]


class ProgrammingKeys(msgspec.Struct, frozen=True):
    """All programming keys."""

    items: list[ProgrammingKey]


class Jobs(msgspec.Struct, frozen=True):
    """Some jobs."""

    items: list[Job]


class Page(msgspec.Struct, frozen=True):
    """A page of a list; `next` is the cursor of the one behind it."""

    items: msgspec.Raw
    next: str | None = None


class Problem(msgspec.Struct):
    """Why something was not done."""

    code: str = ""
    message: str = ""


class Nothing(msgspec.Struct, frozen=True):
    """An answer that is not read."""


def items_of(page: Page, shape: type[T]) -> list[T]:
    """Read the items of a page. ValueError for items of another shape."""
    return cast("list[T]", msgspec.json.decode(page.items, type=list[shape]))  # type: ignore[valid-type]
