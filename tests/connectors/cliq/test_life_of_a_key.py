"""A CLIQ key through the whole product: granted, revoked, lost, blocked by visits, and nothing claimed too early."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from key2xs.core.crash import declared
from key2xs.core.errors import Conflict, NotFound
from key2xs.keys.port import KeyKind
from key2xs.keys.types import Target
from key2xs_twin.faults import Fault
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import Stage, open_stage
from tests.support.tiny import twin_id
from tests.support.tiny_cliq import CARRIERS, GATEHOUSE, WORKSHOP, tiny_cliq_site

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
KEY = twin_id("key 1")


@pytest.fixture
async def stage(databases: DatabaseServer) -> AsyncIterator[Stage]:
    async with open_stage(databases, START, site=tiny_cliq_site) as opened:
        yield opened


async def at_work(spine: Spine, *markings: str) -> Any:
    """A permit is live and the key was held to an updater: it opens."""
    await spine.hand_out("K001", "u1")
    await spine.settle()
    permit = await spine.live_permit(*(markings or ("C1",)), crew=["u1"])
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(MINUTE)
    assert spine.try_open("K001", "C1")
    return permit


async def target(spine: Spine) -> Target:
    async with spine.services.database.read() as tx:
        key = await spine.services.registry.get_key(tx, "K001")
        found = await spine.services.targets.find(tx, key.id)
    assert found is not None
    return found


async def lose(spine: Spine) -> None:
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, "K001")
        await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
    await spine.settle()


def go_round(spine: Spine, carrier: int, *markings: str) -> None:
    """Somebody fetches a programming key's tasks, visits cylinders and brings it back."""
    world = spine.world
    world.load_programming_key(CARRIERS[carrier], WORKSHOP)
    for marking in markings:
        world.insert_programming_key(CARRIERS[carrier], twin_id(marking))
    world.return_programming_key(CARRIERS[carrier], WORKSHOP)


async def visits(spine: Spine) -> dict[str, str]:
    return {
        row["marking"]: row["state"]
        for row in await spine.fetch(
            "SELECT lock.marking, visit.state FROM key_block_visit AS visit JOIN key_lock AS lock "
            "ON lock.external_id = visit.lock_external_id"
        )
    }


