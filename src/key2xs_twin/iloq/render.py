"""Vendor state as JSON values on the vendor's exact names."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from key2xs_twin.devices.things import TypeBit
from key2xs_twin.iloq.inventory import PersonSpec, SecurityAccessSpec
from key2xs_twin.iloq.logs import ERROR_TEXTS
from key2xs_twin.iloq.shapes import write_local, write_utc
from key2xs_twin.iloq.state import (
    KEY_TYPE_MASKS,
    BlockRecord,
    KeyRecord,
    KeyTag,
    LockRecord,
    LogRecord,
    Plan,
    TimeSlot,
    VendorState,
)

Json = dict[str, Any]


def text(value: UUID | None) -> str | None:
    """A GUID as the vendor prints it."""
    return None if value is None else str(value)


def key(record: KeyRecord) -> Json:
    """A Key. ``ExpireDate`` looks like an expiry and is none: it is the planned return date."""
    return {
        "FNKey_ID": str(record.key_id),
        "Description": record.description,
        "Stamp": record.stamp,
        "StampSource": 0,
        "Person_ID": text(record.person_id),
        "RealEstate_ID": None,
        "ExpireDate": write_utc(record.expire_date),
        "InfoText": record.info_text,
        "KeyTypeMask": KEY_TYPE_MASKS[record.kind],
        "State": int(record.state),
        "ProgrammingState": int(record.programming_state),
        "IsProgrammed": record.was_programmed,
        "ROM_ID": f"{record.number:012X}",
        "TagKey": "",
        "TagKeyHex": "",
        "TagKeySource": 0,
        "VersionCode": "",
    }


def person(spec: PersonSpec, extra: Json) -> Json:
    """A Person; fields that the twin has no use for come back as they were written."""
    return {
        "Person_ID": str(spec.person_id),
        "FirstName": spec.first_name,
        "LastName": spec.last_name,
        "PersonCode": None,
        "ExternalPersonId": spec.external_person_id,
        "eMail": spec.email,
        "Phone1": spec.phone,
        "Phone2": None,
        "Phone3": None,
        "CompanyName": spec.company_name,
        "WorkTitle": None,
        "EmploymentEndDate": None,
        "State": 0,
        "ExternalCanEdit": False,
        "LanguageCode": None,
        "Address": None,
        "ZipCode": None,
        "PostOffice": None,
        "Country": None,
        "ContactInfo": None,
        "Description": None,
    } | extra


def security_access(spec: SecurityAccessSpec) -> Json:
    """A SecurityAccess; all of the twin's are active."""
    return {
        "SecurityAccess_ID": str(spec.id),
        "Name": spec.name,
        "Description": "",
        "Type": int(spec.type),
        "Status": 0,
        "Zone_ID": text(spec.zone_id),
        "RealEstate_ID": None,
        "VersionNr": None,
        "Ext": 0,
        "ExtDescription": "",
        "AccessMode": 0,
        "DefaultAccess": 0,
        "ParentSecurityAccess_ID": None,
    }


def key_rights(state: VendorState, plan: Plan | None) -> Json:
    """GET Keys/{id}/SecurityAccesses."""
    right_ids = plan.right_ids if plan is not None else frozenset()
    return {"SecurityAccesses": _rights(state, right_ids), "OutsideUserZonesCount": 0}


def lock_rights(state: VendorState, right_ids: frozenset[UUID]) -> Json:
    """GET Locks/{id}/SecurityAccesses."""
    return {"SecurityAccesses": _rights(state, right_ids), "OutsideUserZonesCount": 0}


def _rights(state: VendorState, right_ids: frozenset[UUID]) -> list[Json]:
    return [
        security_access(state.rights[right_id]) for right_id in sorted(right_ids) if right_id in state.rights
    ]


