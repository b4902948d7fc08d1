"""The audit trail: late, out of order, with doubtful times, and never complete for sure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from key2xs_twin.iloq import IloqSettings, KeyKind, KeySpec
from key2xs_twin.physics import Physics
from tests.twin.iloq.factory import (
    FOB,
    GATE,
    LOCK_GATE,
    LOCK_ONLINE,
    LOCK_PUMP,
    METAL,
    OTHER_PHONE,
    PHONE,
    PUMP,
    START,
    Api,
    make_key,
    make_world,
    minutes,
    signed_in,
    uid,
)

BOTH = (PUMP, GATE)


def keys_for_both() -> tuple[KeySpec, ...]:
    return (
        make_key(PHONE, "0401", rights=BOTH, person_external_id="c-17"),
        make_key(OTHER_PHONE, "0402", rights=(), person_external_id="c-18"),
        make_key(FOB, "0403", rights=BOTH, kind=KeyKind.FOB),
        make_key(METAL, "0404", rights=BOTH, kind=KeyKind.METAL),
    )


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def arrived(
    api: Api, frm: datetime = START, to: datetime = START + timedelta(days=9)
) -> list[dict[str, Any]]:
    body = {"StartDateUtc": stamp(frm), "EndDateUtc": stamp(to)}
    answer = await api.post("LockLogs/GetLockLogDataByTimestamp", body)
    rows: list[dict[str, Any]] = answer["LockLogs"]
    return rows


async def test_a_row_carries_event_reading_and_arrival() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.cut_network(PHONE)
    world.present(PHONE, LOCK_PUMP, START + minutes(10))
    assert await arrived(api, START, START + minutes(60)) == []
    world.advance_to(START + minutes(90))
    world.restore_network(PHONE)
    (row,) = await arrived(api)
    assert row["GoingDate"] == row["ReadingDate"] == stamp(START + minutes(10))
    assert row["TimestampUtc"] == stamp(START + minutes(90))
    assert (row["AccessTypeMask"], row["FNKey_ID"], row["FLock_ID"]) == (12, str(PHONE), str(LOCK_PUMP))


async def test_window_is_by_arrival_start_inclusive_end_exclusive() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.present(PHONE, LOCK_PUMP, START + minutes(10))
    at = START + minutes(10)
    second = timedelta(seconds=1)
    assert len(await arrived(api, at, at + second)) == 1
    assert len(await arrived(api, at - second, at)) == 0
    assert len(await arrived(api, at + second, at + 2 * second)) == 0


async def test_rows_arrive_out_of_order_of_their_events() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.cut_network(PHONE)
    world.present(PHONE, LOCK_PUMP, START + minutes(1))
    world.present(FOB, LOCK_ONLINE, START + minutes(2))
    world.advance_to(START + minutes(5))
    world.restore_network(PHONE)
    rows = await arrived(api)
    assert [row["FNKey_ID"] for row in rows] == [str(FOB), str(PHONE)]
    assert rows[0]["GoingDate"] > rows[1]["GoingDate"]


async def test_a_phone_takes_along_what_the_lock_still_holds() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.present(METAL, LOCK_GATE, START + minutes(1))
    assert await arrived(api) == []
    world.present(PHONE, LOCK_GATE, START + minutes(30))
    rows = await arrived(api)
    assert [(row["AccessTypeMask"], row["GoingCounter"]) for row in rows] == [(2052, 1), (12, 2)]
    assert rows[0]["GoingDate"] == stamp(START + minutes(1))
    assert rows[0]["ReadingDate"] == stamp(START + minutes(30))


async def test_a_lock_without_clock_marks_its_rows_and_names_who_holds_the_key_at_reading() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.present(FOB, LOCK_PUMP, START + minutes(1))  # the lock has never seen a time
    world.present(PHONE, LOCK_PUMP, START + minutes(2))  # brings its own
    world.present(FOB, LOCK_PUMP, START + minutes(3))
    world.out_of_band.hand_to(FOB, world.iloq.state.keys[PHONE].person_id)
    world.programmer_visit(LOCK_PUMP)
    undated, dated, last_known = await arrived(api)
    assert undated["AccessTypeMask"] == 4 | 131072
    assert undated["GoingDate"] == undated["ReadingDate"] == stamp(START + minutes(2))
    assert dated["AccessTypeMask"] == 12
    assert last_known["AccessTypeMask"] == 4 | 65536
    assert last_known["GoingDate"] == stamp(START + minutes(2))
    rows = (await api.post("LockLogs", {"FNKeyIds": [str(FOB)]}))["LockLogs"]
    assert [row["FNKey"]["OptionMask"] for row in rows] == [1, 1]
    assert rows[0]["FNKey"]["PersonName"] == "Anna Berg"


async def test_failed_and_unknown_keys_leave_rows_and_a_mechanical_opening_none() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    assert not world.present(OTHER_PHONE, LOCK_ONLINE).ok
    assert world.open_with_unknown_key(LOCK_ONLINE).ok
    assert world.open_mechanically(LOCK_ONLINE).ok
    failed, unknown = await arrived(api)
    assert (failed["AccessTypeMask"], failed["ErrorCode"] > 0) == (1, True)
    assert (unknown["AccessTypeMask"], unknown["FNKey_ID"], unknown["ErrorCode"]) == (4 | 4096, None, 0)
    assert [opening.ok for opening in world.openings] == [False, True, True]


async def test_a_full_ring_loses_the_oldest_rows_and_the_counter_shows_it() -> None:
    world = make_world(keys=keys_for_both(), physics=replace(Physics.exact(), ring_rows=3))
    api = await signed_in(world)
    for _ in range(5):
        world.present(METAL, LOCK_GATE)
    world.programmer_visit(LOCK_GATE)
    assert [row["GoingCounter"] for row in await arrived(api)] == [3, 4, 5]


async def test_the_same_row_by_two_ways_is_one_row() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.present(PHONE, LOCK_PUMP)
    world.programmer_visit(LOCK_PUMP)
    assert len(await arrived(api)) == 1


async def test_lock_logs_stop_at_the_maximum_and_say_how_many_there_are() -> None:
    world = make_world(keys=keys_for_both(), settings=IloqSettings(log_rows_max=4))
    api = await signed_in(world)
    for minute in range(6):
        world.present(FOB, LOCK_ONLINE, START + minutes(minute))
    answer = await api.post("LockLogs", {"FLockIds": [str(LOCK_ONLINE)]})
    assert (len(answer["LockLogs"]), answer["TotalCount"]) == (4, 6)
    assert (await api.http.post("LockLogs", json={"TypeMask": 4})).status_code == 400
    later = {"FLockIds": [str(LOCK_ONLINE)], "GoingStartDateUtc": stamp(START + minutes(4)), "TypeMask": 4}
    assert (await api.post("LockLogs", later))["TotalCount"] == 2


async def test_key_tags_reach_the_audit_trail() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    tag = {
        "Tag_ID": str(uid(0x501)),
        "FNKey_ID": str(PHONE),
        "Key": "key2xs_permit",
        "Value": "PTW-1042",
        "SaveToKeyAuditTrail": True,
    }
    await api.post("KeyTags", tag)
    assert await api.get(f"Keys/{PHONE}/KeyTags") == [tag]
    world.present(PHONE, LOCK_PUMP)
    (row,) = (await api.post("LockLogs", {"FNKeyIds": [str(PHONE)]}))["LockLogs"]
    assert row["FNKey"]["CustomValueData"] == "key2xs_permit=PTW-1042"


async def test_rows_may_show_up_later_than_their_own_stamp() -> None:
    world = make_world(keys=keys_for_both(), settings=IloqSettings(log_visible_after=minutes(2)))
    api = await signed_in(world)
    world.present(PHONE, LOCK_PUMP)
    assert await arrived(api) == []
    world.advance_to(START + minutes(2))
    assert [row["TimestampUtc"] for row in await arrived(api)] == [stamp(START)]


async def test_a_wrong_lock_clock_shows_in_its_rows() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.set_clock(LOCK_ONLINE, timedelta(minutes=-20))
    world.present(FOB, LOCK_ONLINE)
    (row,) = await arrived(api)
    assert row["GoingDate"] == stamp(START - minutes(20))
    assert datetime.fromisoformat(row["TimestampUtc"]).astimezone(UTC) == START


async def test_unread_rows_of_an_online_lock_arrive_with_its_network() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.cut_network(LOCK_ONLINE)
    world.present(FOB, LOCK_ONLINE, START + minutes(1))
    assert await arrived(api) == []
    world.advance_to(START + minutes(9))
    world.restore_network(LOCK_ONLINE)
    (row,) = await arrived(api)
    assert (row["GoingDate"], row["TimestampUtc"]) == (stamp(START + minutes(1)), stamp(START + minutes(9)))
