"""P8: the safety rules S1 to S6 over histories that try to break them, and their twins: nothing is held for no reason."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings, strategies as st

from key2xs.core.crash import declared
from key2xs.core.errors import Conflict, NotAllowed
from key2xs.core.ids import AccessPointId
from key2xs.incidents.inside import everybody_inside
from key2xs.incidents.key_ends import HeldBack
from key2xs.incidents.kill_types import By
from key2xs.incidents.notices import notices
from key2xs.keys.port import Inventory, KeyKind as VendorKind, ProgrammingState, VendorKey
from key2xs_twin.clients.permits import Member
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage, run
from tests.support.tiny import AREA, UNIT, asset_of

from .bounds import Bounds, latest_opening, opens
from .safety_shift import BOX, SOC, STAMPS, WAIT, Act, Shift

MINUTE = timedelta(minutes=1)
NAMES = (
    "kill_person", "kill_person", "kill_key", "kill_grant", "take_back", "hand_out", "disable", "enable", "duty",
    "off_duty", "lock", "suspend", "close", "area_stop", "sign_off", "scope", "revalidate", "release", "wait", "wait",
)  # fmt: skip
numbers = st.integers(0, 7)


@pytest.fixture
async def shift(databases: DatabaseServer) -> AsyncIterator[Shift]:
    """The scene: u1 behind the lock box with a personal lock on, u2 on duty, u4 with the emergency key."""
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin()
        yield shift


async def _play(databases: DatabaseServer, acts: list[Act]) -> None:
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin()
        await shift.play(acts)
        # Whatever was asked for is done in the end.
        await shift.go_on(WAIT + MINUTE, timedelta(seconds=60))


@settings(max_examples=3 * settings().max_examples // 25, phases=(Phase.explicit, Phase.generate))
@given(acts=st.lists(st.tuples(st.sampled_from(NAMES), numbers, numbers), min_size=6, max_size=14))
def test_no_history_breaks_a_safety_rule(databases: DatabaseServer, acts: list[Act]) -> None:
    run(_play(databases, acts))


# --- S1


async def test_the_emergency_key_is_in_no_mass_action_and_on_no_block_list(shift: Shift) -> None:
    assert opens(shift.spine, STAMPS["u4"], "C5")
    with pytest.raises(Conflict, match="S1"):
        await shift.act_kill_key(3, 0)
    people = list(shift.spine.persons.values())
    async with shift.spine.services.database.transaction() as tx:
        await shift.spine.services.kills.ask(
            tx,
            f"company:{people[0]}",
            reason="breach",
            by=SOC,
            at=shift.spine.now,
            people=people,
            two_people=True,
        )
    await shift.go_on(WAIT + 2 * MINUTE)
    assert opens(shift.spine, STAMPS["u4"], "C5")
    assert not opens(shift.spine, STAMPS["u2"], "C1"), "everybody else's access ended"


# --- S2


async def test_whoever_may_be_inside_is_asked_after_before_the_end_and_nothing_is_prolonged(
    databases: DatabaseServer,
) -> None:
    """Bad input: the plant's list says nothing about the way out of C3, which counts as not free."""
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin(egress="")
        spine = shift.spine
        await spine.live_permit("C3", crew=("u3",), hours=1)
        assert await _questions(shift) == []
        await spine.advance(timedelta(minutes=46), every=timedelta(minutes=2))
        asked = await _questions(shift)
        assert [(q.because, q.egress_free, q.cause) for q in asked] == [("signed_on", "unknown", "expiry")]
        async with spine.services.database.transaction() as tx:
            await spine.services.ways_out.answer(tx, asked[0].id, "inside", actor="user:leader", at=spine.now)
        assert len(await _questions(shift)) == 1, "somebody is still inside: it stays until they are out"
        await spine.advance(timedelta(minutes=20), every=timedelta(minutes=2))
        rows = await spine.fetch(
            "SELECT state FROM grant_lease WHERE basis_ref LIKE 'permit:%' AND person_id = $1",
            spine.persons["u3"],
        )
        assert [row["state"] for row in rows] == ["ended"], "a question prolongs nothing"
        async with spine.services.database.transaction() as tx:
            await spine.services.ways_out.answer(tx, asked[0].id, "out", actor="user:leader", at=spine.now)
        assert await _questions(shift) == []


