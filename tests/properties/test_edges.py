"""Single scenes that histories seldom reach: each is a way in which access could widen, stay or be refused wrongly."""

from datetime import timedelta
from typing import Any

from key2xs.core.crash import declared
from key2xs.core.ids import CylinderId
from key2xs.identity.duties import Duty
from key2xs.identity.qualifications import Qualification
from key2xs.identity.types import Act
from key2xs.plant.service import cylinder_facts, set_zone_mode
from key2xs_twin.clients.permits import Member
from key2xs_twin.faults import Fault
from tests.support.stage import Stage
from tests.support.tiny import AREA, UNIT, asset_of, twin_id

from .bounds import latest_opening
from .history import History

MINUTE = timedelta(minutes=1)


async def at_work(stage: Stage, *markings: str, type_: str = "cold_work", hours: float = 8) -> Any:
    """Put u1 at work with K001."""
    await stage.spine.hand_out("K001", "u1")
    permit = await stage.spine.live_permit(*(markings or ("C1",)), crew=("u1",), type_=type_, hours=hours)
    await stage.spine.advance(MINUTE)
    return permit


async def kill(stage: Stage, ref: str) -> None:
    """End everything somebody has, by a person's word."""
    services, person = stage.spine.services, stage.spine.persons[ref]
    async with services.database.transaction() as tx:
        affected = await services.mass.look(tx, [person])
        await services.mass.end_all(
            tx, affected, subject=f"person:{person}", reason="test", actor="user:soc", at=stage.spine.now
        )


