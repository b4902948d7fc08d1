"""The number of a permit in the vendor's own log: it comes, it changes, it goes, and nothing waits for it."""

from datetime import timedelta
from pathlib import Path

from key2xs.core.postgres import RoleDsns
from key2xs_twin.faults import Fault
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import twin_id

MINUTE = timedelta(minutes=1)


def tags(spine: Spine) -> dict[str, str]:
    return {tag.key: tag.value for tag in spine.world.iloq.state.tags.values()}


async def test_the_vendors_log_names_the_permit_as_long_as_it_is_on_the_key(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        assert tags(spine) == {}
        first = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(MINUTE)
        assert tags(spine) == {"key2xs.permit": first.number}
        assert all(tag.save_to_audit for tag in spine.world.iloq.state.tags.values())

        assert spine.try_open("K001", "C1")
        spine.world.sync(twin_id("key 1"))
        await spine.advance(2 * MINUTE)
        [opening] = await spine.fetch("SELECT tag, counter_key FROM key_event WHERE outcome = 'opened'")
        assert (opening["tag"], opening["counter_key"]) == (f"key2xs.permit={first.number}", 1)

        second = await spine.live_permit("C2", crew=("u1",))
        await spine.advance(2 * MINUTE)
        assert set(tags(spine)["key2xs.permit"].split(", ")) == {first.number, second.number}

        # Off the net: what is on the phone still opens, and the log goes on naming the permits.
        spine.world.cut_network(twin_id("key 1"))
        for permit in (first, second):
            spine.ptw.suspend(permit.id, code="weather", at=spine.now)
        await spine.send()
        await spine.settle()
        await spine.advance(2 * MINUTE)
        assert tags(spine), "not emptied yet"
        spine.world.restore_network(twin_id("key 1"))
        await spine.advance(5 * MINUTE)
        assert tags(spine) == {}
        assert [row["value"] for row in await spine.fetch("SELECT value FROM key_tag")] == [""]


async def test_a_tag_that_cannot_be_set_holds_nothing_up_and_is_told(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        spine.world.faults.add(Fault(operation="POST KeyTags", effect="status:400", times=1))
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(2 * MINUTE)
        assert spine.try_open("K001", "C1")
        assert tags(spine) == {}
        loop = next(each for each in spine.installation.loops if each.name == "tags:iloq")
        assert "K001" in (getattr(loop, "problem", None) or "")
        await spine.advance(timedelta(minutes=70), every=timedelta(minutes=5))
        assert tags(spine) == {"key2xs.permit": permit.number}
        assert getattr(loop, "problem", None) is None
        spine.world.faults.assert_all_fired()


async def test_a_site_can_leave_the_vendors_log_alone(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START, iloq={"tag_permits": False}) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", crew=("u1",))
        await spine.advance(2 * MINUTE)
        assert tags(spine) == {}
