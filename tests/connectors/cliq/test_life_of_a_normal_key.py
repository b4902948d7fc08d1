"""A normal CLIQ key through the whole product: its rights are carried to cylinders, its limits to the key."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from key2xs.core.crash import declared
from key2xs.keys.port import KeyKind
from key2xs.keys.types import StoredKey, Target
from key2xs_twin.faults import Fault
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import Stage, open_stage
from tests.support.tiny import twin_id
from tests.support.tiny_cliq import CARRIERS, GATEHOUSE, WORKSHOP, tiny_cliq_site

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
KEY = twin_id("key 3")


@pytest.fixture
async def stage(databases: DatabaseServer) -> AsyncIterator[Stage]:
    async with open_stage(databases, START, site=tiny_cliq_site) as opened:
        yield opened


async def key_and_target(spine: Spine) -> tuple[StoredKey, Target]:
    async with spine.services.database.read() as tx:
        key = await spine.services.registry.get_key(tx, "K003")
        found = await spine.services.targets.find(tx, key.id)
    assert found is not None
    return key, found


def listed(spine: Spine) -> set[UUID]:
    """Return the cylinders whose planned list has the key."""
    return {
        each for each, record in spine.world.cliq.state.cylinders.items() if KEY in record.planned.key_ids
    }


def go_round(spine: Spine, *markings: str, early: bool = False) -> None:
    """Somebody fetches what waits for both programming keys, visits cylinders and brings them back."""
    world = spine.world
    for carrier in CARRIERS:
        world.load_programming_key(carrier, WORKSHOP)
        for marking in markings:
            world.insert_programming_key(carrier, twin_id(marking), pulled_early=early)
        world.return_programming_key(carrier, WORKSHOP)


async def at_work(spine: Spine, *markings: str) -> Any:
    """A permit is live, the cylinders were visited and the key was held to an updater: it opens."""
    await spine.hand_out("K003", "u1")
    await spine.settle()
    permit = await spine.live_permit(*markings, crew=["u1"])
    go_round(spine, *markings)
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(MINUTE)
    assert all(spine.try_open("K003", marking) for marking in markings)
    return permit


async def suspend(spine: Spine, permit: Any) -> None:
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await spine.send()
    await spine.advance(timedelta(minutes=3), every=MINUTE)


async def test_a_grant_needs_its_cylinders_visited_and_the_key_updated(stage: Stage) -> None:
    spine = stage.spine
    key, _ = await key_and_target(spine)
    assert key.kind is KeyKind.NORMAL
    await spine.hand_out("K003", "u1")
    await spine.settle()
    await spine.live_permit("C1", "C2", crew=["u1"])
    assert listed(spine) == {twin_id("C1"), twin_id("C2")}, "one by one: a group is for keys with a list"
    assert len(spine.world.cliq.state.jobs) == 1
    await spine.advance(MINUTE)
    found = (await key_and_target(spine))[1]
    assert found.progress == "accepted"
    assert found.reading is not None
    assert found.reading["to_visit"] == sorted(str(twin_id(each)) for each in ("C1", "C2"))
    go_round(spine, "C1")
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(MINUTE)
    assert spine.try_open("K003", "C1")
    assert not spine.try_open("K003", "C2")
    assert (await key_and_target(spine))[1].progress == "in_transit", "one cylinder is not everything"
    go_round(spine, "C2")
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert (await key_and_target(spine))[1].progress == "delivered"
    assert spine.try_open("K003", "C2")
    assert (await spine.who_can_open("C2"))["K003"].kind == "still_allowed"


async def test_what_is_in_force_bit_by_bit_is_nobodys_edit(stage: Stage) -> None:
    """A key half delivered holds a mixture of old and new; only what somebody planned elsewhere counts as found."""
    spine = stage.spine
    permit = await at_work(spine, "C1", "C2", "C3")
    await suspend(spine, permit)
    go_round(spine, "C2")
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    mine = [
        row["origin"]
        for row in await spine.fetch(
            "SELECT program.origin FROM key_program AS program JOIN key_key AS key ON key.id = program.key_id "
            "WHERE key.stamp = 'K003' ORDER BY program.number"
        )
    ]
    assert mine.count("found") <= 1, "the first reading"
    assert mine[-1] != "found"


async def test_a_revoked_normal_key_ends_by_its_limits_or_where_its_visit_is_proven(stage: Stage) -> None:
    spine = stage.spine
    permit = await at_work(spine, "C1", "C3")
    updated_at = spine.now - MINUTE
    await suspend(spine, permit)
    assert not listed(spine)
    said = await spine.who_can_open("C1")
    assert said["K003"].kind == "bound"
    until = said["K003"].exposed_until
    assert until is not None
    assert until <= updated_at + 8 * HOUR + timedelta(minutes=4)
    truth = spine.world.oracle.latest_opening(KEY, twin_id("C1"), spine.now)
    assert truth is not None
    assert truth <= until
    go_round(spine, "C1")
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert "K003" not in await spine.who_can_open("C1"), "its visit was proven"
    assert not spine.try_open("K003", "C1")
    assert (await spine.who_can_open("C3"))["K003"].kind == "bound", "nobody was there"
    assert spine.try_open("K003", "C3")
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert "K003" not in await spine.who_can_open("C3"), "the key itself was told"
    assert not spine.try_open("K003", "C3")
    assert (await key_and_target(spine))[1].progress == "in_transit", "C3 still lists it"
    go_round(spine, "C3")
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert (await key_and_target(spine))[1].progress == "delivered"


async def test_cylinders_with_no_programming_key_are_named_until_one_has_room(stage: Stage) -> None:
    spine = stage.spine
    spine.world.cliq.settings.job_capacity = 1
    await spine.hand_out("K003", "u1")
    await spine.settle()
    await spine.live_permit("C1", "C2", "C3", crew=["u1"])
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    found = (await key_and_target(spine))[1]
    assert found.accepted_at is not None, "what could be sent was sent"
    assert found.problem is not None
    assert "no programming key has room" in found.problem
    go_round(spine, "C1", "C2", "C3")
    await spine.advance(timedelta(hours=1), every=timedelta(minutes=10))
    assert (await key_and_target(spine))[1].problem is None
    go_round(spine, "C1", "C2", "C3")
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=6), every=MINUTE)
    assert (await key_and_target(spine))[1].progress == "delivered"


async def test_a_lost_normal_key_is_blocked_at_every_cylinder_that_may_list_it(stage: Stage) -> None:
    spine = stage.spine
    await at_work(spine, "C1", "C3")
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, "K003")
        await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
    await spine.settle()
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert spine.world.cliq.state.keys[KEY].reported == "lost"
    assert (await key_and_target(spine))[1].progress == "blocked_with_access"
    assert (await spine.who_can_open("C3"))["K003"].kind == "bound"
    go_round(spine, "C1")
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert "K003" not in await spine.who_can_open("C1")
    assert spine.try_open("K003", "C3")
    go_round(spine, "C3")
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert "K003" not in await spine.who_can_open("C3")
    assert not spine.try_open("K003", "C3")


async def test_a_visit_that_was_broken_off_ends_nothing_and_is_made_again(stage: Stage) -> None:
    spine = stage.spine
    permit = await at_work(spine, "C1")
    await suspend(spine, permit)
    go_round(spine, "C1", early=True)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert (await spine.who_can_open("C1"))["K003"].kind == "bound"
    go_round(spine, "C1")
    await spine.advance(timedelta(minutes=6), every=MINUTE)
    assert "K003" not in await spine.who_can_open("C1")
    assert not spine.try_open("K003", "C1")


@pytest.mark.parametrize(
    ("operation", "effect"),
    [
        ("PUT cliq/cylinders/*/list", "lose_response_after_commit"),
        pytest.param("PUT cliq/cylinders/*/list", "status:412", marks=pytest.mark.long),
        pytest.param("PUT cliq/keys/*/plan", "lose_request", marks=pytest.mark.long),
        pytest.param("POST cliq/jobs", "lose_response_after_commit", marks=pytest.mark.long),
        pytest.param("GET cliq/keys/*/lists", "garbage", marks=pytest.mark.long),
    ],
)
async def test_a_revocation_gets_through_whatever_call_goes_wrong_once(
    stage: Stage, operation: str, effect: str
) -> None:
    spine = stage.spine
    permit = await at_work(spine, "C1", "C3")
    spine.world.faults.add(Fault(operation=operation, effect=effect, times=1))
    await suspend(spine, permit)
    await spine.advance(timedelta(minutes=6), every=MINUTE)
    spine.world.faults.assert_all_fired()
    assert not listed(spine)
    go_round(spine, "C1", "C3")
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(timedelta(minutes=6), every=MINUTE)
    assert not any(spine.try_open("K003", each) for each in ("C1", "C3"))
    assert (await key_and_target(spine))[1].progress == "delivered"


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("keys.reconcile.after_intent", marks=pytest.mark.long),
        "keys.reconcile.after_vendor_write",
    ],
)
async def test_a_worker_that_dies_over_a_revocation_leaves_nothing_undone(stage: Stage, point: str) -> None:
    spine = stage.spine
    permit = await at_work(spine, "C1", "C3")
    with declared()[point].armed():
        spine.ptw.suspend(permit.id, code="weather", at=spine.now)
        await spine.send()
        await stage.settle()
    assert stage.crashes == [point]
    spine = stage.spine
    await spine.advance(timedelta(minutes=6), every=MINUTE)
    assert not listed(spine)
    assert len(spine.world.cliq.state.jobs) <= 2
    go_round(spine, "C1", "C3")
    await spine.advance(timedelta(minutes=6), every=MINUTE)
    assert not await spine.who_can_open("C1")


async def give_up(spine: Spine, carrier: UUID) -> int:
    """Somebody says that a programming key will not come back."""
    services = spine.services
    async with services.database.transaction() as tx:
        (system,) = (s for s in await services.registry.systems(tx) if s.vendor == "cliq")
        return await services.visits.give_up(
            tx, system.id, str(carrier), reason="lost in the sea", actor="user:shift", at=spine.now
        )


def carriers_to(spine: Spine, marking: str) -> set[UUID]:
    """Return the programming keys that have a visit to a cylinder and have not come back from it."""
    return {
        job.programming_key_id
        for job in spine.world.cliq.state.jobs.values()
        for task in job.tasks
        if task.cylinder_id == twin_id(marking) and task.is_open
    }


@pytest.mark.parametrize("loaded", [False, True], ids=["waits", "loaded"])
async def test_visits_of_a_programming_key_that_is_given_up_go_to_another(
    stage: Stage, *, loaded: bool
) -> None:
    spine = stage.spine
    permit = await at_work(spine, "C1")
    await suspend(spine, permit)
    (lost,) = carriers_to(spine, "C1")
    (other,) = {*CARRIERS} - {lost}
    if loaded:
        spine.world.load_programming_key(lost, WORKSHOP)
        await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert await give_up(spine, lost) == 1
    await spine.settle()
    assert carriers_to(spine, "C1") == ({lost, other} if loaded else {other})
    assert (await spine.who_can_open("C1"))["K003"].kind == "bound", "nobody was at the cylinder yet"
    jobs = len(spine.world.cliq.state.jobs)
    await spine.advance(timedelta(minutes=10), every=MINUTE)
    assert len(spine.world.cliq.state.jobs) == jobs, "given to another once"
    spine.world.load_programming_key(other, WORKSHOP)
    spine.world.insert_programming_key(other, twin_id("C1"))
    spine.world.return_programming_key(other, WORKSHOP)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert not spine.try_open("K003", "C1")
    assert "K003" not in await spine.who_can_open("C1"), "its visit was proven"


async def test_a_programming_key_that_is_given_up_with_an_older_list_on_it_lets_nothing_be_claimed_ended(
    stage: Stage,
) -> None:
    """It may lie about with the list that still lets the key in, and be brought to the cylinder by anybody."""
    spine = stage.spine
    await spine.hand_out("K003", "u1")
    await spine.settle()
    permit = await spine.live_permit("C1", crew=["u1"])
    (lost,) = carriers_to(spine, "C1")
    (other,) = {*CARRIERS} - {lost}
    spine.world.load_programming_key(lost, WORKSHOP)
    spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(MINUTE)
    await suspend(spine, permit)
    await give_up(spine, lost)
    await spine.settle()
    if other in carriers_to(spine, "C1"):
        spine.world.load_programming_key(other, WORKSHOP)
        spine.world.insert_programming_key(other, twin_id("C1"))
        spine.world.return_programming_key(other, WORKSHOP)
    await spine.advance(timedelta(minutes=3), every=MINUTE)
    assert (await spine.who_can_open("C1"))["K003"].kind == "bound"
    spine.world.insert_programming_key(lost, twin_id("C1"))
    assert spine.try_open("K003", "C1"), "so it was right not to say so"