async def test_a_grant_waits_at_the_updaters_and_opens_once_the_key_was_there(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.settle()
    await spine.live_permit("C1", "C2", crew=["u1"])
    assert not spine.try_open("K001", "C1")
    assert (await target(spine)).progress == "accepted"
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(MINUTE)
    assert (await target(spine)).progress == "delivered"
    assert spine.try_open("K001", "C1")
    assert spine.try_open("K001", "C2")
    assert not spine.try_open("K001", "C3")
    program = spine.world.cliq_field.keys[KEY].program
    assert program is not None
    assert program.group_ids == {twin_id("group")}, "one entry covers both cylinders"
    assert program.revalidation_minutes == 480
    assert (await spine.who_can_open("C1"))["K001"].kind == "still_allowed"


async def test_a_revoked_key_that_nobody_presents_is_bounded_by_revalidation(stage: Stage) -> None:
    spine = stage.spine
    permit = await at_work(spine)
    updated_at = spine.now - MINUTE
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await spine.send()
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    said = (await spine.who_can_open("C1"))["K001"]
    assert said.kind == "bound"
    assert said.exposed_until is not None
    assert said.exposed_until <= updated_at + 8 * HOUR + timedelta(minutes=4)
    truth = spine.world.oracle.latest_opening(KEY, twin_id("C1"), spine.now)
    assert truth is not None
    assert truth <= said.exposed_until
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert "K001" not in await spine.who_can_open("C1")
    assert not spine.try_open("K001", "C1")


async def test_a_lost_key_is_narrowed_then_reported_then_blocked_cylinder_by_cylinder(stage: Stage) -> None:
    spine = stage.spine
    await at_work(spine, "C1", "C3")
    await lose(spine)
    record = spine.world.cliq.state.keys[KEY]
    assert record.reported == "lost"
    assert record.sent is not None
    assert not record.sent.plan.cylinder_ids, "emptied before it was reported"
    calls = [
        row["operation"]
        for row in await spine.fetch("SELECT operation FROM key_call ORDER BY started_at, id")
    ]
    assert calls[-4:] == ["write_program", "order", "block", "order_block_list"]
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert (await target(spine)).progress == "blocked_with_access"
    assert await visits(spine) == {"C1": "waiting", "C3": "waiting"}
    said = (await spine.who_can_open("C1"))["K001"]
    assert said.kind == "bound", "narrowed first, so its own limits run out"
    assert spine.try_open("K001", "C1")

    go_round(spine, 0, "C1")
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert await visits(spine) == {"C1": "done", "C3": "loaded"}
    assert (await target(spine)).progress == "blocked_with_access"
    assert "K001" not in await spine.who_can_open("C1")
    assert not spine.try_open("K001", "C1")
    assert (await spine.who_can_open("C3"))["K001"].kind == "bound"
    assert spine.try_open("K001", "C3")

    go_round(spine, 0, "C3")
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert (await target(spine)).progress == "delivered"
    assert "K001" not in await spine.who_can_open("C3")
    assert not spine.try_open("K001", "C3")


async def test_a_lost_key_that_turns_up_at_an_updater_is_over_at_once(stage: Stage) -> None:
    spine = stage.spine
    await at_work(spine)
    await lose(spine)
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert (await target(spine)).progress == "delivered"
    assert "K001" not in await spine.who_can_open("C1")
    assert not spine.try_open("K001", "C1")


async def test_visits_are_split_by_what_programming_keys_can_hold(stage: Stage) -> None:
    spine = stage.spine
    spine.world.cliq.settings.job_capacity = 2
    await at_work(spine, "C1", "C2", "C3", "C4", "C5")
    await lose(spine)
    counts = sorted(len(job.tasks) for job in spine.world.cliq.state.jobs.values())
    assert counts == [2, 2]
    assert sorted((await visits(spine)).values()) == ["unplaced", *["waiting"] * 4]
    problem = (await target(spine)).problem
    assert problem is not None
    assert "no programming key has room for 1 cylinder" in problem
    go_round(spine, 0, "C1", "C2", "C3", "C4", "C5")
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert "unplaced" not in (await visits(spine)).values(), "there is room again"
    for carrier in (0, 1, 0, 1):
        go_round(spine, carrier, "C1", "C2", "C3", "C4", "C5")
        await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert set((await visits(spine)).values()) == {"done"}
    assert (await target(spine)).problem is None


async def test_a_programming_key_that_never_comes_back_is_shown_and_its_visits_go_to_another(
    stage: Stage,
) -> None:
    spine = stage.spine
    await at_work(spine, "C1", "C3")
    await lose(spine)
    jobs = spine.world.cliq.state.jobs.values()
    first = next(iter(jobs)).programming_key_id
    spine.world.load_programming_key(first, WORKSHOP)
    since = spine.now
    await spine.advance(13 * HOUR, every=timedelta(minutes=30))
    problem = (await target(spine)).problem
    assert problem is not None
    assert problem.startswith("programming key C-1 has been out since")
    assert "2 cylinders still open to this key" in problem
    assert since < spine.now - timedelta(hours=12)

    services = spine.services
    async with services.database.transaction() as tx:
        system = next(s for s in await services.registry.systems(tx) if s.vendor == "cliq")
        moved = await services.visits.give_up(
            tx, system.id, str(first), reason="lost in the sea", actor="user:shift", at=spine.now
        )
        assert moved == 2
    with pytest.raises(Conflict):
        async with services.database.transaction() as tx:
            await services.visits.give_up(
                tx, system.id, str(first), reason="again", actor="user:shift", at=spine.now
            )
    with pytest.raises(NotFound):
        async with services.database.transaction() as tx:
            await services.visits.give_up(tx, system.id, "C-99", reason="-", actor="user:shift", at=spine.now)
    await spine.settle()
    other = CARRIERS.index(next(each for each in CARRIERS if each != first))
    go_round(spine, other, "C1", "C3")
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert set((await visits(spine)).values()) == {"done"}
    assert (await target(spine)).problem is None
    assert not spine.try_open("K001", "C1")


async def test_a_failed_visit_is_made_again(stage: Stage) -> None:
    spine = stage.spine
    await at_work(spine)
    await lose(spine)
    carrier = next(iter(spine.world.cliq.state.jobs.values())).programming_key_id
    spine.world.load_programming_key(carrier, WORKSHOP)
    spine.world.insert_programming_key(carrier, twin_id("C1"), pulled_early=True)
    spine.world.return_programming_key(carrier, WORKSHOP)
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert await visits(spine) == {"C1": "waiting"}
    assert spine.try_open("K001", "C1")
    go_round(spine, CARRIERS.index(carrier), "C1")
    await spine.advance(timedelta(minutes=5), every=MINUTE)
    assert await visits(spine) == {"C1": "done"}


@pytest.mark.parametrize(
    ("call", "effect"),
    [
        # never an answer to the write
        ("PUT cliq/keys/*/plan", "status:500"),
        # the vendor says no to sending
        ("POST cliq/keys/*/send", "status:409"),
    ],
)
async def test_a_lost_key_that_cannot_be_narrowed_is_blocked_all_the_same(
    stage: Stage, call: str, effect: str
) -> None:
    spine = stage.spine
    await at_work(spine)
    spine.world.faults.add(Fault(operation=call, effect=effect))
    await lose(spine)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert spine.world.cliq.state.keys[KEY].reported == "lost"
    assert await visits(spine) == {"C1": "waiting"}


@pytest.mark.parametrize(
    ("call", "effect"),
    [
        ("PUT cliq/keys/*/plan", "status:429"),
        ("POST cliq/keys/*/send", "lose_request"),
        ("POST cliq/keys/*/report", "lose_response_after_commit"),
        # the job was made and nobody heard of it: it must not be made again
        ("POST cliq/jobs", "lose_response_after_commit"),
        ("GET cliq/jobs", "garbage"),
    ],
)
async def test_a_block_gets_through_whatever_call_goes_wrong_once(
    stage: Stage, call: str, effect: str
) -> None:
    spine = stage.spine
    await at_work(spine)
    spine.world.faults.add(Fault(operation=call, effect=effect, times=1))
    await lose(spine)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert spine.world.cliq.state.keys[KEY].reported == "lost"
    assert len(spine.world.cliq.state.jobs) == 1, "no visit is made twice"
    assert (await target(spine)).progress == "blocked_with_access"
    spine.world.faults.assert_all_fired()


async def test_an_edit_in_the_vendors_tool_is_found_and_taken_back(stage: Stage) -> None:
    spine = stage.spine
    await at_work(spine)
    spine.world.cliq_out_of_band.change_plan(KEY, [twin_id("C1"), twin_id("C5")])
    spine.world.cliq_out_of_band.send(KEY)
    spine.world.present_at_updater(KEY, GATEHOUSE)
    assert spine.try_open("K001", "C5")
    await spine.advance(timedelta(minutes=16), every=timedelta(minutes=2))
    assert (await spine.who_can_open("C5"))["K001"].kind in {"bound", "no_bound"}
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert not spine.try_open("K001", "C5")
    assert spine.try_open("K001", "C1")
    assert "K001" not in await spine.who_can_open("C5")


async def test_grants_never_enter_a_key_of_a_kind_that_is_only_read(stage: Stage) -> None:
    spine, services = stage.spine, stage.spine.services
    await at_work(spine)
    port = next(each.port for each in spine.installation.connected if each.name == "cliq")
    async with services.database.read() as tx:
        wanted = await services.planner.plan(
            tx,
            await services.registry.get_key(tx, "K001"),
            lambda _kind: port.capabilities(KeyKind.UNKNOWN),
            offline_expires_after=8 * HOUR,
            deliver_ahead=HOUR,
            at=spine.now,
        )
    assert wanted.program.opens_nothing
    assert {why["why"] for why in wanted.cannot.values()} == {"key_not_writable"}


async def test_updaters_and_programming_keys_are_listed(stage: Stage) -> None:
    services = stage.spine.services
    async with services.database.read() as tx:
        assert {each.place for each in await services.visits.updaters(tx)} == {"gatehouse", "workshop"}
        assert [each.marking for each in await services.visits.programming_keys(tx)] == ["C-1", "C-2"]


@pytest.mark.parametrize(
    "point",
    [
        "keys.reconcile.after_vendor_write",
        "keys.reconcile.after_vendor_order",
        "keys.reconcile.after_vendor_block",
    ],
)
async def test_a_worker_that_dies_over_a_block_leaves_nothing_undone_and_nothing_done_twice(
    stage: Stage, point: str
) -> None:
    await at_work(stage.spine)
    with declared()[point].armed():
        async with stage.spine.services.database.transaction() as tx:
            key = await stage.spine.services.registry.get_key(tx, "K001")
            await stage.spine.services.custody.block(
                tx, key.id, reason="lost", actor="user:soc", at=stage.spine.now
            )
        await stage.settle()
    assert stage.crashes == [point]
    spine = stage.spine
    await spine.advance(timedelta(minutes=6), every=MINUTE)  # past the dead worker's lease
    assert spine.world.cliq.state.keys[KEY].reported == "lost"
    assert len(spine.world.cliq.state.jobs) == 1
    assert (await target(spine)).progress == "blocked_with_access"
    assert (await spine.who_can_open("C1"))["K001"].kind == "bound"


async def test_a_cylinder_that_is_moved_out_of_our_sight_is_not_lost_from_the_answers(stage: Stage) -> None:
    """Somebody moves a cylinder to a domain that our client does not see: a key's program comes back without it."""
    spine, other = stage.spine, twin_id("key 2")
    spine.world.cliq_out_of_band.change_plan(other, [twin_id("C1"), twin_id("C3")])
    spine.world.cliq_out_of_band.send(other)
    spine.world.present_at_updater(other, GATEHOUSE)
    await spine.advance(timedelta(hours=7), every=timedelta(minutes=70))
    assert "K002" in await spine.who_can_open("C3")
    spine.world.cliq_out_of_band.move_to_domain(twin_id("C3"), "another")
    spine.world.cliq.settings.visible_domains = frozenset({"site"})
    spine.world.present_at_updater(other, GATEHOUSE)
    await spine.advance(timedelta(hours=7), every=timedelta(minutes=70))
    async with spine.services.database.read() as tx:
        system = next(each for each in await spine.services.registry.systems(tx) if each.vendor == "cliq")
    assert not system.visibility_complete
    kinds = [row["kind"] for row in await spine.fetch("SELECT DISTINCT kind FROM drift_finding")]
    assert "lock_unlisted" in kinds
    assert spine.try_open("K002", "C3")
    assert "K002" in await spine.who_can_open("C3")
