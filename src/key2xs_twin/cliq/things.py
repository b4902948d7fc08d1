"""CLIQ devices: what is in the memory of a key, a cylinder, an updater and a programming key."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from key2xs_twin.cliq.inventory import CliqKeyKind, UpdaterKind
from key2xs_twin.cliq.lists import NO_ENTRIES, CylinderContent, CylinderList

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from key2xs_twin.cliq.plan import KeyPlan
    from key2xs_twin.time import DeviceClock

KEY_ROWS = 500  # ASSUMPTION: the vendor does not say how many events a key holds
OWN_ROWS, FOREIGN_ROWS = 1000, 100  # CLIQ Remote FAQ (UK): events of a cylinder, the oldest are lost


class CliqReason(StrEnum):
    """Why a cylinder opened or not."""

    OK = "ok"
    NOT_AUTHORISED = "not_authorised"
    NOT_VALID = "not_valid"
    OUTSIDE_SCHEDULE = "outside_schedule"
    REVALIDATION_LAPSED = "revalidation_lapsed"
    BLOCKED = "blocked"
    FOREIGN = "foreign"
    LOW_BATTERY = "low_battery"
    NO_NETWORK = "no_network"  # must ask, and cannot
    SERVER_REFUSED = "server_refused"


class EventKind(StrEnum):
    """Kinds of event on the simulated interface."""

    OPENED = "opened"
    REFUSED = "refused"
    KEY_UPDATED = "key_updated"
    KEY_UPDATED_OFFLINE = "key_updated_offline"
    CYLINDER_PROGRAMMED = "cylinder_programmed"
    CYLINDER_REPROGRAMMED = "cylinder_reprogrammed"  # everything overwritten, its event list too
    LIST_READ = "list_read"
    CLOCK_SET = "clock_set"
    HANDED_OUT = "handed_out"
    HANDED_IN = "handed_in"
    REPORTED_LOST = "reported_lost"


class MemoryRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event in a device's memory. ``happened_at`` is the truth and never leaves the twin."""

    event_id: UUID
    kind: EventKind
    happened_at: datetime
    recorded_at: datetime | None
    reason: CliqReason | None = None
    cylinder_id: UUID | None = None
    key_id: UUID | None = None
    foreign_key: str | None = None


class ReadRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row on its way to the server."""

    row: MemoryRow
    read_at: datetime


@dataclass(slots=True, kw_only=True)
class CliqKeyDevice:
    """A key as a thing. Revalidation counts from ``revalidated_at`` on the key's own clock."""

    key_id: UUID
    kind: CliqKeyKind
    serial: str
    number: int
    clock: DeviceClock
    habit: timedelta  # how far its clock is off when freshly set
    program: KeyPlan | None = None
    revision: int | None = None
    unacknowledged: int | None = None  # a revision in memory of which the server has not heard
    revalidated_at: datetime
    online_update_at: datetime
    offline_updates: int = 0
    phone_id: UUID | None = None
    key_group_ids: frozenset[UUID] = frozenset()
    battery_low: bool = False
    time_lost: bool = False  # the battery was changed, and no updater with network has set the clock since
    memory: deque[MemoryRow] = field(default_factory=lambda: deque(maxlen=KEY_ROWS))
    counter: int = 0

    def shown(self, at: datetime) -> datetime | None:
        """What the key writes down as the time; ``None`` while its clock stands."""
        return None if self.time_lost else self.clock.reading(at)


@dataclass(slots=True, kw_only=True)
class CylinderDevice:
    """A cylinder as a thing: no battery, no clock; its memory and its block list."""

    cylinder_id: UUID
    marking: str
    number: int
    group_ids: frozenset[UUID] = frozenset()
    entries: CylinderList = NO_ENTRIES  # normal keys and key groups
    online_opening: bool = False
    blocked: set[UUID] = field(default_factory=set)
    own_rows: deque[MemoryRow] = field(default_factory=lambda: deque(maxlen=OWN_ROWS))
    foreign_rows: deque[MemoryRow] = field(default_factory=lambda: deque(maxlen=FOREIGN_ROWS))
    counter: int = 0


@dataclass(slots=True, kw_only=True)
class UpdaterDevice:
    """An updater: with network it is the server's arm; without, it has the last block list and perhaps a licence."""

    updater_id: UUID
    kind: UpdaterKind
    place: str
    network_up: bool = True
    cut_at: datetime | None = None
    block_list: frozenset[UUID] = frozenset()
    block_list_at: datetime | None = None
    unreported: list[tuple[UUID, datetime]] = field(default_factory=list)  # offline updates, server not told


@dataclass(slots=True, kw_only=True)
class LoadedTask:
    """A task on a programming key; ``done`` ``None`` is not tried yet. ``torn``: it was pulled out meanwhile."""

    job_id: UUID
    number: int
    kind: str
    cylinder_id: UUID
    key_id: UUID | None
    content: CylinderContent | None = None
    done: bool | None = None
    done_at: datetime | None = None
    torn: bool = False


@dataclass(slots=True, kw_only=True)
class ProgrammingKeyDevice:
    """A programming key: tasks to carry out, and what it read from cylinders."""

    programming_key_id: UUID
    serial: str
    number: int
    tasks: list[LoadedTask] = field(default_factory=list)
    rows: dict[str, ReadRow] = field(default_factory=dict)  # by event id: a cylinder may be read twice
    counter: int = 0
