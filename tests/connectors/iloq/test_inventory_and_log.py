"""Reading everything, and the lock log by arrival."""

from datetime import UTC, datetime, timedelta

import pytest

from key2xs.connectors.iloq.events import MOST_DETAILED, details_query, lock_event
from key2xs.connectors.iloq.payloads import DetailKey, LogRow
from key2xs.core.errors import Refused, Retry
from key2xs.keys.port import KeyTag, LockEventOutcome, TimeQuality
from key2xs_twin.faults import Fault
from key2xs_twin.iloq import IloqSettings
from tests.connectors.iloq.connection import make_connector
from tests.twin.iloq.factory import (
    FOB,
    GATE,
    LOCK_GATE,
    LOCK_ONLINE,
    LOCK_PUMP,
    LOCK_VALVE,
    MANAGER_ONLY,
    METAL,
    PHONE,
    PUMP,
    START,
    VALVE,
    make_world,
    minutes,
)


async def test_the_inventory_knows_which_locks_a_right_opens_and_whether_it_may_be_written() -> None:
    inventory = await make_connector(make_world()).inventory()
    rights = {right.right: right for right in inventory.rights}
    assert rights[str(GATE)].locks == {str(LOCK_GATE), str(LOCK_ONLINE)}
    assert rights[str(PUMP)].writable
    assert not rights[str(MANAGER_ONLY)].writable
    assert inventory.visibility_complete
    assert inventory.as_of == START


async def test_a_lock_opens_by_its_old_rights_until_it_was_visited() -> None:
    world = make_world()
    world.out_of_band.change_lock_rights(LOCK_PUMP, [VALVE])
    locks = {lock.vendor_lock: lock for lock in (await make_connector(world).inventory()).locks}
    assert locks[str(LOCK_PUMP)].rights == {str(PUMP), str(VALVE)}
    world.programmer_visit(LOCK_PUMP)
    locks = {lock.vendor_lock: lock for lock in (await make_connector(world).inventory()).locks}
    assert locks[str(LOCK_PUMP)].rights == {str(VALVE)}


async def test_whether_a_lock_honours_limits_is_unknown_unless_somebody_says_so() -> None:
    world = make_world(settings=IloqSettings(lock_flags_in_answer=False))
    connector = make_connector(world, honours_limits={str(LOCK_VALVE): True, str(LOCK_GATE): False})
    locks = {lock.vendor_lock: lock.honours_limits for lock in (await connector.inventory()).locks}
    assert locks[str(LOCK_PUMP)] == "unknown"
    assert locks[str(LOCK_VALVE)] == "yes"
    assert locks[str(LOCK_GATE)] == "no"


async def test_blocked_keys_are_marked() -> None:
    world = make_world()
    world.out_of_band.block(PHONE)
    inventory = await make_connector(world).inventory()
    assert {key.vendor_key for key in inventory.keys if key.blocked} == {str(PHONE)}


async def test_an_inventory_that_broke_off_goes_on_where_it_stopped() -> None:
    world = make_world()
    connector = make_connector(world)
    world.faults.add(Fault(operation="GET Locks/*/Options", effect="status:429", nth=3))
    with pytest.raises(Retry):
        await connector.inventory()
    assert len((await connector.inventory()).locks) == 4
    assert world.iloq.calls["GET Locks/*/Options"] == 4  # two read before the break, two after it
    await connector.inventory()
    assert world.iloq.calls["GET Locks/*/Options"] == 8


# --- the log -----------------------------------------------------------------------------------------------


async def test_an_opening_is_read_with_its_three_times() -> None:
    world = make_world()
    world.out_of_band.change_rights(PHONE, [GATE])
    world.out_of_band.order(PHONE)
    world.advance_to(START + minutes(5))
    assert world.present(PHONE, LOCK_GATE).ok
    world.advance_to(START + minutes(6))
    page = await make_connector(world, events_back=timedelta(0)).read_events(None)
    (event,) = page.events
    assert event.outcome is LockEventOutcome.OPENED
    assert event.vendor_lock == str(LOCK_GATE)
    assert event.vendor_key == str(PHONE)
    assert event.time_quality is TimeQuality.CLOCK
    assert event.person_certain
    assert event.occurred_at == START + minutes(5)
    assert event.arrived_at >= event.occurred_at
    assert event.raw_type == 12
    assert not page.more


async def test_a_refusal_is_a_refusal() -> None:
    world = make_world()
    assert not world.present(PHONE, LOCK_VALVE).ok
    (event,) = (await make_connector(world).read_events(START.isoformat())).events
    assert event.outcome is LockEventOutcome.REFUSED


async def test_an_opening_without_a_clock_has_no_certain_time_and_no_certain_person() -> None:
    world = make_world()
    assert world.present(METAL, LOCK_PUMP).ok
    world.advance_to(START + minutes(30))
    world.programmer_visit(LOCK_PUMP)
    (event,) = (await make_connector(world).read_events(START.isoformat())).events
    assert event.outcome is LockEventOutcome.OPENED
    assert event.occurred_at is None
    assert event.time_quality is TimeQuality.NONE
    assert not event.person_certain


