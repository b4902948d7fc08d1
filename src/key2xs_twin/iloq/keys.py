"""The life of a key on the server: planned, ordered, fetched, acknowledged, returned.

    insert -> PLANNING -order-> ORDERED -device fetches-> FETCHED -acknowledges-> PROGRAMMED
                  ^------------------- any change of the plan -------------------------'

The server never knows more than the last acknowledgement: that is mode 2 of the API.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from uuid import UUID

from key2xs_twin.iloq.errors import ApiError, invalid, not_possible
from key2xs_twin.iloq.inventory import KeyKind, LockSpec, LockType, RightType
from key2xs_twin.iloq.settings import IloqSettings
from key2xs_twin.iloq.shapes import RightsBody, SchedulerBody, SlotBody, read_local, read_utc
from key2xs_twin.iloq.state import (
    MAX_OFFLINE_SECONDS,
    KeyRecord,
    KeyState,
    Packet,
    Plan,
    ProgrammingState,
    TimeSlot,
    VendorState,
)

GONE = frozenset({KeyState.RETURNED, KeyState.DELETED})
HARD_SLOT_LIMIT = 23  # Public API v2: no lock firmware reads more
OLD_SLOT_LIMIT = 10  # Public API v2: what any lock firmware reads
NEW_FIRMWARE = {LockType.C5: 138, LockType.D5: 135}  # Public API v2: from here a lock reads 23
MIN_RENEW_MINUTE = 70  # Public API v2: KeyScheduler lead


class CanOrder(IntEnum):
    """Answers of GET Keys/{id}/CanOrder that the twin gives (Public API v2)."""

    ERROR = -1
    OK = 0
    NEEDS_TOKEN = 1
    WRONG_KIND = 2
    LICENCE = 3
    NOT_IN_PLANNING = 4
    BLOCKLISTED = 8
    NO_PHONE_NUMBER = 9
    TOO_MANY_LIMITS = 11
    NO_PERSON = 13


def find_key(state: VendorState, key_id: UUID) -> KeyRecord:
    """The key, or the vendor's answer to an id it does not list."""
    record = state.keys.get(key_id)
    if record is None or record.state in GONE or key_id in state.out_of_sight:
        raise invalid(key_id, "key id")
    return record


def read_plan(state: VendorState, kind: KeyKind, body: RightsBody) -> Plan:
    """A plan out of a replace-all body: what the body leaves out is not in it."""
    right_ids = frozenset(body.security_access_ids or ())
    for right_id in right_ids:
        if right_id not in state.rights:
            raise invalid(right_id, "SecurityAccessIds")
    seconds = body.offline_expiration_seconds
    if not 0 <= seconds <= MAX_OFFLINE_SECONDS[kind]:
        raise invalid(seconds, "OfflineExpirationSeconds")
    return Plan(
        right_ids=right_ids,
        slots=_read_slots(state, body.time_limit_slots or []),
        offline_expiration_seconds=seconds,
        scheduler=_read_scheduler(body.key_scheduler),
        outside_slots=tuple(body.outside_user_zone_time_limit_title_slots or ()),
    )


def _read_slots(state: VendorState, bodies: list[SlotBody]) -> tuple[TimeSlot, ...]:
    slots = tuple(_read_slot(state, body) for body in bodies)
    dates = {slot.slot_no: slot.limit_date_lg for slot in slots if slot.slot_no != 2}
    if len(dates) != sum(slot.slot_no != 2 for slot in slots):
        raise invalid("repeated", "SlotNo")
    start, end = dates.get(0), dates.get(1)
    if start is not None and end is not None and start >= end:
        raise invalid(start, "LimitDateLg")
    if sum(slot.memory for slot in slots) > HARD_SLOT_LIMIT:
        raise invalid(len(slots), "TimeLimitSlots")
    return tuple(sorted(slots, key=lambda slot: (slot.slot_no, str(slot.title_id))))


