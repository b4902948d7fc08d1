"""Request bodies on the vendor's exact names; unknown fields are refused, as a strict vendor would."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from key2xs_twin.iloq.errors import invalid

GRID = timedelta(minutes=15)  # Public API v2: slot times must divide by 15 minutes
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")  # no offset, no fraction
_ODD_NAMES = {
    "fnkey_id": "FNKey_ID",
    "rom_id": "ROM_ID",
    "email": "eMail",
    "phone_email": "Email",
    "flock_ids": "FLockIds",
    "fnkey_ids": "FNKeyIds",
    "start_time_ms": "StartTimeMS",
    "end_time_ms": "EndTimeMS",
    "subscription_id": "SubscriptionId",
    "webhook_event_id": "WebhookEventId",
}


def wire_name(field: str) -> str:
    """``limit_date_lg`` -> ``LimitDateLg``, ``time_limit_title_id`` -> ``TimeLimitTitle_ID``."""
    if field in _ODD_NAMES:
        return _ODD_NAMES[field]
    pascal = "".join(part.capitalize() for part in field.split("_"))
    return pascal[:-2] + "_ID" if pascal.endswith("Id") and field != "external_person_id" else pascal


class Body(msgspec.Struct, rename=wire_name, forbid_unknown_fields=True, kw_only=True):
    """A request body: exact names, nothing else."""


class UrlBody(Body):
    """POST Url/GetUrl."""

    customer_code: str


class SessionBody(Body):
    """POST CreateSession; ``ApiKey`` and ``ApiSecret`` are to be left empty."""

    customer_code: str = ""
    user_name: str = ""
    password: str = ""
    api_key: str | None = None
    api_secret: str | None = None


class LockGroupBody(Body):
    """POST SetLockgroup."""

    lock_group_id: UUID


class WeeklyBody(Body):
    """One row of a weekly clock, in milliseconds from midnight."""

    week_day_mask: int = 0
    start_time_ms: int = 0
    end_time_ms: int = 0


class SlotBody(Body):
    """A time limit slot; dates are local to the locking system, without offset."""

    slot_no: int
    limit_date_lg: str | None = None
    time_limit_title_id: UUID | None = None
    time_limit_title_start_date_lg: str | None = None
    time_limit_title_end_date_lg: str | None = None
    time_limit_data: list[WeeklyBody] | None = None
    time_zone_id: str | None = None
    source_calendar_data_id: UUID | None = None


class SchedulerBody(Body):
    """KeyScheduler: how a key's end date is renewed."""

    renew_gap_type: int = 0
    renew_gap_count: int = 0
    renew_minute: int = 0
    renew_end_date: str | None = None


class RightsBody(Body):
    """PUT Keys/{id}/SecurityAccesses. What is left out is deleted; an omitted expiry is 0, for ever."""

    security_access_ids: list[UUID] | None = msgspec.field(default=None, name="SecurityAccessIds")
    time_limit_slots: list[SlotBody] | None = None
    offline_expiration_seconds: int = 0
    key_scheduler: SchedulerBody | None = None
    outside_user_zone_time_limit_title_slots: list[int] | None = None


class AddRightBody(Body):
    """POST Keys/{id}/SecurityAccesses."""

    security_access_id: UUID


class NewKeyBody(Body):
    """The key inside POST Keys."""

    fnkey_id: UUID
    stamp: str
    key_type_mask: int
    description: str | None = None
    info_text: str | None = None
    person_id: UUID | None = None
    real_estate_id: UUID | None = None
    expire_date: str | None = None
    manufacturing_info: str | None = None
    online_access_code: str | None = None
    rom_id: str | None = None
    tag_key: str | None = None
    version_code: str | None = None


class InsertKeyBody(Body):
    """POST Keys."""

    key: NewKeyBody
    security_access_ids: list[UUID] | None = msgspec.field(default=None, name="SecurityAccessIds")
    time_limit_slots: list[SlotBody] | None = None
    offline_expiration_seconds: int = 0
    key_scheduler: SchedulerBody | None = None
    zone_ids: list[UUID] | None = msgspec.field(default=None, name="ZoneIds")


class PersonBody(Body):
    """The person inside POST Persons."""

    person_id: UUID
    first_name: str
    last_name: str
    external_person_id: str | None = None
    person_code: str | None = None
    email: str | None = None
    phone1: str | None = None
    phone2: str | None = None
    phone3: str | None = None
    company_name: str | None = None
    work_title: str | None = None
    employment_end_date: str | None = None
    state: int = 0
    external_can_edit: bool = False
    language_code: str | None = None
    address: str | None = None
    zip_code: str | None = None
    post_office: str | None = None
    country: str | None = None
    contact_info: str | None = None
    description: str | None = None


class InsertPersonBody(Body):
    """POST Persons."""

    person: PersonBody
    zone_ids: list[UUID] | None = msgspec.field(default=None, name="ZoneIds")


class KeyPhoneBody(Body):
    """PUT KeyPhones."""

    fnkey_id: UUID
    phone_no: str | None = None
    phone_email: str | None = None
    option_mask: int = 0


class TagBody(Body):
    """POST and PUT KeyTags."""

    tag_id: UUID
    fnkey_id: UUID
    key: str
    value: str
    save_to_key_audit_trail: bool = False


class SubscriptionBody(Body):
    """POST and PUT Webhooks/Subscriptions."""

    subscription_id: UUID
    webhook_event_id: UUID
    target_endpoint_uri: str
    start_date_utc: str
    end_date_utc: str
    json_path_filter: str | None = None
    custom_header: str | None = None
    sign_key: str | None = None


class LogWindowBody(Body):
    """POST LockLogs/GetLockLogDataByTimestamp and ...ByGoingDates: from inclusive, to exclusive."""

    start_date_utc: str | None = None
    end_date_utc: str | None = None


class LogFilterBody(Body):
    """POST LockLogs: by locks and/or keys, at most 2000 rows."""

    flock_ids: list[UUID] | None = None
    fnkey_ids: list[UUID] | None = None
    going_start_date_utc: str | None = None
    going_end_date_utc: str | None = None
    type_mask: int = 0


def read_local(text: str | None, parameter: str) -> datetime | None:
    """A ``...Lg`` value: local, no offset, on the 15-minute grid."""
    if text is None:
        return None
    if not _LOCAL.fullmatch(text):
        raise invalid(text, parameter)
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(text, parameter) from None
    if local.minute % 15 or local.second:
        raise invalid(text, parameter)
    return local


def read_utc(text: str | None, parameter: str) -> datetime | None:
    """A ``...Utc`` value; without offset it means UTC."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(text, parameter) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def write_local(local: datetime | None) -> str | None:
    """A local time as the vendor prints it."""
    return None if local is None else local.strftime("%Y-%m-%dT%H:%M:%S")


def write_utc(instant: datetime | None) -> str | None:
    """A UTC time as the vendor prints it."""
    return None if instant is None else instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def decode(body: bytes, shape: type[Body]) -> Any:
    """Read a request body strictly, or answer as the vendor does to nonsense."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.DecodeError as error:
        raise invalid(str(error), "body") from None
