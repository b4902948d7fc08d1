"""A lost iLOQ key is narrowed before it is blocked: a block alone bounds nothing, because nobody knows when it arrives."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from key2xs.core.errors import Conflict
from key2xs.keys.desk.mishaps import ask_unblock
from key2xs_twin.faults import Fault
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import Stage, open_stage
from tests.support.tiny import twin_id

MINUTE = timedelta(minutes=1)
KEY = twin_id("key 1")


@pytest.fixture
async def stage(databases: DatabaseServer) -> AsyncIterator[Stage]:
    async with open_stage(databases, START) as opened:
        yield opened


async def lost_at_work(spine: Spine) -> None:
    """The phone works, leaves coverage, and is reported lost."""
    await spine.hand_out("K001", "u1")
    await spine.settle()
    await spine.live_permit("C1", crew=["u1"])
    await spine.advance(timedelta(minutes=2), every=MINUTE)
    assert spine.try_open("K001", "C1")
    spine.world.cut_network(KEY)
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, "K001")
        await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
    await spine.advance(timedelta(minutes=2), every=MINUTE)


async def test_a_lost_phone_is_closed_and_then_blocked_and_its_offline_time_bounds_it(stage: Stage) -> None:
    spine = stage.spine
    await lost_at_work(spine)
    assert spine.world.iloq.state.blocks.is_blocked(KEY)
    plan = spine.world.iloq.state.keys[KEY].plan
    assert plan.right_ids, "an emptied key is not taken on the block list"
    said = (await spine.who_can_open("C1"))["K001"]
    assert said.kind == "bound"
    assert said.exposed_until is not None
    # two hours offline from the order, not the eight hours of the permit
    assert said.exposed_until <= spine.now + timedelta(hours=2, minutes=5)
    truth = spine.world.oracle.latest_opening(KEY, twin_id("C1"), spine.now)
    assert truth is not None
    assert truth <= said.exposed_until
    spine.world.advance_to(said.exposed_until + timedelta(seconds=1))
    assert not spine.try_open("K001", "C1")


@pytest.mark.parametrize("call", ["PUT Keys/*/SecurityAccesses", "POST Keys/*/Order"])
async def test_a_phone_that_cannot_be_narrowed_is_blocked_all_the_same_and_gets_no_early_bound(
    stage: Stage, call: str
) -> None:
    spine = stage.spine
    await spine.settle()
    await spine.hand_out("K001", "u1")
    await spine.settle()
    permit = await spine.live_permit("C1", crew=["u1"])
    await spine.advance(timedelta(minutes=2), every=MINUTE)
    spine.world.faults.add(Fault(operation=call, effect="status:500"))
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, "K001")
        await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
    await spine.advance(timedelta(minutes=2), every=MINUTE)
    assert spine.world.iloq.state.blocks.is_blocked(KEY)
    said = (await spine.who_can_open("C1"))["K001"]
    assert said.exposed_until is not None
    assert said.exposed_until >= permit.valid_to - timedelta(minutes=15)


async def test_a_found_phone_is_emptied_before_the_list_without_it_is_sent(stage: Stage) -> None:
    """The other way round, locks would let it in while it still held what it held when it was lost."""
    spine = stage.spine
    await lost_at_work(spine)
    services = spine.services
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, "K001")
        with pytest.raises(Conflict, match="take it back first"):
            await ask_unblock(tx, services.key_desk, key.id, reason="found", actor="user:two", at=spine.now)
        await services.custody.take_back(tx, key.id, actor="user:desk", at=spine.now)
        await ask_unblock(tx, services.key_desk, key.id, reason="found", actor="user:two", at=spine.now)
    await spine.settle()
    await spine.advance(3 * MINUTE, every=MINUTE)
    sent = spine.world.iloq.state.blocks.packet.version
    assert KEY in spine.world.iloq.state.blocks.packet.key_ids, "locks hear nothing while it is not empty"
    assert await blocked(spine)
    spine.world.restore_network(KEY)
    await spine.advance(5 * MINUTE, every=MINUTE)
    assert not await blocked(spine)
    assert spine.world.iloq.state.blocks.packet.version == sent + 1
    assert KEY not in spine.world.iloq.state.blocks.packet.key_ids
    assert not spine.world.iloq.state.keys[KEY].plan.right_ids
    assert not spine.try_open("K001", "C1")


async def blocked(spine: Spine) -> bool:
    rows = await spine.fetch("SELECT blocked_at FROM key_key WHERE stamp = 'K001'")
    return rows[0]["blocked_at"] is not None