async def test_an_area_stop_asks_after_everybody_behind_a_lock_that_may_bar_the_way(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin(egress="n")
        spine = shift.spine
        await spine.live_permit("C3", crew=("u3",))
        await spine.advance(MINUTE)
        assert spine.try_open("K003", "C3")
        await spine.advance(MINUTE)
        spine.ptw.area_stop(AREA, code="gas_alarm", at=spine.now)
        await spine.send()
        await spine.advance(MINUTE)
        asked = [q for q in await _questions(shift) if q.person_id == spine.persons["u3"]]
        assert [q.cause for q in asked] == ["ended"]
        async with spine.services.database.read() as tx:
            point = AccessPointId(asked[0].access_point_id)
            assert set(await everybody_inside(tx, point, spine.now)) == {spine.persons["u3"]}


async def test_nobody_is_asked_after_where_the_way_out_is_free(shift: Shift) -> None:
    await shift.spine.live_permit("C3", crew=("u3",), hours=0.5)
    await shift.spine.advance(timedelta(minutes=40), every=timedelta(minutes=2))
    assert await _questions(shift) == []


async def _questions(shift: Shift) -> list[Any]:
    async with shift.spine.services.database.read() as tx:
        return await shift.spine.services.ways_out.open(tx, shift.spine.now)


# --- S3


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


# --- S4


@pytest.mark.parametrize("act", ["disable", "off_duty", "kill_person", "kill_key"])
async def test_the_last_holder_on_shift_stays_until_somebody_else_is_there(shift: Shift, act: str) -> None:
    spine = shift.spine
    # The fire brigade's key would be another holder.
    await spine.scim.disable(spine.scim_ids["u4"])
    await shift.go_on(MINUTE)
    await getattr(shift, f"act_{act}")(0 if act == "off_duty" else 1, 0)
    await shift.go_on(WAIT + MINUTE, MINUTE)
    assert opens(spine, STAMPS["u2"], "C5")
    assert not opens(spine, STAMPS["u2"], "C1"), "only isolation and emergency cylinders are held"
    await shift.act_duty(1, 3)  # u3 comes on duty
    await shift.go_on(7 * MINUTE, MINUTE)
    assert opens(spine, STAMPS["u3"], "C5")
    assert not opens(spine, STAMPS["u2"], "C5")


async def test_with_another_holder_on_shift_nobody_is_held(shift: Shift) -> None:
    await shift.act_duty(1, 3)
    await shift.go_on(MINUTE)
    await shift.act_disable(1, 0)
    await shift.go_on(MINUTE)
    assert not opens(shift.spine, STAMPS["u2"], "C5")
    assert "held" not in await shift.spine.states()


async def test_somebody_with_another_makers_key_only_is_no_other_holder(shift: Shift) -> None:
    spine = shift.spine
    await spine.scim.disable(spine.scim_ids["u4"])
    await shift.act_take_back(2, 0)
    await _hand_out_of_another_maker(shift, "u3")
    await shift.act_duty(1, 3)
    await shift.go_on(MINUTE)
    await shift.act_disable(1, 0)
    await shift.go_on(MINUTE)
    assert opens(spine, STAMPS["u2"], "C5")


async def test_the_planned_end_of_the_last_shift_is_never_held(stage: Stage) -> None:
    shift = Shift(stage)
    await stage.spine.hand_out("K002", "u2")
    await shift.duty("u2", "field_operator", 1)
    await stage.spine.settle()
    await stage.spine.advance(timedelta(minutes=62), every=timedelta(minutes=5))
    assert await stage.spine.states() == ["ended"]


async def test_two_last_holders_disabled_at_once_leave_one_of_them(shift: Shift) -> None:
    spine = shift.spine
    await spine.scim.disable(spine.scim_ids["u4"])
    await shift.act_duty(1, 3)
    await shift.go_on(MINUTE)
    await spine.scim.disable(spine.scim_ids["u2"])
    await spine.scim.disable(spine.scim_ids["u3"])
    await shift.go_on(MINUTE)
    assert [opens(spine, STAMPS[ref], "C5") for ref in ("u2", "u3")].count(True) == 1


# --- S5


async def test_a_kill_on_somebody_at_work_waits_two_minutes_and_not_a_second_longer(shift: Shift) -> None:
    spine = shift.spine
    await shift.act_kill_person(1, 0)
    await shift.go_on(WAIT - timedelta(seconds=1), timedelta(seconds=119))
    assert opens(spine, STAMPS["u2"], "C1")
    await shift.go_on(timedelta(seconds=1))
    rows = await spine.fetch("SELECT state, ended_at - asked_at AS took FROM incident_kill")
    assert [(row["state"], row["took"]) for row in rows] == [("done", WAIT)]
    await shift.go_on(MINUTE)
    assert not opens(spine, STAMPS["u2"], "C1")


async def test_a_kill_on_somebody_who_is_not_at_work_goes_at_once(shift: Shift) -> None:
    await shift.act_kill_person(2, 0)
    assert await shift.spine.fetch("SELECT id FROM incident_kill") == []


async def test_the_shift_leader_says_go_and_whoever_asked_does_not(shift: Shift) -> None:
    services, asker = shift.spine.services, By("user:x", shift.spine.persons["u3"])
    async with services.database.transaction() as tx:
        asked = await services.kills.ask(
            tx, f"person:{shift.spine.persons['u2']}", reason="test", by=asker, at=shift.spine.now
        )
    assert asked.waiting is not None
    kill = asked.waiting.id
    with pytest.raises(NotAllowed):
        async with services.database.transaction() as tx:
            await services.kills.proceed_now(tx, kill, by=asker, at=shift.spine.now, is_shift_leader=False)
    leader = By("user:leader", shift.spine.persons["u4"])
    async with services.database.transaction() as tx:
        await services.kills.proceed_now(tx, kill, by=leader, at=shift.spine.now, is_shift_leader=True)
    await shift.go_on(MINUTE)
    assert not opens(shift.spine, STAMPS["u2"], "C1")


async def test_only_whoever_asked_takes_a_kill_back_and_then_nothing_ends(shift: Shift) -> None:
    services, asker = shift.spine.services, By("user:x", shift.spine.persons["u3"])
    async with services.database.transaction() as tx:
        asked = await services.kills.ask(
            tx, f"person:{shift.spine.persons['u2']}", reason="test", by=asker, at=shift.spine.now
        )
    assert asked.waiting is not None
    with pytest.raises(NotAllowed):
        async with services.database.transaction() as tx:
            await services.kills.withdraw(tx, asked.waiting.id, by=SOC, at=shift.spine.now)
    async with services.database.transaction() as tx:
        await services.kills.withdraw(tx, asked.waiting.id, by=asker, at=shift.spine.now)
    await shift.go_on(WAIT + MINUTE, MINUTE)
    assert opens(shift.spine, STAMPS["u2"], "C1")


async def test_a_kill_proceeds_though_the_product_died_over_it(shift: Shift) -> None:
    await shift.act_kill_person(1, 0)
    with declared()["incidents.kill.after_carry_out"].armed():
        await shift.go_on(WAIT + MINUTE, MINUTE)
    assert shift.stage.crashes == ["incidents.kill.after_carry_out"]
    await shift.go_on(MINUTE)
    assert not opens(shift.spine, STAMPS["u2"], "C1")


async def test_the_shift_leader_is_told_at_once_that_somebody_at_work_lost_their_identity(
    shift: Shift,
) -> None:
    spine = shift.spine

    async def told() -> list[str]:
        async with spine.services.database.read() as tx:
            return [each.subject for each in await notices(tx, spine.now)]

    await shift.act_disable(2, 0)  # u3 is not at work
    await shift.go_on(MINUTE)
    assert await told() == []
    await shift.act_disable(0, 0)
    await shift.go_on(timedelta(seconds=1))
    assert await told() == [f"person:{spine.persons['u1']}"]
    entries = await spine.fetch("SELECT subjects FROM log_body WHERE kind = 'incidents:kill:notice'")
    assert [row["subjects"] for row in entries] == [[f"person:{spine.persons['u1']}"]]
    await shift.go_on(MINUTE)
    assert not opens(spine, STAMPS["u1"], "C1"), "told, not held"
    await shift.act_sign_off(0, 0)
    await shift.go_on(MINUTE)
    assert await told() == []


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


async def _hand_out_of_another_maker(shift: Shift, ref: str) -> None:
    services, at = shift.spine.services, shift.spine.now
    found = VendorKey("x1", "X1", VendorKind.DYNAMIC, ProgrammingState.PROGRAMMED)
    async with services.database.transaction() as tx:
        other = await services.registry.ensure_system(tx, "other", "cliq", at)
        await services.registry.take_inventory(
            tx, other.id, Inventory((found,), (), (), as_of=at, visibility_complete=True), at
        )
        await services.custody.hand_out(
            tx,
            (await services.registry.get_key(tx, "X1")).id,
            shift.spine.persons[ref],
            actor="user:desk",
            at=at,
        )
        key = await services.registry.get_key(tx, "X1")
        entry = await services.custody.tell(tx, "keys:adoption:take", key, actor="user:desk", at=at)
        await tx.execute("UPDATE key_key SET adopted_at = $2, entry = $3 WHERE id = $1", key.id, at, entry)


async def test_a_key_of_another_maker_is_no_other_key_for_a_lock_box(shift: Shift) -> None:
    services, at = shift.spine.services, shift.spine.now
    await _hand_out_of_another_maker(shift, "u1")
    async with services.database.transaction() as tx:
        ours = await services.registry.get_key(tx, STAMPS["u1"])
        with pytest.raises(HeldBack, match="S3"):
            await services.key_ends.require_free(tx, ours, at)
        # The other way round: the box does not hang on the other maker's key.
        await services.key_ends.require_free(tx, await services.registry.get_key(tx, "X1"), at)


# --- S6


async def test_a_missed_check_in_alarms_once_and_takes_nothing_away(shift: Shift) -> None:
    spine = shift.spine
    services = spine.services
    async with services.database.transaction() as tx:
        watch = await services.watches.start(
            tx, spine.persons["u1"], every_minutes=15, place="AP-C1", actor="user:leader", at=spine.now
        )
    before = await spine.states()
    await shift.go_on(timedelta(minutes=20), timedelta(minutes=4))
    told = await spine.fetch("SELECT actor FROM log_body WHERE kind = 'incidents:checkin:miss'")
    assert len(told) == 1
    assert await spine.states() == before
    assert opens(spine, STAMPS["u1"], "C1")
    async with services.database.transaction() as tx:
        seen = await services.watches.seen(tx, watch.id, actor="user:leader", at=spine.now)
    assert seen.missed_at is None
    assert seen.due_at == spine.now + timedelta(minutes=15)


@pytest.mark.parametrize("how", ["signs off", "is disabled", "was never there"])
async def test_losing_the_attendant_suspends_the_confined_space(stage: Stage, how: str) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    permit = await _confined(spine, attended=how != "was never there")
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C1") is (how != "was never there")
    if how == "signs off":
        spine.ptw.sign_off(permit, "u2", at=spine.now)
    elif how == "is disabled":
        await spine.scim.disable(spine.scim_ids["u2"])
    await spine.send()
    await spine.advance(2 * MINUTE)
    assert not opens(spine, "K001", "C1")
    if how != "signs off":  # the permit system says that one itself
        rows = await spine.fetch("SELECT reasons FROM grant_refusal")
        told = [*(row["reasons"][0]["text"] for row in rows), *await _ends(spine)]
        assert any("nobody attends" in text for text in told), told


async def test_an_attended_confined_space_opens_and_an_attendant_who_returns_gives_nothing_back(
    stage: Stage,
) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await _confined(spine, attended=True)
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C1")
    await spine.scim.disable(spine.scim_ids["u2"])
    await spine.advance(2 * MINUTE)
    await spine.scim.enable(spine.scim_ids["u2"])
    await spine.advance(2 * MINUTE)
    assert not opens(spine, "K001", "C1"), "P7: somebody has to sign again"


async def _confined(spine: Any, *, attended: bool) -> str:
    at, ptw = spine.now, spine.ptw
    crew = [Member(ref="u1", role="performing_authority", company="v017")]
    crew += [Member(ref="u2", role="confined_space_attendant", company="v017")] if attended else []
    permit = ptw.create(
        type_="confined_space", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=at,
        valid_to=at + timedelta(hours=2), at=at, people=crew,
    )  # fmt: skip
    ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
    ptw.isolate(permit.id, certificate="IC-1", points=["V-1"], at=at)
    ptw.prove_isolation(permit.id, by="u00413", at=at)
    ptw.gas_test(permit.id, safe=True, by="u00412", at=at)
    ptw.go_live(permit.id, by="u00411", at=at)
    for member in crew:
        ptw.sign_on(permit.id, member.ref, at=at)
    await spine.send()
    await spine.settle()
    return str(permit.id)


async def _ends(spine: Any) -> list[str]:
    rows = await spine.fetch("SELECT body FROM log_body WHERE kind = 'grants:lease:end'")
    return [str(row["body"]["text"]) for row in rows]


@pytest.fixture
async def stage(databases: DatabaseServer) -> AsyncIterator[Stage]:
    """The prepared stage; nobody holds a key and no permit is live."""
    async with open_stage(databases, START) as opened:
        yield opened


# --- the twin of all of them


async def test_where_no_rule_asks_for_it_nothing_is_held_and_nothing_is_asked(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    permit = await spine.live_permit("C1", "C6", crew=("u1",), hours=2)
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C6")
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await spine.send()
    await spine.advance(2 * MINUTE)
    assert not opens(spine, "K001", "C6")
    assert await spine.states() == ["ended"]
    assert await spine.fetch("SELECT id FROM incident_inside") == []
