"""Operations on keys: rights, time, order, return, phones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from key2xs_twin.iloq import keys as key_life, render
from key2xs_twin.iloq.errors import invalid, not_possible
from key2xs_twin.iloq.inventory import KeyKind, KeySpec
from key2xs_twin.iloq.routes import NO_BODY, NO_CONTENT, Call, Right, route
from key2xs_twin.iloq.shapes import (
    AddRightBody,
    InsertKeyBody,
    KeyPhoneBody,
    RightsBody,
    SlotBody,
    decode,
    read_utc,
)
from key2xs_twin.iloq.state import KEY_TYPE_MASKS, KeyRecord, KeyState, Plan

KINDS = {mask: kind for kind, mask in KEY_TYPE_MASKS.items()}


def key_of(call: Call) -> KeyRecord:
    """The key that the path names."""
    return key_life.find_key(call.server.state, call.ids[0])


def planned_or_programmed(call: Call) -> Plan | None:
    """Mode 1 is the plan, mode 2 the last acknowledged one."""
    record = key_of(call)
    return record.programmed if call.mode() == 2 else record.plan


@route("GET", "Keys", Right.KEYS_LIST)
def list_keys(call: Call) -> Any:
    """The whole list, every time: the API has no paging."""
    return [
        render.key(record)
        for record in call.server.state.keys.values()
        if record.state not in key_life.GONE and record.key_id not in call.server.state.out_of_sight
    ]


@route("GET", "Keys/*", Right.KEYS_LIST)
def get_key(call: Call) -> Any:
    """One key."""
    return render.key(key_of(call))


@route("GET", "Persons/*/Keys", Right.KEYS_LIST)
def keys_of_person(call: Call) -> Any:
    """The keys of one person."""
    if call.ids[0] not in call.server.state.persons:
        raise invalid(call.ids[0], "person id")
    found = [record for record in call.server.state.keys.values() if record.person_id == call.ids[0]]
    return {"Keys": [render.key(record) for record in found if record.state not in key_life.GONE]}


@route("POST", "Keys", Right.KEYS_EDIT)
def insert_key(call: Call) -> Any:
    """A new key in planning; the caller chooses its id."""
    server = call.server
    body: InsertKeyBody = decode(call.request.body, InsertKeyBody)
    key = body.key
    if key.fnkey_id in server.state.keys:
        raise invalid(key.fnkey_id, "FNKey_ID")
    kind = KINDS.get(key.key_type_mask)
    if kind is None:
        raise invalid(key.key_type_mask, "KeyTypeMask")
    if not key.stamp.isdigit():
        raise invalid(key.stamp, "Stamp")
    if kind is KeyKind.PHONE and key.person_id is None:
        raise invalid(None, "Person_ID")
    if key.person_id is not None and key.person_id not in server.state.persons:
        raise invalid(key.person_id, "Person_ID")
    for zone_id in body.zone_ids or ():
        if zone_id not in server.state.zones:
            raise invalid(zone_id, "ZoneIds")
    rights = RightsBody(
        security_access_ids=body.security_access_ids,
        time_limit_slots=body.time_limit_slots,
        offline_expiration_seconds=body.offline_expiration_seconds,
        key_scheduler=body.key_scheduler,
    )
    plan = key_life.read_plan(server.state, kind, rights)
    expire_date = read_utc(key.expire_date, "ExpireDate")
    spec = KeySpec(fnkey_id=key.fnkey_id, stamp=key.stamp, kind=kind, description=key.description or "")
    record = server.add_key(spec, key.person_id)
    record.plan, record.expire_date, record.info_text = plan, expire_date, key.info_text or ""
    server.webhooks.tell("key_added", {"FNKey_ID": str(record.key_id), "Stamp": record.stamp})
    return render.key(record)


@route("GET", "Keys/*/CanDelete", Right.KEYS_LIST)
def can_delete_key(call: Call) -> Any:
    """Whether the key may be deleted."""
    return key_life.can_delete(call.server.state, key_of(call))


@route("DELETE", "Keys/*", Right.KEYS_EDIT)
def delete_key(call: Call) -> Any:
    """Delete a key that was never programmed."""
    record = key_of(call)
    code = key_life.can_delete(call.server.state, record)
    if code:
        raise not_possible("Deleting the key", code)
    record.state = KeyState.DELETED
    return NO_BODY


@route("GET", "Keys/*/SecurityAccesses", Right.KEYS_LIST)
def get_rights(call: Call) -> Any:
    """Rights by plan or on the device."""
    return render.key_rights(call.server.state, planned_or_programmed(call))


@route("POST", "Keys/*/SecurityAccesses", Right.KEY_ACCESS_EDIT)
def add_right(call: Call) -> Any:
    """Add one right and leave the rest of the plan alone."""
    server, record = call.server, key_of(call)
    body: AddRightBody = decode(call.request.body, AddRightBody)
    if body.security_access_id not in server.state.rights:
        raise invalid(body.security_access_id, "SecurityAccess_ID")
    plan = replace(record.plan, right_ids=record.plan.right_ids | {body.security_access_id})
    key_life.change_plan(server.state, server.settings, record, plan)
    return NO_CONTENT


@route("PUT", "Keys/*/SecurityAccesses", Right.KEY_ACCESS_EDIT)
def replace_rights(call: Call) -> Any:
    """Replace ALL rights and limits: what the body omits is deleted, an omitted expiry is unlimited."""
    server, record = call.server, key_of(call)
    body: RightsBody = decode(call.request.body, RightsBody)
    plan = key_life.read_plan(server.state, record.kind, body)
    key_life.change_plan(server.state, server.settings, record, plan)
    return NO_BODY


@route("GET", "Keys/*/SecurityAccesses/CanAdd", Right.KEYS_LIST)
def can_add_right(call: Call) -> Any:
    """1 is ok here, 2 unmodifiable."""
    return 2 if call.server.state.blocks.is_blocked(key_of(call).key_id) else 1


@route("DELETE", "Keys/*/SecurityAccesses/*", Right.KEY_ACCESS_EDIT)
def delete_right(call: Call) -> Any:
    """Remove one right from the plan."""
    server, record = call.server, key_of(call)
    if call.ids[1] not in record.plan.right_ids:
        raise not_possible("Deleting the security access", 3)
    plan = replace(record.plan, right_ids=record.plan.right_ids - {call.ids[1]})
    key_life.change_plan(server.state, server.settings, record, plan)
    return NO_BODY


@route("GET", "Keys/*/SecurityAccesses/*/CanDelete", Right.KEYS_LIST)
def can_delete_right(call: Call) -> Any:
    """1 is ok here, 2 unmodifiable, 3 no such link."""
    record = key_of(call)
    if call.server.state.blocks.is_blocked(record.key_id):
        return 2
    return 1 if call.ids[1] in record.plan.right_ids else 3


@route("GET", "Keys/*/TimeLimitTitles", Right.KEYS_LIST)
def get_time_limits(call: Call) -> Any:
    """Slots, offline expiry and scheduler, by plan or on the device."""
    return render.time_limits(planned_or_programmed(call))


@route("POST", "Keys/*/TimeLimitTitles/CanAdd", Right.KEYS_LIST)
def can_add_time_limit(call: Call) -> Any:
    """0 is ok here."""
    body: SlotBody = decode(call.request.body, SlotBody)
    return key_life.can_add_limit(call.server.state, call.server.settings, key_of(call), body)


@route("GET", "Keys/*/Zones", Right.KEYS_LIST)
def get_key_zones(call: Call) -> Any:
    """The key's zones."""
    zone_id = render.text(key_of(call).zone_id)
    return {"MainZone": zone_id, "ZoneIds": [zone_id] if zone_id else [], "OutsideUserZoneCount": 0}