def time_limits(plan: Plan | None) -> Json:
    """GET Keys/{id}/TimeLimitTitles."""
    plan = plan if plan is not None else Plan()
    gap_type, gap_count, minute, ends_at = plan.scheduler or (0, 0, 0, None)
    return {
        "KeyTimeLimitSlots": [_slot(slot) for slot in plan.slots],
        "OfflineExpirationSeconds": plan.offline_expiration_seconds,
        "KeyScheduler": {
            "RenewGapType": gap_type,
            "RenewGapCount": gap_count,
            "RenewMinute": minute,
            "RenewEndDate": write_utc(ends_at),
        },
        "OutsideUserZoneTimeLimitTitleSlots": list(plan.outside_slots),
    }


def _slot(slot: TimeSlot) -> Json:
    return {
        "SlotNo": slot.slot_no,
        "LimitDateLg": write_local(slot.limit_date_lg),
        "TimeLimitTitle_ID": text(slot.title_id),
        "TimeLimitTitleStartDateLg": write_local(slot.title_starts_lg),
        "TimeLimitTitleEndDateLg": write_local(slot.title_ends_lg),
        "TimeLimitData": [
            {"WeekDayMask": days, "StartTimeMS": start, "EndTimeMS": end} for days, start, end in slot.weekly
        ],
        "TimeZone_ID": None,
        "SourceCalendarData_ID": None,
    }


def lock(record: LockRecord) -> Json:
    """A Lock, without the many free-text fields that a site leaves empty."""
    spec = record.spec
    return {
        "FLock_ID": str(spec.flock_id),
        "SerialNumber": spec.serial_number,
        "Stamp": spec.stamp,
        "Description": spec.description,
        "LocationCode": spec.location_code,
        "LockingObject": spec.description,
        "LockType": int(spec.lock_type),
        "PhysicalState": 1,
        "ClockInstalled": spec.clock_installed,
        "ClockInstalledDateUtc": None,
        "SwVersion": spec.sw_version,
        "HwVersion": 0,
        "DataVersion": 0,
        "NetworkModuleDevice_ID": text(spec.flock_id) if spec.online else None,
        "RealEstate_Id": None,
        "Zone_ID": text(spec.zone_id),
        "MAC": "",
        "LockState": 3,
    }


def lock_options(record: LockRecord) -> Json:
    """GET Locks/{id}/Options."""
    return {
        "S40LoggingOn": True,
        "S40OnlineRequiredHard": record.spec.online_required,
        "S40OnlineRequiredSoft": False,
        "S40AcceptSoftGroup": False,
        "S40FlipFlop": False,
        "SaveOnlineLockAuditTrail": True,
        "S10CollectAuditTrail": False,
    }


def lock_time_limits(state: VendorState, record: LockRecord, *, with_flag: bool) -> Json:
    """GET Locks/{id}/TimeLimitTitles. ASSUMPTION: ``LockRespectsAllTimeLimits`` can be read back here."""
    titles = [
        {"TimeLimitTitle_ID": str(title_id), "Name": state.titles.get(title_id, ""), "OptionMask": 2}
        for title_id in sorted(record.spec.time_limit_title_ids)
    ]
    answer: Json = {"TimeLimitTitles": titles, "OutsideUserZonesCount": 0}
    if with_flag:
        answer["LockRespectsAllTimeLimits"] = record.spec.respects_time_limits
    return answer


def block_item(state: VendorState, record: BlockRecord) -> Json:
    """One item of GET Blacklists."""
    blocked = state.keys[record.key_id]
    holder = state.persons.get(blocked.person_id) if blocked.person_id is not None else None
    return {
        "FNKey_ID": str(record.key_id),
        "BlackListDateUtc": write_utc(record.since),
        "BlacklistVersion": str(record.version),
        "ChangeType": record.change_type,
        "KeyStamp": blocked.stamp,
        "Name": blocked.description,
        "PersonName": f"{holder.first_name} {holder.last_name}" if holder is not None else None,
        "KeyTypeMask": KEY_TYPE_MASKS[blocked.kind],
        "FNKeyBlacklistPacketLink_ID": None,
    }


