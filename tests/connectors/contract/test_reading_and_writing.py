"""What every connector owes the port: reading, writing, and nothing that was not asked for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from key2xs.core.errors import Refused
from key2xs.keys.port import BaseChanged, KeySystemPort, ProgrammingState
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program
from tests.connectors.contract.harness import SOON, Harness


async def test_a_connector_is_a_key_system(vendor: Harness) -> None:
    assert isinstance(vendor.connect(), KeySystemPort)


async def test_the_inventory_names_locks_rights_and_keys_and_which_right_opens_what(vendor: Harness) -> None:
    found = await vendor.connect().inventory()
    rights = {right.right: right for right in found.rights}
    locks = {lock.vendor_lock: lock for lock in found.locks}
    assert rights[vendor.right_held].locks == {vendor.held}
    assert rights[vendor.right_held].writable
    assert vendor.right_held in locks[vendor.held].rights
    assert found.as_of == vendor.world.now
    key = next(each for each in found.keys if each.vendor_key == vendor.key)
    assert key.marking
    assert key.kind in vendor.kinds
    assert len({each.vendor_key for each in found.keys}) == len(found.keys)


async def test_a_key_is_read_as_planned_and_as_acknowledged_and_never_as_it_truly_is(vendor: Harness) -> None:
    vendor.edit()
    reading = await vendor.connect().read_key(vendor.key)
    assert reading.planned is not None
    assert reading.on_device is not None
    assert reading.planned.rights == {vendor.right_held, vendor.right_other}
    assert reading.on_device.rights == {vendor.right_held}
    assert reading.programming_state is ProgrammingState.PLANNING
    assert not reading.blocked


async def test_granting_takes_a_write_an_order_and_the_key_itself(vendor: Harness) -> None:
    vendor.hold_back()
    connector = vendor.connect()
    written = await connector.write_program(vendor.key, vendor.night, await connector.read_key(vendor.key))
    assert written.planned == vendor.night
    assert written.programming_state is ProgrammingState.PLANNING
    await connector.order(vendor.key)
    reading = await connector.read_key(vendor.key)
    assert reading.programming_state is ProgrammingState.ORDERED
    assert reading.on_device is not None
    assert reading.on_device.rights == {vendor.right_held}
    assert not vendor.opens(vendor.other)
    vendor.deliver()
    reading = await connector.read_key(vendor.key)
    assert reading.programming_state is ProgrammingState.PROGRAMMED
    assert reading.on_device == reading.planned == vendor.night
    assert vendor.opens(vendor.other)
    assert not vendor.opens(vendor.held)


async def test_revoking_ends_access_when_the_key_takes_it_and_not_before(vendor: Harness) -> None:
    vendor.hold_back()
    connector = vendor.connect()
    await connector.write_program(vendor.key, EMPTY_PROGRAM, await connector.read_key(vendor.key))
    await connector.order(vendor.key)
    assert vendor.opens(vendor.held)
    vendor.deliver()
    reading = await connector.read_key(vendor.key)
    assert reading.programming_state is ProgrammingState.PROGRAMMED
    assert reading.on_device is not None
    assert reading.on_device.opens_nothing
    assert not vendor.opens(vendor.held)


async def test_writing_what_is_planned_already_sends_nothing(vendor: Harness) -> None:
    connector = vendor.connect()
    once = await connector.write_program(vendor.key, vendor.night, await connector.read_key(vendor.key))
    await connector.write_program(vendor.key, vendor.night, once)
    assert vendor.calls("write") == 1


async def test_ordering_what_is_on_its_way_or_in_the_key_succeeds(vendor: Harness) -> None:
    connector = vendor.connect()
    await connector.order(vendor.key)  # in the key already
    vendor.hold_back()
    await connector.write_program(vendor.key, vendor.night, await connector.read_key(vendor.key))
    await connector.order(vendor.key)
    await connector.order(vendor.key)  # on its way already
    assert (await connector.read_key(vendor.key)).programming_state is ProgrammingState.ORDERED


async def test_silence_about_offline_time_never_means_for_ever(vendor: Harness) -> None:
    connector = vendor.connect()
    base = await connector.read_key(vendor.key)
    with pytest.raises(Refused, match="UNLIMITED"):
        await connector.write_program(vendor.key, replace(vendor.night, offline_expires_after=None), base)
    emptied = await connector.write_program(vendor.key, EMPTY_PROGRAM, base)
    assert emptied.planned is not None
    assert isinstance(emptied.planned.offline_expires_after, timedelta)
    on_purpose = replace(vendor.night, offline_expires_after=UNLIMITED)
    assert (await connector.write_program(vendor.key, on_purpose, emptied)).planned == on_purpose


@pytest.mark.parametrize(
    "change",
    [
        # half a minute is on nobody's grid
        {"ends_at": SOON + timedelta(seconds=30)},
        # longer than any vendor stores
        {"offline_expires_after": timedelta(days=400)},
        # nobody's clock counts this
        {"offline_expires_after": timedelta(minutes=90, seconds=0.5)},
        # vendors' schedulers are not set up from here
        {"renews_until": SOON},
        # no such right
        {"rights": frozenset({"cyl:00000000-0000-0000-0000-00000000dead"})},
        {"rights": frozenset({"00000000-0000-0000-0000-00000000dead"})},
    ],
)
async def test_what_the_vendor_cannot_store_is_refused_and_nothing_is_written(
    vendor: Harness, change: dict[str, object]
) -> None:
    connector = vendor.connect()
    base = await connector.read_key(vendor.key)
    with pytest.raises(Refused):
        await connector.write_program(vendor.key, replace(vendor.night, **change), base)  # type: ignore[arg-type]
    assert vendor.planned() == {vendor.held}


async def test_a_key_that_somebody_else_changed_is_not_written(vendor: Harness) -> None:
    connector = vendor.connect()
    base = await connector.read_key(vendor.key)
    vendor.edit()
    with pytest.raises(BaseChanged) as caught:
        await connector.write_program(vendor.key, vendor.night, base)
    assert vendor.calls("write") == 0
    fresh = caught.value.fresh
    assert fresh.planned is not None
    assert fresh.planned.rights == {vendor.right_held, vendor.right_other}
    assert (await connector.write_program(vendor.key, vendor.night, fresh)).planned == vendor.night


async def test_a_key_that_was_booked_to_somebody_else_is_not_written(vendor: Harness) -> None:
    connector = vendor.connect()
    base = await connector.read_key(vendor.key)
    vendor.book_to_somebody_else()
    with pytest.raises(BaseChanged):
        await connector.write_program(vendor.key, vendor.night, base)
    assert vendor.planned() == {vendor.held}


async def test_equal_readings_have_equal_versions_and_a_write_changes_them(vendor: Harness) -> None:
    connector = vendor.connect()
    one, two = await connector.read_key(vendor.key), await connector.read_key(vendor.key)
    assert one.version == two.version
    written = await connector.write_program(vendor.key, vendor.night, two)
    assert written.version != one.version
    assert (await connector.read_key(vendor.key)).version == written.version


async def test_a_key_that_does_not_exist_is_refused_in_the_vendors_words(vendor: Harness) -> None:
    with pytest.raises(Refused):
        await vendor.connect().read_key("00000000-0000-0000-0000-00000000dead")


async def test_capabilities_are_per_kind_and_what_they_deny_is_refused(vendor: Harness) -> None:
    connector = vendor.connect()
    await connector.open()
    for kind in vendor.kinds:
        able = connector.capabilities(kind)
        assert able.kind is kind
        assert able.can_write
        assert able.can_block
        assert timedelta(days=1) % able.grid == timedelta(0)
    for kind in vendor.read_only_kinds:
        able = connector.capabilities(kind)
        assert (able.can_write, able.can_order, able.can_block) == (False, False, False)
    for key in (await connector.inventory()).keys:
        if key.kind in vendor.read_only_kinds:
            base = await connector.read_key(key.vendor_key)
            assert not base.outside_visible  # never "no access left" about what cannot be read
            with pytest.raises(Refused):
                await connector.write_program(key.vendor_key, vendor.night, base)


async def test_what_the_capabilities_promise_can_be_written(vendor: Harness) -> None:
    connector = vendor.connect()
    await connector.open()
    base = await connector.read_key(vendor.key)
    able = connector.capabilities(base.kind)
    for interval in (able.max_offline_expiry, able.min_offline_expiry):
        if interval is not None:
            program = Program(frozenset({vendor.right_held}), None, SOON + able.grid, interval)
            base = await connector.write_program(vendor.key, program, base)
            assert base.planned == program
