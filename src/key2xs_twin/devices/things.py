"""The memories of a key, of a lock, and of a lock's log. They hold state; acts are in their neighbours."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from key2xs_twin.devices.kinds import KeyKind, LockType
from key2xs_twin.devices.program import NO_BLOCKS, BlockCopy, Program
from key2xs_twin.time import DeviceClock

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from key2xs_twin.cliq.things import CliqReason


class Reason(StrEnum):
    """Why a lock opened or not."""

    OK = "ok"
    NO_PROGRAM = "no_program"
    NO_RIGHT = "no_right"
    BLOCKLISTED = "blocklisted"
    OFFLINE_EXPIRED = "offline_expired"
    NOT_YET_VALID = "not_yet_valid"
    NO_LONGER_VALID = "no_longer_valid"
    SERVER_UNREACHABLE = "server_unreachable"
    SERVER_REFUSED = "server_refused"
    UNKNOWN_KEY = "unknown_key"
    MECHANICAL = "mechanical"
    OTHER_SYSTEM = "other_system"  # a key of one maker at a lock of the other


class TypeBit(IntEnum):
    """Bits of the vendor's log type mask that the twin writes (Public API v2)."""

    FAILED = 1
    OK = 4
    PHONE = 8  # 12 = 4 + 8 is the vendor's example of a successful phone access
    FIVE_SERIES = 2048  # 2052 = 4 + 2048 is the vendor's example of a 5 Series key
    UNKNOWN_KEY = 4096
    TIME_LAST_KNOWN = 65536
    NO_TIME = 131072


class AuditRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row in a lock's memory.

    ``happened_at`` is the truth and never leaves the twin; ``recorded_at`` is what the lock could write
    down, ``None`` without any time source.
    """

    log_id: UUID
    lock_id: UUID
    key_id: UUID | None
    key_number: int
    lock_counter: int
    key_counter: int
    happened_at: datetime
    recorded_at: datetime | None
    type_mask: int
    reason: Reason


class CarriedRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row on its way: who read it from the lock is known by when it was read."""

    row: AuditRow
    read_at: datetime


@dataclass(slots=True, kw_only=True)
class KeyDevice:
    """A key as a thing: its memory, its clock, its network.

    ``contact_at`` is the true instant of the last contact with the server (for a fob: of the last
    programming or FobApp contact); the offline countdown starts there, on the key's own clock.
    """

    key_id: UUID
    kind: KeyKind
    number: int
    clock: DeviceClock
    contact_at: datetime
    program: Program | None = None
    unacknowledged: int | None = None
    network_up: bool = True
    emptied: bool = False
    blocks: BlockCopy = NO_BLOCKS
    carried: list[CarriedRow] = field(default_factory=list)
    going_counter: int = 0

    @property
    def is_phone(self) -> bool:
        """Whether this key is a phone: programmed over the air, with a clock and a network."""
        return self.kind is KeyKind.PHONE


@dataclass(slots=True, kw_only=True)
class LockDevice:
    """A lock as a thing: the rights programmed into it, its clock if it has one, its log.

    ``taken_up_to`` is the counter of the newest row that some carrier took along; the rows stay in the ring
    until it is full, so that a programmer can read them again. ``stopped_clock`` is a clock that has lost the time: until
    a programmer sets it, the lock is like one without. ``zone`` is the one of a wrong DST package, ``None`` the site's own.
    """

    lock_id: UUID
    stamp: str
    lock_type: LockType
    number: int
    right_ids: frozenset[UUID]
    clock: DeviceClock | None
    respects_time_limits: bool
    online: bool
    online_required: bool
    ring: deque[AuditRow]
    hot_spot: bool = False
    network_up: bool = True
    blocks: BlockCopy = NO_BLOCKS
    going_counter: int = 0
    taken_up_to: int = 0
    last_known_time: datetime | None = None
    stopped_clock: DeviceClock | None = None
    zone: ZoneInfo | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One attempt at one lock of either maker, as it truly happened. ``log_id`` names the row it left."""

    ok: bool
    reason: Reason | CliqReason
    at: datetime
    lock_id: UUID
    key_id: UUID | None = None
    person: str | None = None
    log_id: UUID | None = None