def _read_slot(state: VendorState, body: SlotBody) -> TimeSlot:
    if body.slot_no not in {0, 1, 2}:
        raise invalid(body.slot_no, "SlotNo")
    if body.slot_no != 2:
        if body.limit_date_lg is None or body.time_limit_title_id is not None or body.time_limit_data:
            raise invalid(body.slot_no, "TimeLimitSlots")
        return TimeSlot(slot_no=body.slot_no, limit_date_lg=read_local(body.limit_date_lg, "LimitDateLg"))
    if body.time_limit_title_id not in state.titles:
        raise invalid(body.time_limit_title_id, "TimeLimitTitle_ID")
    for row in body.time_limit_data or ():
        # 15 minutes in milliseconds; Public API v2.
        if row.start_time_ms % 900_000 or row.end_time_ms % 900_000:
            raise invalid(row.start_time_ms, "TimeLimitData")
    return TimeSlot(
        slot_no=2,
        title_id=body.time_limit_title_id,
        title_starts_lg=read_local(body.time_limit_title_start_date_lg, "TimeLimitTitleStartDateLg"),
        title_ends_lg=read_local(body.time_limit_title_end_date_lg, "TimeLimitTitleEndDateLg"),
        weekly=tuple(
            (row.week_day_mask, row.start_time_ms, row.end_time_ms) for row in body.time_limit_data or ()
        ),
    )


def _read_scheduler(body: SchedulerBody | None) -> tuple[int, int, int, datetime | None] | None:
    if body is None or body.renew_gap_type == 0:
        return None
    if body.renew_gap_type not in {1, 2}:
        raise invalid(body.renew_gap_type, "RenewGapType")
    if body.renew_minute < MIN_RENEW_MINUTE:
        raise invalid(body.renew_minute, "RenewMinute")
    ends_at = read_utc(body.renew_end_date, "RenewEndDate")
    return body.renew_gap_type, body.renew_gap_count, body.renew_minute, ends_at


def change_plan(state: VendorState, settings: IloqSettings, record: KeyRecord, plan: Plan) -> None:
    """Replace the plan of a key; the device keeps what it has until an order is delivered."""
    if state.blocks.is_blocked(record.key_id):
        raise ApiError(400, "ValidationFailed", "Key is on the blocklist and cannot be modified.")
    if record.packet is not None and record.packet.empties:
        raise ApiError(400, "ValidationFailed", "Key is being returned and cannot be modified.")
    record.plan = plan
    if settings.cancels_packet_on_change:
        record.packet = None
    settle_state(record)


def slot_budget(state: VendorState, settings: IloqSettings, plan: Plan) -> int:
    """How many slots a key with this plan may use: the least that a lock of it reads."""
    old = any(not _is_new(lock.spec) for lock in state.locks.values() if lock.right_ids & plan.right_ids)
    return min(settings.slot_budget, OLD_SLOT_LIMIT if old else HARD_SLOT_LIMIT)


def _has_room(state: VendorState, settings: IloqSettings, plan: Plan) -> bool:
    # Most plans are small, and there are many locks.
    small = plan.memory <= min(OLD_SLOT_LIMIT, settings.slot_budget)
    return small or plan.memory <= slot_budget(state, settings, plan)


def _is_new(spec: LockSpec) -> bool:
    first = NEW_FIRMWARE.get(spec.lock_type)
    return first is not None and spec.sw_version >= first


def can_add_limit(state: VendorState, settings: IloqSettings, record: KeyRecord, body: SlotBody) -> int:
    """Answers of POST Keys/{id}/TimeLimitTitles/CanAdd that the twin gives (Public API v2); 0 is ok here."""
    if state.blocks.is_blocked(record.key_id):
        return 15
    if body.slot_no != 2 and (body.time_limit_title_id is not None or body.time_limit_data):
        return 8
    try:
        slot = _read_slot(state, body)
    except ApiError:
        return 14
    others = [each for each in record.plan.slots if each.slot_no != slot.slot_no or slot.slot_no == 2]
    dates = {each.slot_no: each.limit_date_lg for each in (*others, slot)}
    start, end = dates.get(0), dates.get(1)
    if start is not None and end is not None and start >= end:
        return 13
    needed = slot.memory + sum(each.memory for each in others)
    return 1 if needed > slot_budget(state, settings, record.plan) else 0


def settle_state(record: KeyRecord) -> None:
    """PROGRAMMED only if plan and last acknowledgement agree and nothing is under way; else PLANNING."""
    agrees = record.programmed == record.plan and record.packet is None and not record.fetched
    record.programming_state = ProgrammingState.PROGRAMMED if agrees else ProgrammingState.PLANNING


