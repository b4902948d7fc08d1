"""What the vendor's server knows: plans, packets, acknowledgements, block list, log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

import msgspec

from key2xs_twin.devices.program import NO_BLOCKS, BlockCopy, Program
from key2xs_twin.devices.things import AuditRow
from key2xs_twin.iloq.inventory import KeyKind, LockSpec, PersonSpec, SecurityAccessSpec


class ProgrammingState(IntEnum):
    """The logical state of a key on the server; plan and device agree in PROGRAMMED only."""

    ERROR = -1
    PLANNING = 0
    ORDERED = 1
    FETCHED = 2
    PROGRAMMED = 3


class KeyState(IntEnum):
    """The custody state of a key on the server."""

    PLANNING = 0
    HANDED_OVER = 1
    HIDDEN = 2
    DELETED = 3
    RETURNED = 4


# S50 = 2, phone = 4, iLOQ key = 8, 5 Series = 256 (Public API v2, KeyTypeMask).
KEY_TYPE_MASKS = {KeyKind.PHONE: 6, KeyKind.FOB: 10, KeyKind.METAL: 264}

# Public API v2: longest offline expiry of a fob (194 days) and of a phone (101 days), in seconds.
MAX_OFFLINE_SECONDS = {KeyKind.PHONE: 8_726_340, KeyKind.FOB: 16_761_540, KeyKind.METAL: 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSlot:
    """A time limit slot as planned: 0 start date, 1 end date, 2 time profile (kept, not yet judged)."""

    slot_no: int
    limit_date_lg: datetime | None = None
    title_id: UUID | None = None
    title_starts_lg: datetime | None = None
    title_ends_lg: datetime | None = None
    weekly: tuple[tuple[int, int, int], ...] = ()  # week day mask, start ms, end ms

    @property
    def memory(self) -> int:
        """Slots of key memory used: one a date, one a weekly row (Public API v2)."""
        dates = (self.limit_date_lg, self.title_starts_lg, self.title_ends_lg)
        return sum(date is not None for date in dates) + len(self.weekly)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The complete content of a key as somebody wants it."""

    right_ids: frozenset[UUID] = frozenset()
    slots: tuple[TimeSlot, ...] = ()
    offline_expiration_seconds: int = 0
    scheduler: tuple[int, int, int, datetime | None] | None = None
    outside_slots: tuple[int, ...] = ()

    @property
    def starts_lg(self) -> datetime | None:
        """Slot 0: the first valid local instant."""
        return next((slot.limit_date_lg for slot in self.slots if slot.slot_no == 0), None)

    @property
    def ends_lg(self) -> datetime | None:
        """Slot 1: the first local instant that is no longer valid."""
        return next((slot.limit_date_lg for slot in self.slots if slot.slot_no == 1), None)

    @property
    def memory(self) -> int:
        """Slots of key memory that this plan needs."""
        return sum(slot.memory for slot in self.slots)

    def program(self, packet: int) -> Program:
        """What a device gets when this plan is sent as packet number ``packet``."""
        return Program(
            packet=packet,
            right_ids=self.right_ids,
            starts_lg=self.starts_lg,
            ends_lg=self.ends_lg,
            offline_expiration_seconds=self.offline_expiration_seconds,
        )


@dataclass(frozen=True, slots=True)
class Packet:
    """An order on the server, waiting to be fetched: a plan, or the task that empties a returned phone."""

    number: int
    plan: Plan
    empties: bool = False


