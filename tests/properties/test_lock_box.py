"""S3: the lock box stays open to whoever has a personal lock on, and to whoever makes an isolation safe."""

from datetime import timedelta

import pytest

from key2xs.incidents.key_ends import HeldBack
from key2xs_twin.clients.permits import Member
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage
from tests.support.tiny import AREA, UNIT, asset_of

from .bounds import Bounds, latest_opening, opens
from .safety_shift import BOX, STAMPS, WAIT, Shift, hand_out_of_another_maker

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    "act", ["suspend", "close", "area_stop", "sign_off", "scope", "kill_person", "kill_key", "disable"]
)
async def test_the_lock_box_stays_until_the_personal_lock_is_off(shift: Shift, act: str) -> None:
    spine = shift.spine
    assert opens(spine, STAMPS["u1"], "C6")
    await getattr(shift, f"act_{act}")(1 if act == "scope" else 0, 0)
    await shift.go_on(WAIT + 2 * MINUTE, MINUTE)
    assert opens(spine, STAMPS["u1"], "C6"), "held"
    assert opens(spine, STAMPS["u1"], "C1") is (act == "scope"), "only the lock box is held"
    why = await spine.fetch("SELECT held_rule, held_why FROM grant_lease WHERE state = 'held'")
    assert [row["held_rule"] for row in why] == ["S3"]
    assert "personal lock" in why[0]["held_why"]
    spine.ptw.lock_off(shift.permit, BOX, "u1", at=spine.now)
    await shift.go_on(2 * MINUTE, MINUTE)
    assert not opens(spine, STAMPS["u1"], "C6"), "it ends as soon as the lock is off"
    assert "held" not in await spine.states()


async def test_a_window_that_runs_out_under_a_lock_is_prolonged_until_the_lock_is_off(shift: Shift) -> None:
    spine = shift.spine
    await shift.go_on(timedelta(hours=5.5), timedelta(minutes=10))
    await shift.go_on(timedelta(hours=2.5), timedelta(minutes=2))
    assert opens(spine, STAMPS["u1"], "C6")
    assert not opens(spine, STAMPS["u1"], "C1")
    spine.ptw.lock_off(shift.permit, BOX, "u1", at=spine.now)
    await shift.go_on(2 * MINUTE, MINUTE)
    assert not opens(spine, STAMPS["u1"], "C6")


async def test_a_lockout_with_a_missing_lock_counts_as_locked(shift: Shift) -> None:
    """Bad input: u3 is signed on and no list of locks names them. Signing off is what ends the wait."""
    spine = shift.spine
    spine.ptw.lock_off(shift.permit, BOX, "u1", at=spine.now)
    spine.ptw.sign_on(shift.permit, "u3", at=spine.now, role="performing_authority", company="v017")
    await shift.go_on(MINUTE)
    assert opens(spine, STAMPS["u3"], "C6")
    await shift.act_suspend(0, 0)
    await shift.go_on(2 * MINUTE, MINUTE)
    assert opens(spine, STAMPS["u3"], "C6")
    rows = await spine.fetch("SELECT held_why FROM grant_lease WHERE state = 'held'")
    assert rows
    assert all("not known" in row["held_why"] for row in rows)
    spine.ptw.sign_off(shift.permit, "u3", at=spine.now)
    await shift.go_on(2 * MINUTE, MINUTE)
    assert not opens(spine, STAMPS["u3"], "C6")


async def test_a_key_for_lock_boxes_only_ends_with_the_allowance_and_its_bound_says_so(
    databases: DatabaseServer,
) -> None:
    """Out of reach when the window ends, it opens the box for the hold's hour more, and the bound covers that."""
    async with open_stage(databases, START) as stage:
        spine, bounds = stage.spine, Bounds()
        await spine.hand_out("K001", "u1")
        await spine.hand_out("K002", "u2")
        await spine.live_permit("C6", crew=("u1",), hours=1)
        await spine.live_permit("C6", "C1", crew=("u2",), hours=1)
        await spine.advance(MINUTE)
        ends = START + timedelta(hours=1)
        rows = await spine.fetch(
            "SELECT stamp, desired ->> 'ends_at' AS ends FROM key_target AS t JOIN key_key AS k ON k.id = t.key_id "
            "WHERE stamp IN ('K001', 'K002') ORDER BY stamp"
        )
        assert [row["ends"][11:16] for row in rows] == [
            f"{ends + timedelta(hours=1):%H:%M}", f"{ends:%H:%M}",
        ]  # fmt: skip
        said = (await spine.who_can_open("C6"))["K001"]
        assert said.exposed_until is not None
        assert said.exposed_until >= ends + timedelta(hours=1)
        assert await bounds.check(spine) == []
        truth = latest_opening(spine, "K001", "C6")
        assert truth is not None
        assert truth > ends


