"""A block list that is full takes no further key, and people are told what to do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from key2xs.keys.desk.mishaps import ask_unblock
from key2xs.keys.types import Target
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import twin_id
from tests.support.tiny_cliq import tiny_cliq_site

MINUTE = timedelta(minutes=1)


def room_for(spine: Spine, keys: int) -> None:
    """Have the maker's lists hold so few keys."""
    for system in spine.installation.connected:
        port: Any = system.port
        told = port.capabilities
        port.capabilities = lambda kind, told=told: replace(told(kind), max_blocked=keys)


async def target(spine: Spine, stamp: str) -> Target:
    async with spine.services.database.read() as tx:
        key = await spine.services.registry.get_key(tx, stamp)
        found = await spine.services.targets.find(tx, key.id)
    assert found is not None
    return found


async def lose(spine: Spine, stamp: str) -> None:
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, stamp)
        await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
    await spine.advance(2 * MINUTE, every=MINUTE)


async def test_a_list_that_spreads_takes_no_key_too_many_and_gets_room_again(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        room_for(spine, 1)
        await spine.hand_out("K001", "u1")
        await spine.hand_out("K002", "u2")
        await spine.live_permit("C1", crew=("u1", "u2"))
        await spine.advance(2 * MINUTE, every=MINUTE)
        await lose(spine, "K002")
        spine.world.cut_network(twin_id("key 1"))
        await lose(spine, "K001")
        blocks = spine.world.iloq.state.blocks
        assert blocks.is_blocked(twin_id("key 2"))
        assert not blocks.is_blocked(twin_id("key 1"))
        problem = (await target(spine, "K001")).problem
        assert problem is not None
        assert "the block list of iloq is full (1 keys), so this key is not on it" in problem
        assert (await target(spine, "K002")).problem is None
        said = (await spine.who_can_open("C1"))["K001"]
        assert said.kind == "bound", "it is narrowed all the same"
        told = await spine.fetch("SELECT 1 FROM log_body WHERE kind = 'keys:target:stick'")
        assert len(told) == 1, "once, however often it is tried"
        async with spine.services.database.transaction() as tx:
            key = await spine.services.registry.get_key(tx, "K002")
            services = spine.services
            await services.custody.take_back(tx, key.id, actor="user:desk", at=spine.now)
            await ask_unblock(tx, services.key_desk, key.id, reason="found", actor="user:two", at=spine.now)
        await spine.advance(20 * MINUTE, every=MINUTE)
        assert blocks.is_blocked(twin_id("key 1")), "there is room"
        assert (await target(spine, "K001")).problem is None


async def test_a_cylinder_whose_list_is_full_is_named_and_gets_no_visit(databases: DatabaseServer) -> None:
    async with open_stage(databases, START, site=tiny_cliq_site) as stage:
        spine = stage.spine
        room_for(spine, 1)
        for number, person in ((1, "u1"), (2, "u2")):
            await spine.hand_out(f"K00{number}", person)
        await spine.settle()
        await spine.live_permit("C1", crew=("u1",))
        await spine.live_permit("C1", "C3", crew=("u2",))
        await spine.advance(MINUTE)
        await lose(spine, "K001")
        await lose(spine, "K002")
        problem = (await target(spine, "K002")).problem
        assert problem is not None
        assert problem.startswith("the block list of C1 is full")
        tasks = [task for job in spine.world.cliq.state.jobs.values() for task in job.tasks]
        assert len(tasks) == 2, "C1 for the first, C3 for the second"
        assert "K002" in await spine.who_can_open("C1")
