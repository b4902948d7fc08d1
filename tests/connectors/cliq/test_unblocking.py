"""A found CLIQ key comes off the block: emptied first, then cylinder by cylinder, and blocked until the last of them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from key2xs.core.errors import Conflict
from key2xs.keys.desk import mishaps
from key2xs.keys.types import StoredKey
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import Stage, open_stage
from tests.support.tiny import twin_id
from tests.support.tiny_cliq import CARRIERS, GATEHOUSE, WORKSHOP, tiny_cliq_site

from .test_life_of_a_key import at_work, go_round, lose, target

MINUTE = timedelta(minutes=1)
KEY = twin_id("key 1")


@pytest.fixture
async def stage(databases: DatabaseServer) -> AsyncIterator[Stage]:
    async with open_stage(databases, START, site=tiny_cliq_site) as opened:
        yield opened


async def visits(spine: Spine, kind: str) -> dict[str, str]:
    rows = await spine.fetch(
        "SELECT lock.marking, visit.state FROM key_block_visit AS visit JOIN key_lock AS lock "
        "ON lock.external_id = visit.lock_external_id WHERE visit.kind = $1",
        kind,
    )
    return {row["marking"]: row["state"] for row in rows}


async def the_key(spine: Spine) -> StoredKey:
    async with spine.services.database.read() as tx:
        return await spine.services.registry.get_key(tx, "K001")


async def ask(spine: Spine) -> None:
    """Two people agreed: it comes off the list."""
    key = await the_key(spine)
    desk = spine.services.key_desk
    async with spine.services.database.transaction() as tx:
        await mishaps.ask_unblock(tx, desk, key.id, reason="under a seat", actor="user:two", at=spine.now)
    await spine.settle()


async def blocked_everywhere(stage: Stage) -> Spine:
    """A key that was lost at work, blocked in two cylinders, and lies at the desk again with the old program in it."""
    spine = stage.spine
    await at_work(spine, "C1", "C3")
    await lose(spine)
    go_round(spine, 0, "C1", "C3")
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert not spine.try_open("K001", "C1")
    key = await the_key(spine)
    async with spine.services.database.transaction() as tx:
        await spine.services.custody.take_back(tx, key.id, actor="user:desk", at=spine.now)
    await spine.settle()
    return spine


async def test_no_cylinder_forgets_the_block_before_the_key_is_empty(stage: Stage) -> None:
    spine = await blocked_everywhere(stage)
    await ask(spine)
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert await visits(spine, "unblock") == {}, "the key still holds what it held when it was lost"
    assert "bring it to an updater" in ((await target(spine)).problem or "")

    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert await visits(spine, "unblock") == {"C1": "waiting", "C3": "waiting"}
    go_round(spine, 0, "C1")
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert await visits(spine, "unblock") == {"C1": "done", "C3": "loaded"}
    assert (await visits(spine, "block"))["C1"] == "failed", "this cylinder holds the block no more"
    assert (await the_key(spine)).blocked_at is not None
    with pytest.raises(Conflict, match="is blocked"):
        await spine.hand_out("K001", "u1")

    go_round(spine, 0, "C3")
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    key = await the_key(spine)
    assert (key.blocked_at, key.unblock_asked_at) == (None, None)
    record = spine.world.cliq.state.keys[KEY]
    assert record.reported is None
    kinds = [
        row["kind"] for row in await spine.fetch("SELECT kind FROM log_body WHERE kind LIKE 'keys:key:%'")
    ]
    assert (kinds.count("keys:key:ask_unblock"), kinds.count("keys:key:unblock")) == (1, 1)

    # P7: handed out again it opens nothing by itself; with a new basis it opens again.
    await spine.hand_out("K001", "u1")
    await spine.settle()
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(2 * MINUTE, every=MINUTE)
    assert not spine.try_open("K001", "C1")
    await spine.live_permit("C1", crew=["u1"])
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(2 * MINUTE, every=MINUTE)
    assert spine.try_open("K001", "C1")


async def test_a_block_that_waits_is_taken_back_and_one_on_its_round_is_waited_for(stage: Stage) -> None:
    spine = stage.spine
    await at_work(spine, "C1", "C3")
    await lose(spine)
    carrier = next(iter(spine.world.cliq.state.jobs.values())).programming_key_id
    spine.world.load_programming_key(carrier, WORKSHOP)
    await spine.advance(3 * MINUTE, every=MINUTE)
    key = await the_key(spine)
    async with spine.services.database.transaction() as tx:
        await spine.services.custody.take_back(tx, key.id, actor="user:desk", at=spine.now)
    await ask(spine)
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert await visits(spine, "unblock") == {"C1": "loaded", "C3": "loaded"}
    assert (await the_key(spine)).blocked_at is not None
    # It comes back having blocked one of the two: only that one has to be visited.
    spine.world.insert_programming_key(carrier, twin_id("C1"))
    spine.world.insert_programming_key(carrier, twin_id("C3"), pulled_early=True)
    spine.world.return_programming_key(carrier, WORKSHOP)
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert (await visits(spine, "unblock"))["C1"] == "waiting"
    go_round(spine, CARRIERS.index(carrier), "C1")
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert (await the_key(spine)).blocked_at is None


async def test_a_key_that_is_lost_again_while_it_comes_off_stays_blocked(stage: Stage) -> None:
    spine = await blocked_everywhere(stage)
    await ask(spine)
    key = await the_key(spine)
    with pytest.raises(Conflict, match="is coming off the block list already"):
        await ask(spine)
    async with spine.services.database.transaction() as tx:
        await mishaps.report_lost(
            tx, spine.services.key_desk, key.id, reason="gone again", actor="user:desk", at=spine.now
        )
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    now = await the_key(spine)
    assert now.blocked_at is not None
    assert now.unblock_asked_at is None
    assert not spine.try_open("K001", "C1")