@dataclass(slots=True, kw_only=True)
class KeyRecord:
    """A key on the server. ``programmed`` is mode 2 of the API: the last plan a device acknowledged."""

    key_id: UUID
    stamp: str
    kind: KeyKind
    number: int
    person_id: UUID | None
    plan: Plan
    programmed: Plan | None = None
    state: KeyState = KeyState.PLANNING
    programming_state: ProgrammingState = ProgrammingState.PLANNING
    packet: Packet | None = None
    fetched: dict[int, Packet] = field(default_factory=dict)  # fetched, not yet acknowledged
    was_programmed: bool = False
    phone_no: str | None = None
    email: str | None = None
    description: str = ""
    info_text: str = ""
    expire_date: datetime | None = None
    zone_id: UUID | None = None
    holders: list[tuple[datetime, UUID | None]] = field(default_factory=list)

    def holder_at(self, at: datetime) -> UUID | None:
        """Who held the key at ``at`` by the server's books."""
        holder = self.holders[0][1] if self.holders else self.person_id
        for since, person_id in self.holders:
            if since > at:
                break
            holder = person_id
        return holder


@dataclass(slots=True, kw_only=True)
class LockRecord:
    """A lock on the server: planned rights beside those the lock was last programmed with."""

    spec: LockSpec
    right_ids: frozenset[UUID]
    programmed_right_ids: frozenset[UUID]


@dataclass(slots=True, kw_only=True)
class BlockRecord:
    """A key on the planned block list; ``change_type`` 1 added, 2 removed (Public API v2)."""

    key_id: UUID
    since: datetime
    version: int
    change_type: int


@dataclass(slots=True)
class BlockList:
    """The planned block list and the packet that devices get."""

    planned: dict[UUID, BlockRecord] = field(default_factory=dict)
    packet: BlockCopy = NO_BLOCKS
    changed: bool = False

    def blocked_ids(self) -> frozenset[UUID]:
        """Keys that the next packet blocks."""
        return frozenset(record.key_id for record in self.planned.values() if record.change_type == 1)

    def is_blocked(self, key_id: UUID) -> bool:
        """Whether the plan blocks this key, sent or not."""
        record = self.planned.get(key_id)
        return record is not None and record.change_type == 1


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row as the server holds it, with the three times: event, reading, arrival."""

    row: AuditRow
    going_date: datetime
    reading_date: datetime
    arrived_at: datetime
    option_mask: int
    person_name: str | None
    custom_values: str


@dataclass(slots=True, kw_only=True)
class KeyTag:
    """A tag on a key, meant to link accesses with tickets of other systems."""

    tag_id: UUID
    key_id: UUID
    key: str
    value: str
    save_to_audit: bool


@dataclass(slots=True)
class VendorState:
    """All planned state of one locking system."""

    persons: dict[UUID, PersonSpec] = field(default_factory=dict)
    person_fields: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    keys: dict[UUID, KeyRecord] = field(default_factory=dict)
    locks: dict[UUID, LockRecord] = field(default_factory=dict)
    rights: dict[UUID, SecurityAccessSpec] = field(default_factory=dict)
    zones: dict[UUID, str] = field(default_factory=dict)
    titles: dict[UUID, str] = field(
        default_factory=dict
    )  # time profiles by name, made by the vendor's people
    blocks: BlockList = field(default_factory=BlockList)
    tags: dict[UUID, KeyTag] = field(default_factory=dict)
    tags_of_key: dict[UUID, dict[UUID, KeyTag]] = field(default_factory=dict)
    log: list[LogRecord] = field(default_factory=list)
    log_ids: set[UUID] = field(default_factory=set)
    log_of_key: dict[UUID, list[LogRecord]] = field(default_factory=dict)
    packets_made: int = 0
    out_of_sight: set[UUID] = field(default_factory=set)
    """Keys in a zone that the interface's user does not see."""

    def put_tag(self, tag: KeyTag) -> None:
        """Add a tag or replace the one with its id."""
        self.drop_tag(tag.tag_id)
        self.tags[tag.tag_id] = tag
        self.tags_of_key.setdefault(tag.key_id, {})[tag.tag_id] = tag

    def drop_tag(self, tag_id: UUID) -> bool:
        """Remove a tag; ``False`` if there is none of this id."""
        tag = self.tags.pop(tag_id, None)
        if tag is None:
            return False
        del self.tags_of_key[tag.key_id][tag_id]
        return True
