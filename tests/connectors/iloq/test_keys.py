"""Programming keys over the iLOQ interface: replace-all, read back, order, and everything that goes wrong."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
import pytest

from key2xs.connectors.iloq import IloqConnector
from key2xs.core.errors import NeedsPerson, Refused, Retry, Unknown
from key2xs.keys.port import KeyKind, KeyTag, ProgrammingState
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program
from key2xs_twin import iloq
from key2xs_twin.faults import Fault
from key2xs_twin.iloq import IloqSettings, KeyKind as TwinKind, LockType
from key2xs_twin.iloq.server import ApiAnswer, ApiRequest
from key2xs_twin.iloq.state import KeyState, TimeSlot
from key2xs_twin.physics import Physics
from key2xs_twin.world import World
from tests.connectors.iloq.connection import KeptSession, WorldClock, make_config, make_connector
from tests.twin.iloq.factory import (
    FOB,
    LOCK_PUMP,
    MANAGER_ONLY,
    METAL,
    PHONE,
    PUMP,
    START,
    VALVE,
    make_key,
    make_lock,
    make_world,
)

KEY = str(PHONE)
PUT = "PUT Keys/*/SecurityAccesses"
UNTIL_SIX = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)  # 06:00 in Amsterdam
NIGHT = Program(rights=frozenset({str(VALVE)}), ends_at=UNTIL_SIX, offline_expires_after=timedelta(hours=8))


def stored(world: World, key: UUID = PHONE) -> object:
    return world.iloq.state.keys[key].plan


def limited(world: World) -> None:
    """Give the phone an offline limit, as an adopted key of a careful site has."""
    world.out_of_band.change_rights(PHONE, offline_expiration_seconds=3600)


async def test_a_key_is_read_as_planned_and_as_it_is() -> None:
    world = make_world()
    world.out_of_band.change_rights(PHONE, [VALVE])
    reading = await make_connector(world).read_key(KEY)
    assert reading.planned is not None
    assert reading.on_device is not None
    assert reading.planned.rights == {str(VALVE)}
    assert reading.on_device.rights == {str(PUMP)}
    assert reading.programming_state is ProgrammingState.PLANNING
    assert reading.kind is KeyKind.PHONE
    assert reading.on_device.offline_expires_after is UNLIMITED
    assert reading.outside_visible
    assert not reading.blocked


async def test_a_key_that_was_never_programmed_holds_nothing() -> None:
    world = make_world(keys=(make_key(PHONE, "0401", programmed=False, person_external_id="c-17"),))
    assert (await make_connector(world).read_key(KEY)).on_device is None


# --- replace-all -------------------------------------------------------------------------------------------


async def test_slots_of_others_survive_a_write() -> None:
    world = make_world()
    weekly = TimeSlot(slot_no=2, title_id=UUID(int=0x999), weekly=((31, 8 * 3600_000, 17 * 3600_000),))
    world.iloq.state.titles[UUID(int=0x999)] = "day work"
    record = world.iloq.state.keys[PHONE]
    record.plan = replace(record.plan, slots=(weekly,), outside_slots=(4,))
    connector = make_connector(world)
    reading = await connector.read_key(KEY)
    assert not reading.outside_visible
    await connector.write_program(KEY, NIGHT, reading)
    plan = world.iloq.state.keys[PHONE].plan
    assert weekly in plan.slots
    assert plan.outside_slots == (4,)
    assert plan.ends_lg == datetime(2026, 11, 24, 6, 0)  # noqa: DTZ001 - local to the locking system


async def test_a_scheduler_that_would_move_the_end_is_kept_only_on_purpose() -> None:
    world = make_world()
    record = world.iloq.state.keys[PHONE]
    record.plan = replace(record.plan, scheduler=(1, 1, 120, UNTIL_SIX))
    connector = make_connector(world)
    reading = await connector.read_key(KEY)
    assert reading.planned is not None
    assert reading.planned.renews_until is not None
    kept = await connector.write_program(
        KEY, replace(NIGHT, renews_until=reading.planned.renews_until), reading
    )
    assert world.iloq.state.keys[PHONE].plan.scheduler == (1, 1, 120, UNTIL_SIX)
    await connector.write_program(KEY, NIGHT, kept)
    assert world.iloq.state.keys[PHONE].plan.scheduler is None


async def test_unlimited_offline_time_is_sent_only_when_it_is_asked_for() -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    with pytest.raises(Refused, match="UNLIMITED"):
        await connector.write_program(KEY, replace(NIGHT, offline_expires_after=None), base)
    await connector.write_program(KEY, replace(NIGHT, offline_expires_after=UNLIMITED), base)
    assert world.iloq.state.keys[PHONE].plan.offline_expiration_seconds == 0


async def test_emptying_a_key_never_makes_its_offline_time_unlimited() -> None:
    world = make_world()
    connector = make_connector(world)
    written = await connector.write_program(KEY, EMPTY_PROGRAM, await connector.read_key(KEY))
    assert world.iloq.state.keys[PHONE].plan.offline_expiration_seconds == 8 * 3600
    assert written.planned is not None
    assert written.planned.within(EMPTY_PROGRAM)


async def test_emptying_a_key_keeps_the_offline_time_it_had() -> None:
    world = make_world()
    limited(world)
    connector = make_connector(world)
    await connector.write_program(KEY, EMPTY_PROGRAM, await connector.read_key(KEY))
    assert world.iloq.state.keys[PHONE].plan.offline_expiration_seconds == 3600


async def test_a_metal_key_gets_no_offline_time() -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(str(METAL))
    assert base.kind is KeyKind.METAL
    with pytest.raises(Refused, match="no offline expiry"):
        await connector.write_program(str(METAL), NIGHT, base)
    metal = replace(NIGHT, offline_expires_after=None)
    assert (await connector.write_program(str(METAL), metal, base)).planned == metal


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        # five minutes past: nobody rounds silently here
        ({"ends_at": UNTIL_SIX + timedelta(minutes=5)}, "grid"),
        # one second more than a phone can count (101 days)
        ({"offline_expires_after": timedelta(seconds=8_726_341)}, "at most"),
        # half seconds do not exist on the wire
        ({"offline_expires_after": timedelta(seconds=1.5)}, "whole seconds"),
        # the repeated hour of an autumn night: nobody knows which 02:30 the lock takes
        ({"ends_at": datetime(2026, 10, 25, 0, 30, tzinfo=UTC)}, "grid"),
        # we do not set up schedulers
        ({"renews_until": UNTIL_SIX}, "scheduler"),
        # this right does not exist
        ({"rights": frozenset({str(UUID(int=0xDEAD))})}, "SecurityAccessIds"),
    ],
)
async def test_what_the_vendor_cannot_store_is_refused_with_a_reason(
    change: dict[str, object], problem: str
) -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    with pytest.raises(Refused, match=problem):
        await connector.write_program(KEY, replace(NIGHT, **change), base)  # type: ignore[arg-type]  # table rows
    assert world.iloq.state.keys[PHONE].plan.right_ids == {PUMP}


async def test_a_key_without_a_free_slot_refuses_a_wider_program_and_still_takes_a_narrower_one() -> None:
    world = make_world()
    rows = tuple((1, start * 3600_000, (start + 1) * 3600_000) for start in range(9))
    world.iloq.state.titles[UUID(int=0x999)] = "many"
    record = world.iloq.state.keys[PHONE]
    record.plan = replace(record.plan, slots=(TimeSlot(slot_no=2, title_id=UUID(int=0x999), weekly=rows),))
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    with pytest.raises(Refused, match="slots"):
        await connector.write_program(KEY, replace(NIGHT, starts_at=START), base)
    await connector.write_program(KEY, EMPTY_PROGRAM, base)


@pytest.mark.parametrize(("firmware", "room"), [((135, 135), True), ((135, 134), False), ((135, 0), False)])
async def test_a_key_has_23_slots_only_where_each_lock_that_its_program_opens_has_the_newer_firmware(
    firmware: tuple[int, int], *, room: bool
) -> None:
    locks = [
        make_lock(UUID(int=100 + n), f"L{n}", VALVE, lock_type=LockType.D5, sw_version=version)
        for n, version in enumerate(firmware)
    ]
    world = make_world(locks=(make_lock(LOCK_PUMP, "A2", PUMP), *locks))
    rows = tuple((1, start * 3600_000, (start + 1) * 3600_000) for start in range(9))
    world.iloq.state.titles[UUID(int=0x999)] = "many"
    record = world.iloq.state.keys[PHONE]
    record.plan = replace(record.plan, slots=(TimeSlot(slot_no=2, title_id=UUID(int=0x999), weekly=rows),))
    connector = make_connector(world)
    base, wide = await connector.read_key(KEY), replace(NIGHT, starts_at=START)
    with pytest.raises(Refused, match="10 slots"):
        await connector.write_program(KEY, wide, base)  # nothing is known of the locks yet
    found = await connector.inventory()
    assert {lock.firmware for lock in found.locks if str(VALVE) in lock.rights} == {
        version or None for version in firmware
    }
    if room:
        await connector.write_program(KEY, wide, base)
        await connector.order(KEY)
        capped = make_connector(world, slot_budget=10)
        await capped.inventory()
        narrow = await capped.write_program(KEY, EMPTY_PROGRAM, await capped.read_key(KEY))
        record.plan = replace(
            record.plan, slots=(TimeSlot(slot_no=2, title_id=UUID(int=0x999), weekly=rows),)
        )
        with pytest.raises(Refused, match="10 slots"):
            await capped.write_program(KEY, wide, await capped.read_key(KEY))
        assert narrow.planned is not None
    else:
        with pytest.raises(Refused, match="10 slots"):
            await connector.write_program(KEY, wide, base)


async def test_a_refused_time_limit_is_explained_in_words() -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    world.faults.add(Fault(operation="PUT Keys/*/SecurityAccesses", effect="status:400"))
    world.iloq.settings.slot_budget = 0
    with pytest.raises(Refused, match="the start: the key has no space for another time limit"):
        await connector.write_program(KEY, replace(NIGHT, starts_at=START), base)


# --- two administrators ------------------------------------------------------------------------------------


async def test_a_key_that_was_deleted_is_refused() -> None:
    world = make_world()
    world.out_of_band.delete(PHONE)
    with pytest.raises(Refused):
        await make_connector(world).read_key(KEY)


async def test_a_write_that_another_one_overtook_is_unknown() -> None:
    """Between our write and our reading back, another administrator wrote: nobody knows what was ordered."""
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    answer = world.iloq.answer
    writes = []

    def answer_and_interfere(request: ApiRequest) -> ApiAnswer:
        result = answer(request)
        if request.method == "PUT":
            writes.append(request)
            world.out_of_band.change_rights(PHONE, [PUMP, VALVE])
        return result

    world.iloq.answer = answer_and_interfere  # type: ignore[method-assign]  # the other administrator
    with pytest.raises(Unknown, match="otherwise"):
        await connector.write_program(KEY, NIGHT, base)
    assert writes


# --- lost, late and broken answers -------------------------------------------------------------------------


async def test_a_write_whose_reading_back_fails_is_unknown_and_never_a_clean_retry() -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    world.faults.add(Fault(operation="GET Keys/*/TimeLimitTitles", effect="status:503", nth=2))
    with pytest.raises(Unknown):
        await connector.write_program(KEY, NIGHT, base)
    world.faults.assert_all_fired()


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        (Fault(operation=PUT, effect="status:429", retry_after=17), 17),
        (Fault(operation=PUT, effect="status:503", retry_after=90), 90),
        (Fault(operation=PUT, effect="status:429"), 30),
        # an answer that asks for a day is cut to an hour
        (Fault(operation=PUT, effect="status:429", retry_after=86_400), 3600),
        (Fault(operation=PUT, effect="down"), 30),
        (Fault(operation="GET Keys/*/SecurityAccesses", effect="garbage"), 30),
        (Fault(operation="GET Keys/*/SecurityAccesses", effect="lose_response_after_commit"), 30),
        (Fault(operation="GET Keys/*", effect="status:500"), 30),
    ],
)
async def test_what_surely_changed_nothing_is_tried_again_later(fault: Fault, wait: int) -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    world.faults.add(fault)
    with pytest.raises(Retry) as caught:
        await connector.write_program(KEY, NIGHT, base)
    assert caught.value.after == timedelta(seconds=wait)
    assert world.iloq.state.keys[PHONE].plan.right_ids == {PUMP}
    world.faults.assert_all_fired()


async def test_the_vendors_own_words_reach_the_caller() -> None:
    world = make_world()
    with pytest.raises(Refused, match="Invalid value"):
        await make_connector(world).read_key(str(UUID(int=0xDEAD)))


async def test_a_missing_right_at_run_time_asks_for_a_person() -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    world.iloq.settings.rights_mask &= ~33554432  # edit key access
    with pytest.raises(NeedsPerson, match="iLOQ administrator"):
        await connector.write_program(KEY, NIGHT, base)


async def test_an_order_whose_answer_was_lost_is_unknown_and_ordering_again_is_fine() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.write_program(KEY, NIGHT, await connector.read_key(KEY))
    world.cut_network(PHONE)
    world.faults.add(Fault(operation="POST Keys/*/Order", effect="lose_response_after_commit", times=1))
    with pytest.raises(Unknown):
        await connector.order(KEY)
    await connector.order(KEY)
    assert world.iloq.calls["POST Keys/*/Order"] == 1


class SilentTransport(httpx2.AsyncBaseTransport):
    """A network on which requests of one method are never answered."""

    def __init__(self, world: World, method: str) -> None:
        self.inner, self.method = iloq.transport(world), method

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == self.method:
            await asyncio.Event().wait()
        return await self.inner.handle_async_request(request)


@pytest.mark.parametrize("limit", ["request_timeout", "call_timeout"])
@pytest.mark.parametrize(("method", "outcome"), [("GET", Retry), ("PUT", Unknown)])
async def test_silence_ends_in_time_and_counts_as_unknown_only_after_a_write(
    limit: str, method: str, outcome: type[Exception]
) -> None:
    world = make_world()
    base = await make_connector(world).read_key(KEY)
    config = make_config(world, **{limit: timedelta(milliseconds=50)})
    silent = SilentTransport(world, method)
    connector = IloqConnector(config, store=KeptSession(), clock=WorldClock(world), transport=silent)
    with pytest.raises(outcome):
        await connector.write_program(KEY, NIGHT, base)


# --- order -------------------------------------------------------------------------------------------------


async def test_a_right_of_another_type_needs_the_programming_key() -> None:
    world = make_world()
    connector = make_connector(world)
    program = replace(NIGHT, rights=frozenset({str(MANAGER_ONLY)}))
    await connector.write_program(KEY, program, await connector.read_key(KEY))
    with pytest.raises(NeedsPerson, match="programming key"):
        await connector.order(KEY)


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        (IloqSettings(licence_exhausted=True), NeedsPerson),
        (IloqSettings(fob_order_allowed=False), Refused),
        (IloqSettings(fob_change_needs_token=True), NeedsPerson),
    ],
)
async def test_a_fob_that_cannot_be_ordered_says_who_or_why(
    settings: IloqSettings, outcome: type[Exception]
) -> None:
    world = make_world(settings=settings)
    connector = make_connector(world)
    await connector.write_program(str(FOB), NIGHT, await connector.read_key(str(FOB)))
    with pytest.raises(outcome):
        await connector.order(str(FOB))


async def test_a_phone_without_a_person_asks_for_one() -> None:
    world = make_world(keys=(make_key(PHONE, "0401", phone_no="+31600000001"),))
    connector = make_connector(world)
    await connector.write_program(KEY, NIGHT, await connector.read_key(KEY))
    with pytest.raises(NeedsPerson, match="no person"):
        await connector.order(KEY)


async def test_a_packet_fetched_without_acknowledgement_is_seen_as_such() -> None:
    physics = replace(Physics.exact(), ack_latency=timedelta(minutes=5))
    world = make_world(physics=physics)
    connector = make_connector(world)
    await connector.write_program(KEY, NIGHT, await connector.read_key(KEY))
    await connector.order(KEY)
    reading = await connector.read_key(KEY)
    assert reading.programming_state is ProgrammingState.FETCHED
    assert reading.on_device is not None
    assert reading.on_device.rights == {str(PUMP)}


# --- block list --------------------------------------------------------------------------------------------


async def test_a_lost_key_is_blocked_and_then_nothing_else_can_be_done_to_it() -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(KEY)
    await connector.block(KEY)
    await connector.block(KEY)  # again: fine
    await connector.order_block_list(KEY, ())
    await connector.order_block_list(KEY, ())  # nothing to send: fine
    assert world.iloq.calls["POST Blacklists/AddKey/*"] == 1
    assert world.iloq.calls["POST Blacklists/OrderS40Blacklist"] == 1
    reading = await connector.read_key(KEY)
    assert reading.blocked
    assert reading.version == base.version
    with pytest.raises(Refused, match="blocklist"):
        await connector.write_program(KEY, NIGHT, reading)


async def test_a_plan_of_a_blocked_key_is_not_ordered() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.write_program(KEY, NIGHT, await connector.read_key(KEY))
    await connector.block(KEY)
    with pytest.raises(Refused, match="block list"):
        await connector.order(KEY)


async def test_a_key_without_rights_cannot_be_blocked_and_says_so() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.write_program(KEY, EMPTY_PROGRAM, await connector.read_key(KEY))
    with pytest.raises(Refused, match="no access rights"):
        await connector.block(KEY)


async def test_a_block_list_that_needs_the_programming_key_names_its_holder() -> None:
    world = make_world(settings=IloqSettings(blocklist_needs_token=True))
    connector = make_connector(world)
    await connector.block(KEY)
    with pytest.raises(NeedsPerson, match="programming key"):
        await connector.order_block_list(KEY, ())


async def test_a_full_block_list_asks_for_a_person() -> None:
    world = make_world(settings=IloqSettings(max_blocked=0))
    connector = make_connector(world)
    await connector.block(KEY)
    with pytest.raises(NeedsPerson, match="full"):
        await connector.order_block_list(KEY, ())


# --- tags and kinds ----------------------------------------------------------------------------------------


async def test_a_tag_is_set_once_and_changed_in_place() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.tag_key(KEY, KeyTag("key2xs.permit", "PTW-17"))
    await connector.tag_key(KEY, KeyTag("key2xs.permit", "PTW-17"))
    await connector.tag_key(KEY, KeyTag("key2xs.permit", "PTW-18"))
    assert [tag.value for tag in world.iloq.state.tags.values()] == ["PTW-18"]
    for _ in range(2):
        await connector.tag_key(KEY, KeyTag("key2xs.permit", ""))
        assert not world.iloq.state.tags


# --- return ------------------------------------------------------------------------------------------------


async def test_a_phone_is_returned_emptied_and_gone_and_asking_twice_is_fine() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.return_key(KEY)
    assert not [call for call in world.iloq.calls if call.startswith("DELETE")]
    world.advance_to(world.now + timedelta(minutes=10))
    record = world.iloq.state.keys[UUID(KEY)]
    assert (record.state, record.programmed and record.programmed.right_ids) == (
        KeyState.RETURNED,
        frozenset(),
    )
    with pytest.raises(Refused):
        await connector.read_key(KEY)


@pytest.mark.parametrize("kind", [TwinKind.FOB, TwinKind.METAL])
async def test_a_fob_or_metal_key_is_not_returned_and_says_where_that_is_done(kind: TwinKind) -> None:
    world = make_world()
    key = next(each for each in world.iloq.state.keys.values() if each.kind is kind)
    with pytest.raises(Refused, match="iLOQ Manager with the programming key"):
        await make_connector(world).return_key(str(key.key_id))
    assert world.iloq.calls["POST Keys/*/Return"] == 0


async def test_a_blocked_phone_is_not_returned() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.block(KEY)
    with pytest.raises(Refused, match="block list"):
        await connector.return_key(KEY)


async def test_capabilities_differ_by_kind_and_carry_the_vendors_limits() -> None:
    connector = make_connector(make_world())
    phone, fob, metal = (connector.capabilities(kind) for kind in (KeyKind.PHONE, KeyKind.FOB, KeyKind.METAL))
    assert phone.max_offline_expiry == timedelta(seconds=8_726_340)
    assert fob.max_offline_expiry == timedelta(seconds=16_761_540)
    assert metal.max_offline_expiry is None
    assert (phone.can_return, fob.can_return, metal.can_return) == (True, False, False)
    assert phone.grid == timedelta(minutes=15)


async def test_the_kinds_of_the_inventory_are_the_kinds_of_the_twin() -> None:
    world = make_world()
    inventory = await make_connector(world).inventory()
    kinds = {TwinKind.PHONE: KeyKind.PHONE, TwinKind.FOB: KeyKind.FOB, TwinKind.METAL: KeyKind.METAL}
    found = {key.vendor_key: key.kind for key in inventory.keys}
    assert found == {str(key.key_id): kinds[key.kind] for key in world.keys.values()}
