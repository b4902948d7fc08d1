"""Planned against on the device: nothing the API is told is true before a device says so."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from key2xs_twin.iloq import IloqSettings, KeyKind
from key2xs_twin.physics import Physics
from tests.twin.iloq.factory import (
    ANNA,
    BORIS,
    FOB,
    GATE,
    LOCK_PUMP,
    LOCK_VALVE,
    MANAGER_ONLY,
    METAL,
    PHONE,
    PUMP,
    START,
    VALVE,
    make_key,
    make_world,
    minutes,
    signed_in,
    uid,
)

SLOW = replace(Physics.exact(), push_latency=(timedelta(seconds=5),) * 2, ack_latency=timedelta(seconds=1))


def rights_body(*rights: Any, seconds: int = 28800, **more: Any) -> dict[str, Any]:
    return {
        "SecurityAccessIds": [str(right) for right in rights],
        "OfflineExpirationSeconds": seconds,
        "TimeLimitSlots": [],
    } | more


def slots(start: str | None, end: str | None) -> list[dict[str, Any]]:
    limits = enumerate((start, end))
    return [{"SlotNo": number, "LimitDateLg": limit} for number, limit in limits if limit]


async def test_a_plan_reaches_the_device_step_by_step() -> None:
    world = make_world(physics=SLOW)
    api = await signed_in(world)
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(PUMP, VALVE))
    assert await api.programming_state(PHONE) == 0
    assert await api.rights(PHONE, 1) == {"Pump", "Valve"}
    assert await api.rights(PHONE, 2) == {"Pump"}
    assert not world.present(PHONE, LOCK_VALVE).ok

    assert await api.get(f"Keys/{PHONE}/CanOrder") == 0
    await api.post(f"Keys/{PHONE}/Order")
    assert await api.programming_state(PHONE) == 1
    assert await api.get(f"Keys/{PHONE}/CanOrder") == 4

    world.advance_to(START + timedelta(seconds=5))
    assert await api.programming_state(PHONE) == 2
    assert await api.rights(PHONE, 2) == {"Pump"}  # fetched is not acknowledged
    assert world.present(PHONE, LOCK_VALVE).ok  # but the device has it already

    world.advance_to(START + timedelta(seconds=6))
    assert await api.programming_state(PHONE) == 3
    assert await api.rights(PHONE, 2) == {"Pump", "Valve"}


async def test_a_phone_that_goes_dark_before_acknowledging_stays_fetched_and_opens() -> None:
    world = make_world(physics=SLOW)
    api = await signed_in(world)
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(VALVE))
    await api.post(f"Keys/{PHONE}/Order")
    world.advance_to(START + timedelta(seconds=5))
    world.cut_network(PHONE)
    world.advance_to(START + minutes(60))
    assert await api.programming_state(PHONE) == 2
    assert world.present(PHONE, LOCK_VALVE).ok
    world.restore_network(PHONE)
    assert await api.programming_state(PHONE) == 3


async def test_put_deletes_what_it_omits_and_makes_the_expiry_unlimited() -> None:
    world = make_world()
    api = await signed_in(world)
    full = rights_body(PUMP, VALVE, TimeLimitSlots=slots("2026-11-23T18:00:00", "2026-11-24T06:00:00"))
    await api.put(f"Keys/{PHONE}/SecurityAccesses", full)
    await api.put(f"Keys/{PHONE}/SecurityAccesses", {"SecurityAccessIds": [str(PUMP)]})
    limits = await api.get(f"Keys/{PHONE}/TimeLimitTitles", mode=1)
    assert await api.rights(PHONE, 1) == {"Pump"}
    assert limits["KeyTimeLimitSlots"] == []
    assert limits["OfflineExpirationSeconds"] == 0


async def test_post_adds_one_right_and_answers_204() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(PUMP, seconds=600))
    answer = await api.http.post(f"Keys/{PHONE}/SecurityAccesses", json={"SecurityAccess_ID": str(VALVE)})
    assert answer.status_code == 204
    assert await api.rights(PHONE, 1) == {"Pump", "Valve"}
    assert (await api.get(f"Keys/{PHONE}/TimeLimitTitles", mode=1))["OfflineExpirationSeconds"] == 600
    await api.call("DELETE", f"Keys/{PHONE}/SecurityAccesses/{PUMP}")
    assert await api.rights(PHONE, 1) == {"Valve"}
    assert await api.get(f"Keys/{PHONE}/SecurityAccesses/{PUMP}/CanDelete") == 3
    assert await api.get(f"Keys/{PHONE}/SecurityAccesses/{VALVE}/CanDelete") == 1


async def test_an_old_packet_stays_fetchable_after_the_plan_was_narrowed() -> None:
    world = make_world(physics=SLOW)
    api = await signed_in(world)
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(PUMP, VALVE))
    await api.post(f"Keys/{PHONE}/Order")
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(PUMP))
    world.advance_to(START + timedelta(seconds=10))
    assert await api.programming_state(PHONE) == 0
    assert world.present(PHONE, LOCK_VALVE).ok
    await api.post(f"Keys/{PHONE}/Order")
    world.advance_to(START + timedelta(seconds=20))
    assert await api.programming_state(PHONE) == 3
    assert not world.present(PHONE, LOCK_VALVE).ok


async def test_the_second_of_two_writers_wins() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(PUMP, VALVE))
    world.out_of_band.change_rights(PHONE, [GATE])
    assert await api.rights(PHONE, 1) == {"Gate"}


@pytest.mark.parametrize(
    "body",
    [
        rights_body(uid(0x999)),  # unknown right
        rights_body(PUMP, seconds=8_726_341),  # over the phone's maximum
        rights_body(PUMP, seconds=-1),
        rights_body(PUMP, TimeLimitSlots=slots("2026-11-23T18:07:00", None)),  # not on the grid
        rights_body(PUMP, TimeLimitSlots=slots("2026-11-23T18:00:00Z", None)),  # local has no offset
        rights_body(PUMP, TimeLimitSlots=slots("2026-11-24T06:00:00", "2026-11-23T18:00:00")),  # backwards
        rights_body(PUMP, TimeLimitSlots=slots("2026-11-23T18:00:00", None) * 2),  # slot twice
        rights_body(PUMP, TimeLimitSlots=[{"SlotNo": 3, "LimitDateLg": "2026-11-23T18:00:00"}]),
        rights_body(PUMP, TimeLimitSlots=[{"SlotNo": 0}]),
        rights_body(PUMP, TimeLimitSlots=[{"SlotNo": 2, "TimeLimitTitle_ID": str(uid(5))}]),
        rights_body(PUMP, KeyScheduler={"RenewGapType": 1, "RenewMinute": 69}),
        rights_body(PUMP, Colour="red"),
        {"SecurityAccessIds": ["no guid"]},
    ],
)
async def test_the_vendor_refuses_a_body_and_changes_nothing(body: dict[str, Any]) -> None:
    api = await signed_in(make_world())
    answer = await api.http.put(f"Keys/{PHONE}/SecurityAccesses", json=body)
    assert (answer.status_code, answer.json()["Code"]) == (400, "ValidationFailed")
    assert await api.rights(PHONE, 1) == {"Pump"}


async def test_local_slot_times_come_back_as_they_were_written() -> None:
    api = await signed_in(make_world())
    body = rights_body(PUMP, TimeLimitSlots=slots("2026-11-23T18:00:00", "2026-11-24T06:00:00"))
    await api.put(f"Keys/{PHONE}/SecurityAccesses", body)
    limits = await api.get(f"Keys/{PHONE}/TimeLimitTitles", mode=1)
    assert [slot["LimitDateLg"] for slot in limits["KeyTimeLimitSlots"]] == [
        "2026-11-23T18:00:00",
        "2026-11-24T06:00:00",
    ]
    assert (await api.http.get(f"Keys/{PHONE}/TimeLimitTitles")).status_code == 400  # mode is required


async def test_standard_rights_need_the_manager() -> None:
    api = await signed_in(make_world())
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(PUMP, MANAGER_ONLY))
    assert await api.get(f"Keys/{PHONE}/CanOrder") == 1
    answer = await api.http.post(f"Keys/{PHONE}/Order")
    assert answer.status_code == 400
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(PUMP, VALVE))
    assert await api.get(f"Keys/{PHONE}/CanOrder") == 0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"person_id": None, "phone_no": "+31"}, 13),  # phone without person
        ({"person_id": ANNA}, 9),  # phone without number
        ({"person_id": ANNA, "phone_no": "+31", "programmed": True}, 4),  # nothing to order
        ({"person_id": ANNA, "email": "a@b.test"}, 0),
        ({"kind": KeyKind.METAL}, 0),
    ],
)
async def test_can_order_names_what_is_missing(more: dict[str, Any], code: int) -> None:
    key = make_key(uid(0x499), "0499", **({"programmed": False} | more))
    api = await signed_in(make_world(keys=(key,)))
    assert await api.get(f"Keys/{uid(0x499)}/CanOrder") == code


async def test_more_time_slots_than_the_key_has_cannot_be_ordered() -> None:
    api = await signed_in(make_world(settings=IloqSettings(slot_budget=1)))
    body = rights_body(PUMP, TimeLimitSlots=slots("2026-11-23T18:00:00", "2026-11-24T06:00:00"))
    await api.put(f"Keys/{PHONE}/SecurityAccesses", body)
    assert await api.get(f"Keys/{PHONE}/CanOrder") == 11


async def test_fob_waits_for_the_fobapp() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.put(f"Keys/{FOB}/SecurityAccesses", rights_body(VALVE))
    await api.post(f"Keys/{FOB}/Order")
    world.advance_to(START + timedelta(days=30))
    assert await api.programming_state(FOB) == 1
    assert world.present(FOB, LOCK_PUMP).ok
    world.sync(FOB)
    assert await api.programming_state(FOB) == 3
    assert not world.present(FOB, LOCK_PUMP).ok


async def test_return_empties_a_phone_when_it_can_be_reached_and_removes_the_key() -> None:
    world = make_world()
    api = await signed_in(world)
    world.cut_network(PHONE)
    assert await api.get(f"Keys/{PHONE}/CanReturn") == 0
    await api.post(f"Keys/{PHONE}/Return")
    assert world.present(PHONE, LOCK_PUMP).ok
    world.restore_network(PHONE)
    assert not world.present(PHONE, LOCK_PUMP).ok
    assert (await api.http.get(f"Keys/{PHONE}")).status_code == 400
    assert str(PHONE) not in {key["FNKey_ID"] for key in await api.get("Keys")}
    assert await api.get(f"Keys/{METAL}/CanReturn") == 1


async def test_programming_error_ends_with_the_next_change() -> None:
    world = make_world()
    api = await signed_in(world)
    world.out_of_band.fail_programming(PHONE)
    assert await api.programming_state(PHONE) == -1
    assert await api.get(f"Keys/{PHONE}/CanOrder") == -1
    await api.put(f"Keys/{PHONE}/SecurityAccesses", rights_body(VALVE))
    assert await api.get(f"Keys/{PHONE}/CanOrder") == 0


async def test_a_key_is_inserted_once_under_the_callers_id() -> None:
    world = make_world()
    api = await signed_in(world)
    body: dict[str, Any] = {
        "Key": {"FNKey_ID": str(uid(0x777)), "Stamp": "0777", "KeyTypeMask": 6, "Person_ID": str(BORIS)},
        "SecurityAccessIds": [str(GATE)],
        "OfflineExpirationSeconds": 3600,
        "ZoneIds": [],
    }
    made = await api.post("Keys", body)
    assert (made["State"], made["ProgrammingState"], made["IsProgrammed"]) == (0, 0, False)
    assert (await api.http.post("Keys", json=body)).status_code == 400
    await api.put("KeyPhones", {"FNKey_ID": str(uid(0x777)), "PhoneNo": "+31611"})
    assert await api.get(f"Keys/{uid(0x777)}/CanOrder") == 0
    body["Key"]["FNKey_ID"] = str(uid(0x778))
    body["Key"]["Person_ID"] = None
    assert (await api.http.post("Keys", json=body)).status_code == 400  # a phone needs a person


async def test_unknown_external_person_id_is_a_validation_error() -> None:
    api = await signed_in(make_world())
    found = await api.get("Persons/GetByExternalPersonIds", externalPersonIds="c-17")
    assert [person["LastName"] for person in found] == ["Berg"]
    answer = await api.http.get("Persons/GetByExternalPersonIds", params={"externalPersonIds": "nobody"})
    assert (answer.status_code, answer.json()["Code"]) == (400, "ValidationFailed")
    await api.post(
        "Persons",
        {
            "Person": {
                "Person_ID": str(uid(9)),
                "FirstName": "Eva",
                "LastName": "Fry",
                "ExternalPersonId": "c-19",
            }
        },
    )
    assert (await api.get(f"Persons/{uid(9)}"))["FirstName"] == "Eva"


async def test_catalogues_show_types_options_and_planned_lock_rights() -> None:
    world = make_world()
    api = await signed_in(world)
    assert {right["Type"] for right in await api.get("SecurityAccesses")} == {1, 3}
    world.out_of_band.change_lock_rights(LOCK_PUMP, [PUMP, GATE])
    path = f"Locks/{LOCK_PUMP}/SecurityAccesses"
    planned, programmed = await api.get(path, mode=1), await api.get(path, mode=2)
    assert (len(planned["SecurityAccesses"]), len(programmed["SecurityAccesses"])) == (2, 1)
    world.programmer_visit(LOCK_PUMP)
    assert len((await api.get(path, mode=2))["SecurityAccesses"]) == 2
    assert (await api.get(f"Locks/{LOCK_PUMP}/Options"))["S40OnlineRequiredHard"] is False
    assert (await api.get(f"Locks/{LOCK_PUMP}/TimeLimitTitles", mode=1))["LockRespectsAllTimeLimits"] is True
    assert {lock["ClockInstalled"] for lock in await api.get("Locks")} == {True, False}
