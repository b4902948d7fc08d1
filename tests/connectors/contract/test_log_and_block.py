"""What every connector owes the port about the log and about blocking."""

from key2xs.keys.port import LockEventOutcome, TimeQuality
from tests.connectors.contract.harness import Harness


async def everything(vendor: Harness, cursor: str | None) -> tuple[list[str], str]:
    """Read to the end; returns the ids in order and the cursor."""
    connector = vendor.connect()
    ids: list[str] = []
    while True:
        page = await connector.read_events(cursor)
        ids += [event.vendor_event_id for event in page.events]
        cursor = page.cursor
        if not page.more:
            return ids, cursor


async def test_openings_and_refusals_arrive_with_their_times_kept_apart(vendor: Harness) -> None:
    start = (await everything(vendor, None))[1]
    vendor.later(minutes=5)
    at = vendor.world.now
    assert vendor.opens(vendor.held)
    vendor.later(minutes=1)
    assert not vendor.opens(vendor.other)
    vendor.later(minutes=30)
    vendor.carry_log()
    vendor.later(minutes=1)
    events = (await vendor.connect().read_events(start)).events
    by_outcome = {event.outcome: event for event in events if event.outcome is not LockEventOutcome.OTHER}
    opened, refused = by_outcome[LockEventOutcome.OPENED], by_outcome[LockEventOutcome.REFUSED]
    assert opened.vendor_key == refused.vendor_key == vendor.key
    assert (opened.vendor_lock, refused.vendor_lock) == (vendor.held, vendor.other)
    if opened.time_quality is TimeQuality.CLOCK:
        assert opened.occurred_at == at
    assert opened.arrived_at >= at


async def test_each_opening_is_told_once_whoever_remembers_it(vendor: Harness) -> None:
    start = (await everything(vendor, None))[1]
    for _ in range(3):
        vendor.later(minutes=2)
        assert vendor.opens(vendor.held)
    vendor.later(minutes=2)
    vendor.carry_log()
    vendor.later(minutes=2)
    connector, outcomes = vendor.connect(), dict[str, LockEventOutcome]()
    cursor: str | None = start
    for _ in range(3):
        page = await connector.read_events(cursor)
        outcomes |= {event.vendor_event_id: event.outcome for event in page.events}
        cursor = page.cursor
    assert list(outcomes.values()).count(LockEventOutcome.OPENED) == 3


async def test_a_row_that_arrives_late_is_found_by_its_arrival(vendor: Harness) -> None:
    vendor.hold_back()
    assert vendor.opens(vendor.held)
    vendor.later(days=2)
    before = (await everything(vendor, None))[1]
    vendor.carry_log()
    vendor.later(minutes=1)
    page = await vendor.connect().read_events(before)
    assert any(event.outcome is LockEventOutcome.OPENED for event in page.events)


async def test_a_blocked_key_reads_as_blocked_and_blocking_again_is_fine(vendor: Harness) -> None:
    connector = vendor.connect()
    await connector.block(vendor.key)
    await connector.block(vendor.key)
    assert vendor.calls("block") <= 2
    reading = await connector.read_key(vendor.key)
    assert reading.blocked
    assert next(each for each in (await connector.inventory()).keys if each.vendor_key == vendor.key).blocked


async def test_a_block_stops_nothing_before_it_was_carried_to_the_lock(vendor: Harness) -> None:
    vendor.hold_back()
    connector = vendor.connect()
    await connector.block(vendor.key)
    unplaced = await connector.order_block_list(vendor.key, [vendor.held, vendor.other])
    assert not unplaced
    assert vendor.opens(vendor.held)
    vendor.later(minutes=1)
    vendor.carry_block()
    assert not vendor.opens(vendor.held)


async def test_sending_a_block_twice_sends_it_once(vendor: Harness) -> None:
    connector = vendor.connect()
    await connector.block(vendor.key)
    for _ in range(2):
        assert not await connector.order_block_list(vendor.key, [vendor.held])
    assert vendor.calls("block_list") == 1


async def test_visits_are_known_when_somebody_came_back_and_never_before(vendor: Harness) -> None:
    connector = vendor.connect()
    base = await connector.read_key(vendor.key)
    await connector.block(vendor.key)
    await connector.order_block_list(vendor.key, [vendor.held, vendor.other])
    by_visits = connector.capabilities(base.kind).block_by_visits
    waiting = await connector.read_block_visits(vendor.key)
    assert {visit.lock for visit in waiting} == ({vendor.held, vendor.other} if by_visits else set())
    assert not any(visit.state == "done" for visit in waiting)
    vendor.later(minutes=5)
    vendor.carry_block()
    done = await connector.read_block_visits(vendor.key)
    assert all(visit.state == "done" and visit.done_at == vendor.world.now for visit in done)
    assert (await connector.read_key(vendor.key)).blocked_with_access is False
