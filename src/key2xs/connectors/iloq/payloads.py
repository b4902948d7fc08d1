"""The vendor's JSON, typed: exact field names, only the fields that are used, everything optional.

Unknown fields are ignored on reading, because the vendor adds some in every version. What must be repeated on a
write is kept as it came (`SLOT_FIELDS`, `SCHEDULER_FIELDS`).
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "SCHEDULER_FIELDS",
    "SLOT_FIELDS",
    "WEEKLY_FIELDS",
    "Blacklist",
    "BlacklistItem",
    "CreatedSession",
    "DetailKey",
    "DetailPage",
    "HookEvent",
    "HookSubscription",
    "Key",
    "KeyLimits",
    "Lock",
    "LockGroup",
    "LockLimits",
    "LockOptions",
    "LogPage",
    "LogRow",
    "RightsMask",
    "RightsOf",
    "SecurityAccess",
    "Tag",
]

# Fields of a time-limit slot and of the scheduler that a PUT accepts (iLOQ Public API v2). SourceCalendarData_ID is
# read-only and left out.
SLOT_FIELDS = (
    "SlotNo",
    "LimitDateLg",
    "TimeLimitTitle_ID",
    "TimeLimitTitleStartDateLg",
    "TimeLimitTitleEndDateLg",
    "TimeLimitData",
    "TimeZone_ID",
)
WEEKLY_FIELDS = ("WeekDayMask", "StartTimeMS", "EndTimeMS")
SCHEDULER_FIELDS = ("RenewGapType", "RenewGapCount", "RenewMinute", "RenewEndDate")


class CreatedSession(msgspec.Struct, frozen=True):
    """Answer of CreateSession."""

    session_id: str | None = msgspec.field(name="SessionID", default=None)
    result: int = msgspec.field(name="Result", default=0)


class LockGroup(msgspec.Struct, frozen=True):
    """A locking system."""

    lock_group_id: str = msgspec.field(name="LockGroup_ID")
    name: str | None = msgspec.field(name="Name", default=None)
    time_zone: str | None = msgspec.field(name="TimeZoneStandardName", default=None)
    option_mask: int = msgspec.field(name="OptionMask", default=0)
    state: int = msgspec.field(name="State", default=0)


class RightsMask(msgspec.Struct, frozen=True):
    """Answer of SetLockgroup; up to 2^54, so it must stay an integer."""

    rights_mask: int = msgspec.field(name="RightsMask")


class Key(msgspec.Struct, frozen=True):
    """A key. `ExpireDate` is not read: it is the planned return date and limits nothing."""

    key_id: str = msgspec.field(name="FNKey_ID")
    stamp: str | None = msgspec.field(name="Stamp", default=None)
    person_id: str | None = msgspec.field(name="Person_ID", default=None)
    type_mask: int = msgspec.field(name="KeyTypeMask", default=0)
    state: int = msgspec.field(name="State", default=0)
    programming_state: int | None = msgspec.field(name="ProgrammingState", default=None)
    was_ever_programmed: bool | None = msgspec.field(name="IsProgrammed", default=None)


class SecurityAccess(msgspec.Struct, frozen=True):
    """An access right."""

    right_id: str = msgspec.field(name="SecurityAccess_ID")
    name: str | None = msgspec.field(name="Name", default=None)
    type: int = msgspec.field(name="Type", default=0)
    status: int = msgspec.field(name="Status", default=0)


class RightsOf(msgspec.Struct, frozen=True):
    """Rights of a key or of a lock."""

    rights: list[SecurityAccess] | None = msgspec.field(name="SecurityAccesses", default=None)
    outside: int = msgspec.field(name="OutsideUserZonesCount", default=0)


class KeyLimits(msgspec.Struct, frozen=True):
    """Limits of a key; slots and scheduler stay plain, because a write repeats them."""

    slots: list[dict[str, Any]] | None = msgspec.field(name="KeyTimeLimitSlots", default=None)
    offline_seconds: int | None = msgspec.field(name="OfflineExpirationSeconds", default=None)
    scheduler: dict[str, Any] | None = msgspec.field(name="KeyScheduler", default=None)
    outside_slots: list[int] | None = msgspec.field(name="OutsideUserZoneTimeLimitTitleSlots", default=None)


class Lock(msgspec.Struct, frozen=True):
    """A lock."""

    lock_id: str = msgspec.field(name="FLock_ID")
    stamp: str | None = msgspec.field(name="Stamp", default=None)
    clock_installed: bool | None = msgspec.field(name="ClockInstalled", default=None)
    clock_installed_at: str | None = msgspec.field(name="ClockInstalledDateUtc", default=None)
    network_module_device: str | None = msgspec.field(name="NetworkModuleDevice_ID", default=None)
    lock_type: int | None = msgspec.field(name="LockType", default=None)
    sw_version: int | str | None = msgspec.field(name="SwVersion", default=None)


class LockOptions(msgspec.Struct, frozen=True):
    """Options of a lock."""

    online_required_hard: bool | None = msgspec.field(name="S40OnlineRequiredHard", default=None)


class LockLimits(msgspec.Struct, frozen=True):
    """Which time limits a lock honours. ASSUMPTION: the flag can be read back; null = not known."""

    respects_all: bool | None = msgspec.field(name="LockRespectsAllTimeLimits", default=None)
    outside: int = msgspec.field(name="OutsideUserZonesCount", default=0)


class BlacklistItem(msgspec.Struct, frozen=True):
    """One key of the block list; ChangeType 2 = taken off, 3 = returned and emptied."""

    key_id: str = msgspec.field(name="FNKey_ID")
    change_type: int = msgspec.field(name="ChangeType", default=0)


class Blacklist(msgspec.Struct, frozen=True):
    """The block list."""

    items: list[BlacklistItem] | None = msgspec.field(name="BlacklistItems", default=None)
    outside: int = msgspec.field(name="OutsideUserZoneKeyCount", default=0)


class LogRow(msgspec.Struct, frozen=True):
    """A row of the lock log by arrival. GoingDate is UTC by its description, whatever its name."""

    log_id: str = msgspec.field(name="DeviceLog_ID")
    arrived_at: str = msgspec.field(name="TimestampUtc")
    lock_id: str | None = msgspec.field(name="FLock_ID", default=None)
    key_id: str | None = msgspec.field(name="FNKey_ID", default=None)
    going_date: str | None = msgspec.field(name="GoingDate", default=None)
    reading_date: str | None = msgspec.field(name="ReadingDate", default=None)
    type_mask: int = msgspec.field(name="AccessTypeMask", default=0)
    going_counter: int | None = msgspec.field(name="GoingCounter", default=None)


class LogPage(msgspec.Struct, frozen=True):
    """Answer of GetLockLogDataByTimestamp."""

    rows: list[LogRow] | None = msgspec.field(name="LockLogs", default=None)


class DetailKey(msgspec.Struct, frozen=True):
    """The key in a row by device. `OptionMask` 1: access without time, the person is not certain."""

    going_counter: int | None = msgspec.field(name="GoingCounter", default=None)
    option_mask: int | None = msgspec.field(name="OptionMask", default=None)
    custom_values: str | None = msgspec.field(name="CustomValueData", default=None)


class DetailRow(msgspec.Struct, frozen=True):
    """A row by device; only what the rows by arrival lack."""

    log_id: str = msgspec.field(name="DeviceLog_ID")
    key: DetailKey | None = msgspec.field(name="FNKey", default=None)


class DetailPage(msgspec.Struct, frozen=True):
    """Answer of POST LockLogs."""

    rows: list[DetailRow] | None = msgspec.field(name="LockLogs", default=None)


class HookEvent(msgspec.Struct, frozen=True):
    """An event that can be subscribed to."""

    id: str = msgspec.field(name="Id")
    name: str = msgspec.field(name="Name")


class HookSubscription(msgspec.Struct, frozen=True):
    """A subscription. `SignKey` is used as it is printed, with its hyphens."""

    id: str = msgspec.field(name="SubscriptionId")
    event_id: str = msgspec.field(name="WebhookEventId")
    url: str | None = msgspec.field(name="TargetEndpointUri", default=None)
    ends_at: str | None = msgspec.field(name="EndDateUtc", default=None)
    sign_key: str | None = msgspec.field(name="SignKey", default=None)


class Tag(msgspec.Struct, frozen=True):
    """A key tag."""

    tag_id: str = msgspec.field(name="Tag_ID")
    key_id: str = msgspec.field(name="FNKey_ID")
    key: str = msgspec.field(name="Key")
    value: str | None = msgspec.field(name="Value", default=None)
    in_audit_trail: bool = msgspec.field(name="SaveToKeyAuditTrail", default=False)