async def test_a_duty_on_shift_opens_the_unit_and_ends_with_the_shift(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    unit = (await spine.fetch("SELECT id FROM plant_unit"))[0]["id"]
    duty = Duty("field_operator", unit, spine.now, spine.now + timedelta(hours=1))
    async with spine.services.database.transaction() as tx:
        await spine.services.identity.put_duty(tx, Act("user:rota", spine.now), spine.persons["u1"], duty)
    await spine.settle()
    await spine.advance(MINUTE)
    assert spine.try_open("K001", "C1")
    await spine.advance(timedelta(hours=1), every=timedelta(minutes=5))
    assert not spine.try_open("K001", "C1")
    assert await spine.states() == ["ended"]


async def test_a_qualification_that_begins_later_leaves_the_loops_quiet(stage: Stage) -> None:
    spine = stage.spine
    await at_work(stage)
    later = spine.now + timedelta(minutes=30)
    async with spine.services.database.transaction() as tx:
        await spine.services.identity.put_qualification(
            tx, Act("user:hse", spine.now), spine.persons["u1"], Qualification("HV_SWITCHING", later, None)
        )
    await spine.settle()
    await spine.advance(timedelta(hours=1), every=timedelta(minutes=5))
    assert await spine.states() == ["active"]
    assert spine.try_open("K001", "C1")


async def test_a_routine_gas_test_does_not_bring_back_what_a_person_ended(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    permit = spine.ptw.create(
        type_="hot_work", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=spine.now,
        valid_to=spine.now + timedelta(hours=8), at=spine.now,
        people=[Member(ref="u1", role="performing_authority", company="v017")],
    )  # fmt: skip
    spine.ptw.approve(permit.id, by="u00411", at=spine.now)
    spine.ptw.gas_test(permit.id, safe=True, by="u00412", at=spine.now)
    spine.ptw.go_live(permit.id, by="u00411", at=spine.now)
    spine.ptw.sign_on(permit.id, "u1", at=spine.now)
    await spine.send()
    await spine.settle()
    await spine.advance(MINUTE)
    assert await spine.states() == ["active"]
    await kill(stage, "u1")
    await spine.advance(MINUTE)
    spine.ptw.gas_test(permit.id, safe=True, by="u00412", at=spine.now)
    await spine.send()
    await spine.advance(MINUTE)
    assert await spine.states() == ["ended"]
    assert not spine.try_open("K001", "C1")


async def test_a_fresh_gas_test_renews_a_lease_that_ran_out(stage: Stage) -> None:
    """The twin of the scene above: high-risk leases last two hours, and a new safe test begins the next one."""
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    permit = spine.ptw.create(
        type_="hot_work", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=spine.now,
        valid_to=spine.now + timedelta(hours=8), at=spine.now,
        people=[Member(ref="u1", role="performing_authority", company="v017")],
    )  # fmt: skip
    spine.ptw.approve(permit.id, by="u00411", at=spine.now)
    spine.ptw.gas_test(permit.id, safe=True, by="u00412", at=spine.now)
    spine.ptw.go_live(permit.id, by="u00411", at=spine.now)
    spine.ptw.sign_on(permit.id, "u1", at=spine.now)
    await spine.send()
    await spine.settle()
    await spine.advance(timedelta(hours=2, minutes=5), every=timedelta(minutes=5))
    assert not spine.try_open("K001", "C1")
    spine.ptw.revalidate(permit.id, by="u00411", valid_to=spine.now + timedelta(hours=4), at=spine.now)
    spine.ptw.gas_test(permit.id, safe=True, by="u00412", at=spine.now)
    await spine.send()
    await spine.settle()
    await spine.advance(MINUTE)
    assert spine.try_open("K001", "C1")


async def test_an_asset_that_is_mapped_late_joins_the_grant(stage: Stage) -> None:
    """Every legal request is granted: a lock that was in no register when the permit went live comes in later."""
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await at_zone(stage, "C3", "observe")
    await spine.live_permit("C1", "C3", crew=("u1",))
    await spine.advance(MINUTE)
    assert spine.try_open("K001", "C1")
    assert not spine.try_open("K001", "C3")
    await at_zone(stage, "C3", "enforce")
    await spine.advance(MINUTE)
    assert spine.try_open("K001", "C3")


async def at_zone(stage: Stage, marking: str, mode: str) -> None:
    """Set the security zone of a cylinder."""
    services = stage.spine.services
    cylinder: CylinderId = await stage.spine.cylinder(marking)
    async with services.database.transaction() as tx:
        zone = (await cylinder_facts(tx, [cylinder]))[cylinder].zone_id
        await set_zone_mode(
            tx, services.ledger, zone, mode=mode, actor="user:admin", at=stage.spine.now, reason="test"  # type: ignore[arg-type]
        )  # fmt: skip
    await stage.spine.settle()


async def test_a_qualification_that_arrives_late_lets_the_rest_of_the_grant_in(stage: Stage) -> None:
    """Every legal request is granted: what policy refused at first joins the grant when the reason is gone."""
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.live_permit("C1", "C5", crew=("u1",))
    await spine.advance(MINUTE)
    assert spine.try_open("K001", "C1")
    assert spine.try_open("K001", "C5")


async def test_nothing_is_written_on_a_grant_whose_facts_changed_since_it_was_decided(stage: Stage) -> None:
    """P1 between two steps: the fact is recorded, nobody evaluated it yet, and a worker comes by the key."""
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.settle()
    permit = spine.ptw.create(
        type_="cold_work", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=spine.now,
        valid_to=spine.now + timedelta(hours=2), at=spine.now,
        people=[Member(ref="u1", role="performing_authority", company="v017")],
    )  # fmt: skip
    spine.ptw.approve(permit.id, by="u00411", at=spine.now)
    spine.ptw.go_live(permit.id, by="u00411", at=spine.now)
    spine.ptw.sign_on(permit.id, "u1", at=spine.now)
    await spine.send()
    worker = next(loop for loop in spine.installation.loops if loop.name.startswith("reconciler"))
    for _ in range(12):
        for loop in spine.installation.loops:
            if loop is not worker:
                await loop.step(spine.now)
    assert await spine.states() == ["active"]
    spine.ptw.suspend(permit.id, code="gas_alarm", at=spine.now)
    await spine.send()
    for _ in range(3):
        await worker.step(spine.now)
    assert not spine.world.iloq.state.keys[twin_id("key 1")].plan.right_ids
    assert await spine.fetch("SELECT 1 FROM key_program WHERE cardinality(grants) > 0") == []


async def test_an_opening_after_the_window_is_after_end_however_late_the_evaluator_was(stage: Stage) -> None:
    spine = stage.spine
    permit = await at_work(stage, "C4", hours=1)
    spine.world.cut_network(twin_id("key 1"))
    # The window runs out while nobody evaluates anything.
    spine.world.advance_to(permit.valid_to + timedelta(minutes=2))
    opened = spine.try_open("K001", "C4")
    spine.clock.advance_to(permit.valid_to + timedelta(minutes=3))
    spine.world.advance_to(spine.now)
    await spine.settle()
    spine.world.restore_network(twin_id("key 1"))
    await spine.advance(timedelta(minutes=2))
    classes = await spine.classes()
    assert opened
    assert classes in ({"after_end": 1}, {"undated": 1}), classes


async def test_a_cylinder_taken_out_of_a_grant_is_after_end_and_not_unexplained(stage: Stage) -> None:
    spine = stage.spine
    permit = await at_work(stage, "C1", "C2")
    spine.world.cut_network(twin_id("key 1"))
    spine.ptw.change_scope(permit.id, assets=[asset_of("C2")], at=spine.now)
    await spine.send()
    await spine.advance(timedelta(minutes=2))
    assert spine.try_open("K001", "C1")
    spine.world.restore_network(twin_id("key 1"))
    await spine.advance(timedelta(minutes=2))
    assert await spine.classes() == {"after_end": 1}


async def test_a_lost_wake_up_of_an_approved_request_is_found_by_the_sweep(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.settle()
    services, at = spine.services, spine.now
    async with services.database.transaction() as tx:
        request = await services.requests.ask(
            tx, kind="approved_request", person_id=spine.persons["u1"], requester_id=spine.persons["u2"],
            cylinders=[await spine.cylinder("C3")], access_points=1, starts_at=at,
            ends_at=at + timedelta(hours=2), reason="test", actor="user:desk", at=at,
        )  # fmt: skip
        await services.requests.decide(
            tx, request, approver_id=spine.persons["u3"], approve=True, reason="", actor="user:desk", at=at
        )
    for loop in spine.installation.loops:
        if loop.name in {"sequencer", "reader:grants"}:
            await loop.step(spine.now)
    async with services.database.transaction() as tx:
        assert await tx.execute("DELETE FROM grant_mark") != "DELETE 0"
    await spine.settle()
    assert await spine.states() == []
    await spine.advance(timedelta(minutes=6))
    assert await spine.states() == ["active"]
    assert spine.try_open("K001", "C3")


async def test_blocking_a_key_claims_no_bound_for_a_program_that_was_never_ordered(stage: Stage) -> None:
    """P2: an accepted order of the block list says nothing about the program that waits in the vendor's plan."""
    spine = stage.spine
    permit = await at_work(stage)
    key = twin_id("key 1")
    spine.world.faults.add(Fault(operation="PUT Keys/*/SecurityAccesses", effect="status:500"))
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await spine.send()
    await spine.advance(MINUTE)
    async with spine.services.database.transaction() as tx:
        stored = await spine.services.registry.get_key(tx, "K001")
        await spine.services.custody.block(tx, stored.id, reason="lost", actor="user:soc", at=spine.now)
    spine.world.cut_network(key)
    await spine.advance(timedelta(minutes=2))
    spine.world.restore_network(key)
    said = (await spine.who_can_open("C1"))["K001"]
    # Every contact starts the countdown of the old program again; only its end date is left.
    assert said.exposed_until is None or said.exposed_until >= permit.valid_to
    history = History(stage)
    await history.bounds.check(spine)
    await spine.advance(timedelta(minutes=30), every=timedelta(minutes=5))
    assert await history.bounds.check(spine) == []
    spine.world.faults.assert_all_fired()


async def test_a_blocked_key_whose_plan_is_empty_is_still_emptied(stage: Stage) -> None:
    """The vendor takes no key without rights on the block list; then the empty plan has to reach the key."""
    spine = stage.spine
    permit = await at_work(stage)
    spine.world.faults.add(
        Fault(operation="POST Keys/*/Order", effect="status:500", until_at=spine.now + timedelta(minutes=3))
    )
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await spine.send()
    await spine.advance(MINUTE)
    async with spine.services.database.transaction() as tx:
        stored = await spine.services.registry.get_key(tx, "K001")
        await spine.services.custody.block(tx, stored.id, reason="lost", actor="user:soc", at=spine.now)
    await spine.advance(timedelta(minutes=10), every=timedelta(minutes=1))
    assert not spine.try_open("K001", "C1")
    spine.world.faults.assert_all_fired()


async def test_a_failed_programming_is_shown_and_tried_again(stage: Stage) -> None:
    spine = stage.spine
    permit = await at_work(stage)
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    spine.world.cut_network(twin_id("key 1"))
    await spine.send()
    await spine.settle()
    spine.world.out_of_band.fail_programming(twin_id("key 1"))
    await spine.advance(timedelta(minutes=3))
    rows = await spine.fetch("SELECT problem FROM key_target WHERE problem IS NOT NULL")
    assert rows, "a programming error at the vendor has to be seen by a person"


async def test_a_blocked_key_that_was_never_handed_out_says_who_has_to_act(stage: Stage) -> None:
    spine = stage.spine
    async with spine.services.database.transaction() as tx:
        stored = await spine.services.registry.get_key(tx, "K003")
        await spine.services.custody.block(tx, stored.id, reason="found", actor="user:soc", at=spine.now)
    await spine.advance(MINUTE)
    rows = await spine.fetch("SELECT problem FROM key_target WHERE key_id = $1", stored.id)
    assert rows
    assert rows[0]["problem"]
    assert not spine.world.iloq.state.blocks.is_blocked(twin_id("key 3"))


async def test_a_kill_is_on_record_though_a_stalled_worker_holds_the_key_and_the_vendor_is_down(
    stage: Stage,
) -> None:
    spine = stage.spine
    await at_work(stage)
    await kill(stage, "u1")
    with declared()["keys.reconcile.after_claim"].armed():
        await stage.settle()
    assert stage.crashes == ["keys.reconcile.after_claim"]
    spine = stage.spine
    spine.world.faults.add(Fault(operation="* **", effect="down"))
    await spine.advance(timedelta(minutes=3))
    target = await spine.fetch(
        "SELECT desired, grants FROM key_target WHERE grants = '{}' AND generation > 0"
    )
    assert target, "the wish is stored before the vendor is asked"
    spine.world.faults.clear()
    await spine.advance(timedelta(minutes=6))
    assert not spine.try_open("K001", "C1")
    assert latest_opening(spine, "K001", "C1") is not None


async def test_a_quiet_hour_says_nothing_new(stage: Stage) -> None:
    """Looking again and again changes nothing, and what changes nothing is not told."""
    spine = stage.spine
    await at_work(stage)
    await spine.advance(timedelta(minutes=20), every=timedelta(minutes=1))
    before = (await spine.fetch("SELECT count(*) AS n FROM log_body WHERE kind NOT LIKE 'work:%'"))[0]["n"]
    await spine.advance(timedelta(hours=1), every=timedelta(minutes=1))
    told = await spine.fetch(
        "SELECT kind FROM log_body WHERE kind NOT LIKE 'work:%' ORDER BY seq DESC LIMIT 20"
    )
    after = (await spine.fetch("SELECT count(*) AS n FROM log_body WHERE kind NOT LIKE 'work:%'"))[0]["n"]
    # One whole listing an hour is told with its figures; nothing else is.
    assert after - before <= 1, [row["kind"] for row in told]