async def test_the_isolating_authority_keeps_its_keys_while_the_permit_is_suspended(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    permit = await spine.live_permit("C5", crew=("u1",), role="isolating_authority", hours=1)
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C5")
    spine.ptw.suspend(permit.id, code="shift_end", at=spine.now)
    await spine.send()
    await spine.advance(timedelta(hours=3), every=timedelta(minutes=5))
    assert opens(spine, "K001", "C5"), "somebody must be able to make the isolation safe"
    spine.ptw.cancel(permit.id, code="job_void", at=spine.now)
    await spine.send()
    await spine.advance(2 * MINUTE)
    assert not opens(spine, "K001", "C5")


async def test_a_key_is_not_taken_from_somebody_whose_lock_is_on(shift: Shift) -> None:
    with pytest.raises(HeldBack) as said:
        await shift.act_take_back(0, 0)
    assert said.value.rule == "S3"
    shift.spine.ptw.lock_off(shift.permit, BOX, "u1", at=shift.spine.now)
    await shift.go_on(MINUTE)
    await shift.act_take_back(0, 0)


async def test_two_people_release_a_hold(shift: Shift) -> None:
    await shift.act_suspend(0, 0)
    await shift.go_on(MINUTE)
    await shift.act_release(0, 0)
    await shift.go_on(2 * MINUTE)
    assert not opens(shift.spine, STAMPS["u1"], "C6")


async def test_a_key_is_blocked_under_a_lock_once_its_holder_has_another(shift: Shift) -> None:
    spine = shift.spine
    await shift.act_kill_key(0, 0)
    await shift.go_on(WAIT + MINUTE, MINUTE)
    rows = await spine.fetch("SELECT state FROM incident_kill")
    assert [row["state"] for row in rows] == ["holding"]
    await shift.act_take_back(2, 0)
    await spine.hand_out(STAMPS["u3"], "u1")
    await spine.advance(3 * MINUTE)
    rows = await spine.fetch("SELECT stamp FROM key_key WHERE blocked_at IS NOT NULL")
    assert [row["stamp"] for row in rows] == [STAMPS["u1"]]
    assert opens(spine, STAMPS["u3"], "C6"), "the lock box goes on with the other key"


async def test_nothing_new_goes_onto_a_stopped_key_whose_block_is_held(shift: Shift) -> None:
    spine, ptw = shift.spine, shift.spine.ptw
    await shift.act_kill_key(0, 0)
    await shift.go_on(WAIT + MINUTE, MINUTE)
    at = spine.now
    permit = ptw.create(
        type_="cold_work", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=at,
        valid_to=at + timedelta(hours=4), at=at, people=[Member(ref="u1", role="performing_authority", company="v017")],
    )  # fmt: skip
    ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
    ptw.go_live(permit.id, by="u00411", at=at)
    ptw.sign_on(permit.id, "u1", at=at)
    await shift.go_on(2 * MINUTE, MINUTE)
    assert not opens(spine, STAMPS["u1"], "C1")
    assert opens(spine, STAMPS["u1"], "C6")


async def test_a_key_of_another_maker_is_no_other_key_for_a_lock_box(shift: Shift) -> None:
    services, at = shift.spine.services, shift.spine.now
    await hand_out_of_another_maker(shift, "u1")
    async with services.database.transaction() as tx:
        ours = await services.registry.get_key(tx, STAMPS["u1"])
        with pytest.raises(HeldBack, match="S3"):
            await services.key_ends.require_free(tx, ours, at)
        # The other way round: the box does not hang on the other maker's key.
        await services.key_ends.require_free(tx, await services.registry.get_key(tx, "X1"), at)
