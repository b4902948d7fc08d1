"""A phone key that is handed back at its maker for good: emptied first, then returned, then gone."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from key2xs.api.handing_back import end_for_good
from key2xs.core.errors import Conflict
from key2xs.core.postgres import RoleDsns
from key2xs.keys.returning import KeyReturn, return_of
from key2xs_twin.faults import Fault
from key2xs_twin.iloq.state import KeyState
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import twin_id

MINUTE = timedelta(minutes=1)
KEY: UUID = twin_id("key 1")


async def ask(spine: Spine, stamp: str = "K001") -> None:
    services = spine.services

    async def work(tx) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        key = await services.registry.get_key(tx, stamp)
        await end_for_good(tx, services, key, reason="left for good", actor="user:desk", at=spine.now)

    await services.database.transact(work)
    await spine.settle()


async def state(spine: Spine) -> KeyReturn:
    async with spine.services.database.read() as tx:
        found = await return_of(tx, (await spine.services.registry.get_key(tx, "K001")).id)
    assert found is not None
    return found


async def take_back(spine: Spine) -> None:
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, "K001")
        await spine.services.custody.take_back(tx, key.id, actor="user:desk", at=spine.now)
    await spine.settle()


async def used(spine: Spine) -> None:
    await spine.person("u1")
    await spine.hand_out("K001", "u1")
    await spine.live_permit("C1", crew=("u1",))
    await spine.advance(2 * MINUTE)
    assert spine.try_open("K001", "C1")


def returns(spine: Spine) -> int:
    return int(spine.world.iloq.calls["POST Keys/*/Return"])


async def test_it_is_emptied_first_then_returned_then_gone(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await used(spine)
        with pytest.raises(Conflict, match="somebody has it"):
            await ask(spine)
        spine.world.cut_network(KEY)
        await take_back(spine)
        await ask(spine)
        await spine.advance(10 * MINUTE, every=MINUTE)
        assert returns(spine) == 0, "what may still be on the phone is not forgotten by deleting it"
        assert spine.try_open("K001", "C1")

        spine.world.restore_network(KEY)
        await spine.advance(5 * MINUTE)
        assert returns(spine) == 1
        await spine.advance(timedelta(minutes=40), every=5 * MINUTE)
        assert spine.world.iloq.state.keys[KEY].state is KeyState.RETURNED
        assert (await state(spine)).gone
        async with spine.services.database.read() as tx:
            assert (await spine.services.registry.get_key(tx, "K001")).deleted
        with pytest.raises(Conflict):
            await spine.hand_out("K001", "u1")


async def test_whoever_gets_it_meanwhile_keeps_it(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await used(spine)
        spine.world.cut_network(KEY)
        await take_back(spine)
        await ask(spine)
        await spine.hand_out("K001", "u1")
        spine.world.restore_network(KEY)
        await spine.advance(10 * MINUTE, every=MINUTE)
        assert returns(spine) == 0
        found = await state(spine)
        assert (found.gone, found.ended_at is not None) == (False, True)


@pytest.mark.parametrize("effect", ["lose_response_after_commit", "status:503"])
async def test_an_answer_that_was_lost_is_asked_for_again(
    db_dsns: RoleDsns, tmp_path: Path, effect: str
) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await used(spine)
        await take_back(spine)
        await spine.advance(2 * MINUTE)
        spine.world.faults.add(Fault(operation="POST Keys/*/Return", effect=effect, times=1))
        await ask(spine)
        await spine.advance(timedelta(hours=3), every=timedelta(minutes=15))
        spine.world.faults.assert_all_fired()
        assert (await state(spine)).gone
        assert spine.world.iloq.state.keys[KEY].state is KeyState.RETURNED


async def test_a_metal_key_is_refused_in_words(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        rows = await spine.fetch("SELECT stamp FROM key_key WHERE kind IN ('metal', 'fob') LIMIT 1")
        for row in rows:
            with pytest.raises(Conflict, match="only phone keys and RFID tags"):
                await ask(spine, row["stamp"])