def tag(record: KeyTag) -> Json:
    """A KeyTag."""
    return {
        "Tag_ID": str(record.tag_id),
        "FNKey_ID": str(record.key_id),
        "Key": record.key,
        "Value": record.value,
        "SaveToKeyAuditTrail": record.save_to_audit,
    }


def log_by_time(state: VendorState, record: LogRecord, lock_group_id: UUID) -> Json:
    """A row of the by-time calls: flat, with all three times."""
    row = record.row
    code, description = ERROR_TEXTS[row.reason] if row.type_mask & TypeBit.FAILED else (0, "")
    place = state.locks[row.lock_id].spec
    return {
        "DeviceLog_ID": str(row.log_id),
        "GoingDate": write_utc(record.going_date),
        "ReadingDate": write_utc(record.reading_date),
        "TimestampUtc": write_utc(record.arrived_at),
        "AccessTypeMask": row.type_mask,
        "ErrorCode": code,
        "ErrorDescription": description,
        "FLock_ID": str(row.lock_id),
        "FNKey_ID": text(row.key_id),
        "KeyId": row.key_number,
        "GoingCounter": row.lock_counter,
        "LocationCode": place.location_code,
        "LockingObject": place.description,
        "LockGroup_ID": str(lock_group_id),
        "FLockLogFNKey_ID": str(row.log_id),
    }


def log_by_device(state: VendorState, record: LogRecord) -> Json:
    """A row of POST LockLogs: nested, with both counters and the person of that time."""
    row = record.row
    code, description = ERROR_TEXTS[row.reason] if row.type_mask & TypeBit.FAILED else (0, "")
    place = state.locks[row.lock_id].spec
    known = state.keys.get(row.key_id) if row.key_id is not None else None
    return {
        "DeviceLog_ID": str(row.log_id),
        "GoingDateUtc": write_utc(record.going_date),
        "TypeMask": row.type_mask,
        "ErrCode": code,
        "ErrorDescription": description,
        "FLock": {
            "FlockId": str(row.lock_id),
            "GoingCounter": row.lock_counter,
            "KeyChamber": None,
            "LocationCode": place.location_code,
            "LockingObject": place.description,
            "LockType": int(place.lock_type),
        },
        "FNKey": {
            "FNKeyId": text(row.key_id),
            "KeyId": row.key_number,
            "GoingCounter": row.key_counter,
            "PersonName": record.person_name,
            "Stamp": known.stamp if known is not None else None,
            "Description": known.description if known is not None else None,
            "KeyTypeMask": KEY_TYPE_MASKS[known.kind] if known is not None else 0,
            "OptionMask": record.option_mask,
            "CustomValueData": record.custom_values,
        },
        "LocationData": None,
        "LocationInfoMask": 0,
        "LockStateConfirmation": None,
        "ProgrammingInfo": 0,
    }


def arrived_row(state: VendorState, record: LogRecord) -> Json:
    """Data of a `device_log_arrived` message: no `DeviceLog_ID`, and `fnKey_ID` as the vendor's example prints it."""
    row = record.row
    known = state.keys.get(row.key_id) if row.key_id is not None else None
    return {
        "DeviceLogTypeMask": row.type_mask,
        "FLock_ID": str(row.lock_id),
        "fnKey_ID": text(row.key_id),
        "GoingDateUtc": write_utc(record.going_date),
        "KeyTypeMask": KEY_TYPE_MASKS[known.kind] if known is not None else 0,
        "LanguageCode": "en",
        "LockSerialNumber": state.locks[row.lock_id].spec.serial_number,
        "Person_ID": text(known.person_id) if known is not None else None,
        "PersonFullName": record.person_name,
        "PhoneEmail": known.email if known is not None else None,
        "PhoneNo": known.phone_no if known is not None else None,
        "RealEstate_ID": None,
    }
