"""What an adopted key keeps: nothing changes in zones that are not enforced, and what is ended stays ended."""

import pytest

from key2xs.core.errors import Conflict
from tests.support.database import DatabaseServer
from tests.support.tiny import twin_id

from .legacy import open_legacy

C1, C2, C3 = "AP C1", "AP C2", "AP C3"


async def test_adopting_and_observing_changes_nothing_at_the_vendor(databases: DatabaseServer) -> None:
    async with open_legacy(databases, adopted=False) as site:
        before, calls = site.vendor(), site.writes()
        await site.adopt_all()
        await site.write()
        await site.mode("Z3", "advise")
        await site.wait(30)
        assert site.vendor() == before
        assert site.writes() == calls
        adopted = await site.spine.fetch(
            "SELECT stamp FROM key_key WHERE adopted_at IS NOT NULL ORDER BY stamp"
        )
        assert [row["stamp"] for row in adopted] == ["K001", "K002", "K003", "K004"]
        assert await site.standing("K001") == {C1: None, C3: None}


async def test_switching_a_zone_ends_the_standing_rights_in_it_and_no_others(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases) as site:
        await site.mode("Z3", "enforce")
        await site.wait(5)
        assert site.planned("K001") == {C3}
        assert await site.standing("K001") == {C1: "enforced", C3: None}
        assert not site.spine.try_open("K001", "C1")
        assert site.spine.try_open("K001", "C3")
        assert site.planned("K002") == set()


async def test_going_back_to_observe_gives_nothing_back(databases: DatabaseServer) -> None:
    async with open_legacy(databases) as site:
        await site.mode("Z3", "enforce", settle=False)
        # The switch is not even taken in when it is undone: commands are pending.
        await site.mode("Z3", "observe")
        await site.wait(16)
        assert await site.standing("K001") == {C1: "enforced", C3: None}
        assert site.planned("K001") == {C3}


async def test_a_key_that_was_not_adopted_is_left_alone_in_an_enforced_zone(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases, adopted=False) as site:
        await site.write()
        before = site.vendor()
        for zone in ("Z2", "Z3", "Z4"):
            await site.mode(zone, "enforce")
        await site.wait(16)
        assert site.vendor() == before


async def test_a_right_over_two_zones_is_replaced_where_the_catalogue_allows(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases) as site:
        await site.mode("Z4", "enforce")  # K004's old right opens C5 (Z4) and C3 (Z2)
        await site.wait(3)
        assert site.planned("K004") == {C3}
        # An old right cannot be sent off without a person; that is said, and what may open is still shown.
        rows = await site.spine.fetch(
            "SELECT problem FROM key_target AS t JOIN key_key AS k ON k.id = t.key_id WHERE k.stamp = 'K004'"
        )
        assert rows[0]["problem"]
        assert "K004" in await site.spine.who_can_open("C5")


async def test_an_edit_elsewhere_is_followed_where_the_zone_is_only_observed(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases) as site:
        others = site.spine.world.out_of_band
        others.change_rights(twin_id("key 1"), [twin_id("right C1"), twin_id("right C2")])
        others.order(twin_id("key 1"))
        await site.wait(7 * 60)
        assert site.planned("K001") == {C1, C2}
        assert await site.standing("K001") == {C1: None, C3: "gone", C2: None}
        await site.mode("Z3", "enforce")
        await site.wait(16)
        assert site.planned("K001") == set()
        others.change_rights(twin_id("key 1"), [twin_id("right C1")])
        others.order(twin_id("key 1"))
        await site.wait(16)
        assert site.planned("K001") == set(), "what was ended is not taken up again"


async def test_a_grant_beside_standing_rights_ends_first_and_leaves_them_as_they_were(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases) as site:
        spine = site.spine
        await site.mode("Z3", "enforce")
        await spine.hand_out("K001", "u1")
        await spine.settle()
        permit = await spine.live_permit("C2", crew=["u1"], hours=2)
        await site.wait(3)
        assert site.planned("K001") == {C2, C3}
        plan = spine.world.iloq.state.keys[twin_id("key 1")].plan
        assert plan.ends_lg is not None
        assert spine.try_open("K001", "C3")
        assert spine.try_open("K001", "C2")
        spine.ptw.suspend(permit.id, code="weather", at=spine.now)
        await spine.send()
        await site.wait(3)
        assert site.planned("K001") == {C3}
        assert spine.world.iloq.state.keys[twin_id("key 1")].plan.ends_lg is None
        assert spine.try_open("K001", "C3")
        assert not spine.try_open("K001", "C2")
        classes = await spine.classes()
        assert "unexplained" not in classes, classes


async def test_a_key_that_must_be_carried_to_an_updater_takes_no_grant_beside_standing_rights(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases) as site:
        await site.mode("Z2", "enforce")
        before = site.planned("K002")
        await site.spine.hand_out("K002", "u2")
        await site.spine.settle()
        await site.spine.live_permit("C3", crew=["u2"])
        await site.wait(3)
        assert site.planned("K002") == before
        rows = await site.spine.fetch(
            "SELECT cannot FROM key_target AS t JOIN key_key AS k ON k.id = t.key_id WHERE k.stamp = 'K002'"
        )
        assert [each["why"] for each in rows[0]["cannot"].values()] == ["carries_standing"]


async def test_the_desk_hands_out_an_empty_key_and_asks_to_adopt_another_first(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases, adopted=False) as site:
        with pytest.raises(Conflict, match="adopt it first"):
            await site.spine.hand_out("K001", "u1")
        assert (await site.spine.hand_out("K003", "u1")).adopted_at is not None


async def test_a_kill_ends_standing_rights_though_the_zone_is_only_observed(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases) as site:
        key = await site.key("K001")
        async with site.spine.services.database.transaction() as tx:
            await site.spine.services.standing.end(
                tx, key, reason="left the company", actor="user:soc", at=site.spine.now
            )
        await site.wait(3)
        assert site.planned("K001") == set()
        assert not site.spine.try_open("K001", "C1")


async def test_nothing_is_written_over_a_connection_that_only_reads(databases: DatabaseServer) -> None:
    async with open_legacy(databases, adopted=False) as site:
        before = site.vendor()
        await site.adopt_all()
        for zone in ("Z2", "Z3", "Z4"):
            await site.mode(zone, "enforce")
        await site.wait(12)
        assert site.vendor() == before
        rows = await site.spine.fetch("SELECT count(*) AS n FROM key_target WHERE problem LIKE '%read-only%'")
        assert rows[0]["n"] == 3
        await site.write()
        await site.wait(12)
        assert site.planned("K001") == set()
