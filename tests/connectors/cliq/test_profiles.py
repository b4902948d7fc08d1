"""CLIQ access profiles: what a key holds through one is read as rights; a change of one is an edit of each of its keys."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from key2xs.keys.drift.findings import findings_of_key, list_findings, zone_policies
from key2xs.keys.drift.types import Finding
from key2xs_twin.cliq import AccessProfileSpec
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import Stage, open_stage
from tests.support.tiny import twin_id
from tests.support.tiny_cliq import GATEHOUSE, tiny_cliq_site

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
KEY, CREW = twin_id("key 1"), twin_id("profile")


@pytest.fixture
async def stage(databases: DatabaseServer) -> AsyncIterator[Stage]:
    """K001 opens C1 by a permit; there is a profile for C2 that no key holds."""
    async with open_stage(databases, START, site=tiny_cliq_site) as opened:
        spine = opened.spine
        profile = AccessProfileSpec(profile_id=CREW, name="Crew", cylinder_ids=frozenset({twin_id("C2")}))
        spine.world.cliq.load(profiles=[profile])
        await spine.hand_out("K001", "u1")
        await spine.settle()
        await spine.live_permit("C1", crew=["u1"])
        spine.world.present_at_updater(KEY, GATEHOUSE)
        await spine.advance(MINUTE)
        yield opened


async def found(spine: Spine) -> list[Finding]:
    """Look at the key and return what was found about it, the newest first."""
    await spine.advance(HOUR, every=timedelta(minutes=20))
    async with spine.services.database.read() as tx:
        key = await spine.services.registry.get_key(tx, "K001")
        return await findings_of_key(tx, key.id)


async def hold_still(spine: Spine) -> None:
    """No zone undoes an edit by itself."""
    async with spine.services.database.transaction() as tx:
        for zone in await zone_policies(tx):
            await spine.services.drift_acts.set_policy(
                tx, zone.zone_id, "report", actor="user:soc", reason="test", at=spine.now
            )


async def test_a_profile_that_is_tied_to_a_key_and_each_change_of_it_are_edits_of_that_key(
    stage: Stage,
) -> None:
    spine, books = stage.spine, stage.spine.world.cliq_out_of_band
    await hold_still(spine)
    assert not await found(spine)
    books.tie_profiles(KEY, [CREW])
    books.send(KEY)
    (tied,) = await found(spine)
    assert tied.kind == "rights"
    assert str(twin_id("C2")) in str(tied.after)
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert spine.try_open("K001", "C2")
    assert (await spine.who_can_open("C2"))["K001"].kind != "ended"

    books.change_profile(CREW, [twin_id("C3")])
    await found(spine)
    async with spine.services.database.read() as tx:
        after = [str(each.after) for each in await list_findings(tx)]
    assert any(str(twin_id("C3")) in each for each in after), "at the key, though nobody touched it"


async def test_where_edits_are_undone_the_key_is_written_whole_and_holds_no_profile_any_more(
    stage: Stage,
) -> None:
    spine, books = stage.spine, stage.spine.world.cliq_out_of_band
    books.tie_profiles(KEY, [CREW])
    await found(spine)
    plan = spine.world.cliq.state.keys[KEY].plan
    assert plan is not None
    assert not plan.profile_ids
    assert plan.cylinder_ids == {twin_id("C1")}
    assert spine.world.cliq.state.profiles[CREW].cylinder_ids == {twin_id("C2")}, (
        "the profile itself is not ours"
    )
    books.change_profile(CREW, [twin_id("C3")])
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert not spine.try_open("K001", "C3")
