"""What becomes of an edit: undone, left, or held until a person decides. Nothing revoked stays alive by any of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from key2xs.core.errors import Conflict
from key2xs.core.postgres import RoleDsns
from key2xs.keys.drift.findings import findings_of_key, list_findings, zone_policies
from key2xs.keys.drift.types import Finding, Policy
from key2xs.plant.service import list_zones, set_zone_mode
from tests.conftest import START
from tests.keys.drift.test_against_twin import sync
from tests.support.spine import Spine, open_spine
from tests.support.tiny import twin_id

K1 = twin_id("key 1")
WAYS = [
    pytest.param(how, what, marks=() if (how, what) == ("hold", "other") else (pytest.mark.long,))
    for how in ("hold", "report")
    for what in ("more", "less", "other", "longer")
]
ACTOR = "user:00000000-0000-4000-8000-000000000001"


@pytest.fixture
async def spine(db_dsns: RoleDsns, tmp_path: Path) -> AsyncIterator[Spine]:
    """One key that opens C1 and C2 by a permit, programmed; all zones are enforced."""
    async with open_spine(db_dsns, tmp_path, START) as made:
        await made.person("u1")
        await made.hand_out("K001", "u1")
        await made.live_permit("C1", "C2", crew=["u1"])
        await made.advance(timedelta(minutes=4), every=timedelta(minutes=1))
        yield made


async def policy(spine: Spine, wanted: Policy) -> None:
    """Set every zone's policy."""
    async with spine.services.database.transaction() as tx:
        for zone in await zone_policies(tx):
            await spine.services.drift_acts.set_policy(
                tx, zone.zone_id, wanted, actor=ACTOR, reason="test", at=spine.now
            )


def planned(spine: Spine) -> set[str]:
    """The locks whose own rights the maker's plan of the key holds."""
    held = spine.world.iloq.state.keys[K1].plan.right_ids
    names = {right.id: right.name for right in spine.world.iloq.state.rights.values()}
    return {part for each in held for part in names[each].removeprefix("AP ").split(" and ")}


def edit(spine: Spine, *markings: str, **values: Any) -> None:
    """Somebody gives the key these rights in the maker's tool."""
    rights = [twin_id(f"right {marking}") for marking in markings] if markings else None
    spine.world.out_of_band.change_rights(K1, rights, **values)


async def settle(spine: Spine, found: Finding, act: Any) -> Finding:
    """A person decides."""
    done = await spine.services.database.transact(
        lambda tx: spine.services.drift_acts.settle(
            tx, found.id, act, actor=ACTOR, reason="test", at=spine.now
        )
    )
    await spine.settle()
    return done


async def revoke(spine: Spine, ref: str) -> None:
    """A person ends everything that somebody has."""
    person = spine.persons[ref]
    async with spine.services.database.transaction() as tx:
        affected = await spine.services.mass.look(tx, [person])
        await spine.services.mass.end_all(
            tx, affected, subject=f"person:{person}", reason="test", actor="user:soc", at=spine.now
        )


async def standing(spine: Spine) -> dict[str, str]:
    """Every finding by kind."""
    async with spine.services.database.read() as tx:
        return {each.kind: each.state for each in await list_findings(tx)}


@pytest.mark.long
async def test_an_enforced_zone_undoes_an_edit_and_tells_once(spine: Spine) -> None:
    edit(spine, "C1", "C2", "C3")
    (found,) = await sync(spine)
    assert (found.kind, found.policy, found.ad_hoc) == ("rights", "revert", True)
    await spine.advance(timedelta(minutes=4), every=timedelta(minutes=1))
    assert planned(spine) == {"C1", "C2"}
    (found,) = await sync(spine)
    assert found.state == "reverted"
    entries = await spine.fetch("SELECT kind FROM log_body WHERE kind LIKE 'keys:drift:%' ORDER BY seq")
    assert [row["kind"] for row in entries] == ["keys:drift:find", "keys:drift:close"]


async def test_a_hold_writes_nothing_until_somebody_decides(spine: Spine) -> None:
    await policy(spine, "hold")
    edit(spine, "C1")
    (found,) = await sync(spine)
    assert (found.policy, found.ad_hoc, found.state) == ("hold", False, "open")
    await spine.advance(timedelta(minutes=40), every=timedelta(minutes=10))
    assert planned(spine) == {"C1"}, "held"
    async with spine.services.database.read() as tx:
        target = await spine.services.targets.find(tx, found.key_id)  # type: ignore[arg-type]
    assert target is not None
    assert "held" in str(target.problem)
    await settle(spine, found, "revert")
    await spine.advance(timedelta(minutes=4), every=timedelta(minutes=1))
    assert planned(spine) == {"C1", "C2"}, "given back, and no more than the grants allow"
    assert await standing(spine) == {"rights": "reverted"}