def can_order(state: VendorState, settings: IloqSettings, record: KeyRecord) -> CanOrder:
    """Whether the API may order this key now; physical programming keys are not at the API's hand."""
    checks = (
        (state.blocks.is_blocked(record.key_id), CanOrder.BLOCKLISTED),
        (record.programming_state is ProgrammingState.ERROR, CanOrder.ERROR),
        (record.programming_state is not ProgrammingState.PLANNING, CanOrder.NOT_IN_PLANNING),
        (settings.licence_exhausted, CanOrder.LICENCE),
        (record.kind is KeyKind.FOB and not settings.fob_order_allowed, CanOrder.WRONG_KIND),
        (record.kind is KeyKind.PHONE and record.person_id is None, CanOrder.NO_PERSON),
        (record.kind is KeyKind.PHONE and not (record.phone_no or record.email), CanOrder.NO_PHONE_NUMBER),
        (not _has_room(state, settings, record.plan), CanOrder.TOO_MANY_LIMITS),
        (record.kind is KeyKind.FOB and settings.fob_change_needs_token, CanOrder.NEEDS_TOKEN),
        (_touches_other_rights(state, record), CanOrder.NEEDS_TOKEN),
    )
    return next((code for failed, code in checks if failed), CanOrder.OK)


def _touches_other_rights(state: VendorState, record: KeyRecord) -> bool:
    """Whether a changed right is not of type *API access*; then Manager and a token are needed."""
    on_device = record.programmed.right_ids if record.programmed is not None else frozenset()
    changed = record.plan.right_ids ^ on_device
    return any(
        state.rights[right_id].type is not RightType.API for right_id in changed if right_id in state.rights
    )


def order(state: VendorState, settings: IloqSettings, record: KeyRecord) -> Packet:
    """Make a packet of the plan; it replaces one that was not fetched."""
    answer = can_order(state, settings, record)
    if answer is not CanOrder.OK:
        raise not_possible("Ordering the key", answer)
    return put_packet(state, record, empties=False)


def put_packet(state: VendorState, record: KeyRecord, *, empties: bool) -> Packet:
    """Put the plan (or the task that empties the key) on the server for the device to fetch."""
    state.packets_made += 1
    plan = Plan() if empties else record.plan
    record.packet = Packet(state.packets_made, plan, empties=empties)
    record.programming_state = ProgrammingState.ORDERED
    return record.packet


def fetch(record: KeyRecord) -> Packet | None:
    """The device asks for work; a packet stays on the server until its acknowledgement."""
    packet = record.packet
    if packet is None:
        return None
    record.fetched[packet.number] = packet
    if record.programming_state is ProgrammingState.ORDERED:
        record.programming_state = ProgrammingState.FETCHED
    return packet


def acknowledge(record: KeyRecord, number: int) -> None:
    """The device says that packet ``number`` is in its memory; only now does mode 2 change."""
    packet = record.fetched.pop(number, None)
    if packet is None:
        return
    # Older fetched packets were overwritten on the device before this one was acknowledged.
    record.fetched = {key: value for key, value in record.fetched.items() if key > number}
    record.programmed = packet.plan
    record.was_programmed = True
    if record.packet is not None and record.packet.number == number:
        record.packet = None
    if packet.empties:
        record.state = KeyState.RETURNED
        record.plan = packet.plan
    elif record.state is KeyState.PLANNING:
        record.state = KeyState.HANDED_OVER
    if record.packet is None:
        settle_state(record)


def can_return(state: VendorState, record: KeyRecord) -> int:
    """Answers of GET Keys/{id}/CanReturn: 0 ok, 1 token, 3 never programmed, 4 blocklisted."""
    if record.kind is not KeyKind.PHONE:
        return 1
    if not record.was_programmed:
        return 3
    return 4 if state.blocks.is_blocked(record.key_id) else 0


def can_delete(state: VendorState, record: KeyRecord) -> int:
    """Answers of GET Keys/{id}/CanDelete: 0 ok, 1 programmed, 2 given to programming, 3 blocklisted."""
    if state.blocks.is_blocked(record.key_id):
        return 3
    if record.was_programmed:
        return 1
    return 2 if record.packet is not None else 0