async def test_a_late_row_is_found_by_its_arrival_however_old_it_is() -> None:
    world = make_world()
    connector = make_connector(world)
    assert world.present(FOB, LOCK_PUMP).ok
    world.advance_to(START + timedelta(days=3))
    page = await connector.read_events((START + timedelta(days=3) - minutes(5)).isoformat())
    assert not page.events
    world.programmer_visit(LOCK_PUMP)
    world.advance_to(START + timedelta(days=3, minutes=1))
    page = await connector.read_events(page.cursor)
    assert len(page.events) == 1
    assert page.events[0].arrived_at == START + timedelta(days=3)


async def test_pages_overlap_so_that_a_row_which_shows_up_late_is_not_lost() -> None:
    world = make_world(settings=IloqSettings(log_visible_after=minutes(3)))
    connector = make_connector(world)
    assert world.present(PHONE, LOCK_PUMP).ok
    first = await connector.read_events(START.isoformat())
    assert not first.events  # it has arrived but does not show yet
    world.advance_to(START + minutes(4))
    second = await connector.read_events(first.cursor)
    assert len(second.events) == 1
    # The overlap brings it again; the caller knows it by its id.
    third = await connector.read_events(second.cursor)
    assert third.events == second.events


async def test_a_long_gap_is_read_window_by_window() -> None:
    world = make_world()
    assert world.present(PHONE, LOCK_PUMP).ok
    world.advance_to(START + timedelta(hours=5))
    assert world.present(PHONE, LOCK_PUMP).ok
    connector = make_connector(world)
    cursor, found, pages = START.isoformat(), set(), 0
    while True:
        page = await connector.read_events(cursor)
        found |= {event.vendor_event_id for event in page.events}
        cursor, pages = page.cursor, pages + 1
        if not page.more:
            break
    assert len(found) == 2
    assert pages == 5


async def test_a_row_that_cannot_be_read_stops_the_page_and_is_not_skipped() -> None:
    world = make_world()
    connector = make_connector(world)
    world.faults.add(Fault(operation="POST LockLogs/*", effect="garbage", times=1))
    with pytest.raises(Retry):
        await connector.read_events(START.isoformat())


async def test_a_foreign_cursor_is_refused() -> None:
    with pytest.raises(Refused, match="cursor"):
        await make_connector(make_world()).read_events("page-2")


async def test_the_first_pull_reaches_back_as_far_as_it_was_told() -> None:
    world = make_world()
    page = await make_connector(world, events_back=timedelta(hours=2)).read_events(None)
    assert page.cursor == (START - timedelta(hours=1)).isoformat()
    assert page.more
    assert datetime.fromisoformat(page.cursor).tzinfo == UTC


# --- details of rows -----------------------------------------------------------------------------------------


async def test_one_request_more_brings_the_keys_counters_and_its_tags() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.tag_key(str(PHONE), KeyTag("key2xs.permit", "PTW-17"))
    for _ in range(3):
        world.present(PHONE, LOCK_GATE)
    world.advance_to(world.now + minutes(2))
    world.sync(PHONE)
    events = (await connector.read_events(world.now.isoformat())).events
    assert [event.counter_key for event in events] == [1, 2, 3]
    assert {event.tag for event in events} == {"key2xs.permit=PTW-17"}
    assert world.iloq.calls["POST LockLogs"] == 1


@pytest.mark.parametrize("effect", ["status:500", "garbage", "lose_request", "status:400"])
async def test_rows_never_wait_for_their_details(effect: str) -> None:
    world = make_world()
    connector = make_connector(world)
    world.present(PHONE, LOCK_GATE)
    world.sync(PHONE)
    world.faults.add(Fault(operation="POST LockLogs", effect=effect))
    [event] = (await connector.read_events(world.now.isoformat())).events
    assert (event.counter_key, event.tag) == (None, None)
    world.faults.assert_all_fired()


async def test_details_can_be_left_out() -> None:
    world = make_world()
    connector = make_connector(world, log_details=False)
    world.present(PHONE, LOCK_GATE)
    world.sync(PHONE)
    assert len((await connector.read_events(world.now.isoformat())).events) == 1
    assert world.iloq.calls["POST LockLogs"] == 0


def test_a_page_that_is_long_goes_without_details() -> None:
    row = LogRow(log_id="a", arrived_at="2026-03-02T06:00:00Z", key_id="k", going_date="2026-03-02T06:00:00Z")
    assert details_query([row] * MOST_DETAILED) is not None
    assert details_query([row] * (MOST_DETAILED + 1)) is None
    assert details_query([LogRow(log_id="a", arrived_at="2026-03-02T06:00:00Z")]) is None
    broken = LogRow(log_id="a", arrived_at="x", key_id="k", going_date="x")
    assert details_query([broken]) is None


def test_the_vendors_word_that_the_person_is_not_certain_counts() -> None:
    row = LogRow(
        log_id="a",
        arrived_at="2026-03-02T06:00:00Z",
        key_id="k",
        going_date="2026-03-02T06:00:00Z",
        type_mask=12,
    )
    assert lock_event(row).person_certain
    assert lock_event(row, DetailKey(option_mask=0)).person_certain
    assert not lock_event(row, DetailKey(option_mask=1)).person_certain