@pytest.mark.long
async def test_accepting_leaves_it_until_something_else_is_wanted(spine: Spine) -> None:
    await policy(spine, "hold")
    edit(spine, "C1")
    (found,) = await sync(spine)
    assert (await settle(spine, found, "acknowledge")).state == "acknowledged"
    assert (await settle(spine, found, "accept")).state == "accepted"
    await spine.advance(timedelta(minutes=40), every=timedelta(minutes=10))
    assert planned(spine) == {"C1"}
    async with spine.services.database.read() as tx:
        assert [each.state for each in await findings_of_key(tx, found.key_id)] == ["accepted"]  # type: ignore[arg-type]
    await spine.live_permit("C5", crew=["u1"], hours=8)
    await spine.advance(timedelta(minutes=4), every=timedelta(minutes=1))
    assert planned(spine) == {"C1", "C2", "C5"}, "something else is wanted now"
    with pytest.raises(Conflict, match="accepted already"):
        await settle(spine, found, "revert")


@pytest.mark.long
async def test_nobody_may_accept_access_that_no_grant_covers(spine: Spine) -> None:
    await policy(spine, "hold")
    edit(spine, "C1", "C2", "C3")
    (found,) = await sync(spine)
    assert found.ad_hoc
    with pytest.raises(Conflict, match="no grant covers"):
        await settle(spine, found, "accept")


@pytest.mark.parametrize(("how", "what"), WAYS)
async def test_a_revocation_goes_through_and_gives_nothing(spine: Spine, how: Policy, what: str) -> None:
    await policy(spine, how)
    match what:
        case "more":
            edit(spine, "C1", "C2", "C3")
        case "less":
            edit(spine, "C1")
        case "other":
            edit(spine, "C1", "C3")
        case "longer":
            edit(spine, ends_lg=(spine.now + timedelta(days=30)).replace(minute=0, second=0, tzinfo=None))
    before = planned(spine)
    assert await sync(spine)
    assert planned(spine) == before, "left or held"
    await revoke(spine, "u1")
    await spine.settle()
    await spine.advance(timedelta(minutes=4), every=timedelta(minutes=1))
    assert planned(spine) == set(), "revoked is revoked, whatever was edited"


@pytest.mark.parametrize("how", ["hold", pytest.param("report", marks=pytest.mark.long)])
async def test_an_edit_never_revives_a_revoked_key(spine: Spine, how: Policy) -> None:
    await policy(spine, how)
    await spine.advance(timedelta(hours=9), every=timedelta(hours=1))
    assert planned(spine) == set()
    edit(spine, "C1", ends_lg=(spine.now + timedelta(days=30)).replace(minute=0, second=0, tzinfo=None))
    found = await sync(spine)
    assert any(each.ad_hoc for each in found)
    await spine.advance(timedelta(minutes=4), every=timedelta(minutes=1))
    assert planned(spine) == set()


@pytest.mark.long
async def test_a_block_goes_through_a_hold(spine: Spine) -> None:
    await policy(spine, "hold")
    edit(spine, "C1", "C2", "C3")
    (found,) = await sync(spine)
    assert found.key_id is not None
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, found.key_id)
        await spine.services.custody.block(tx, key.id, reason="lost", actor=ACTOR, at=spine.now)
    await spine.settle()
    await spine.advance(timedelta(minutes=2), every=timedelta(minutes=1))
    assert spine.world.iloq.state.blocks.is_blocked(K1)


@pytest.mark.long
async def test_report_leaves_it_as_long_as_the_same_is_wanted(spine: Spine) -> None:
    await policy(spine, "report")
    edit(spine, "C1", "C2", "C3")
    (found,) = await sync(spine)
    assert (found.policy, found.leaves, found.ad_hoc) == ("report", True, True)
    await spine.advance(timedelta(minutes=40), every=timedelta(minutes=20))
    assert planned(spine) == {"C1", "C2", "C3"}
    await spine.live_permit("C5", crew=["u1"], hours=8)
    await spine.advance(timedelta(minutes=4), every=timedelta(minutes=1))
    assert planned(spine) == {"C1", "C2", "C5"}
    assert await standing(spine) == {"rights": "reverted"}


@pytest.mark.long
async def test_a_zone_that_is_not_enforced_only_reports(spine: Spine) -> None:
    async with spine.services.database.transaction() as tx:
        zones = await list_zones(tx)
        for zone in zones:
            await set_zone_mode(
                tx, spine.services.ledger, zone.id, mode="observe", actor=ACTOR, at=spine.now, reason="test"
            )
        with pytest.raises(Conflict, match="nothing is written there"):
            await spine.services.drift_acts.set_policy(
                tx, zones[0].id, "revert", actor=ACTOR, reason="test", at=spine.now
            )
    await spine.settle()
    spine.world.out_of_band.change_rights(twin_id("key 3"), [twin_id("right C1")])
    found = [each for each in await sync(spine) if each.stamp == "K003"]
    assert [(each.kind, each.policy, each.leaves, each.ad_hoc) for each in found] == [
        ("rights", "report", False, False)
    ]
    with pytest.raises(Conflict, match="does not write this key"):
        await settle(spine, found[0], "revert")
    assert (await settle(spine, found[0], "accept")).state == "accepted"