@route("GET", "Keys/*/CanOrder", Right.KEYS_LIST)
def can_order_key(call: Call) -> Any:
    """0 is ok here."""
    return int(key_life.can_order(call.server.state, call.server.settings, key_of(call)))


@route("POST", "Keys/*/Order", Right.KEYS_ORDER)
def order_key(call: Call) -> Any:
    """Send the plan on its way."""
    call.server.order_key(key_of(call))
    return NO_BODY


@route("GET", "Keys/*/CanReturn", Right.KEYS_LIST)
def can_return_key(call: Call) -> Any:
    """0 is ok here."""
    return key_life.can_return(call.server.state, key_of(call))


@route("POST", "Keys/*/Return", Right.RETURNS)
def return_key(call: Call) -> Any:
    """Task to empty a phone; the key goes when the phone says so, and nobody hears of it before."""
    server, record = call.server, key_of(call)
    code = key_life.can_return(server.state, record)
    if code:
        raise not_possible("Returning the key", code)
    key_life.put_packet(server.state, record, empties=True)
    server.tell_packet(record.key_id)
    return NO_BODY


@route("GET", "Keys/*/KeyPhone", Right.KEYS_LIST)
def get_key_phone(call: Call) -> Any:
    """Where the phone key's registration goes."""
    record = key_of(call)
    return {
        "FNKey_ID": str(record.key_id),
        "PhoneNo": record.phone_no,
        "Email": record.email,
        "OptionMask": 2 if record.was_programmed else 1,
        "RequestTypeMask": 0,
    }


@route("PUT", "KeyPhones", Right.KEYS_EDIT)
def put_key_phone(call: Call) -> Any:
    """Set phone number or e-mail of a phone key."""
    body: KeyPhoneBody = decode(call.request.body, KeyPhoneBody)
    record = key_life.find_key(call.server.state, body.fnkey_id)
    if record.kind is not KeyKind.PHONE:
        raise invalid(body.fnkey_id, "FNKey_ID")
    record.phone_no, record.email = body.phone_no, body.phone_email
    return NO_BODY
