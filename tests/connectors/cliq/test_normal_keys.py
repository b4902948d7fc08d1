"""Normal keys over the wire: lists read, changed one cylinder at a time, and visits that share a round."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from key2xs.connectors.cliq import CliqConnector
from key2xs.core.errors import NeedsPerson, Refused, Unknown
from key2xs.keys.port import BaseChanged, KeyKind, ProgrammingState
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program
from key2xs_twin.cliq import CliqKeyKind, CliqKeySpec, CliqSite, KeyGroupSpec, KeyPlan, ProgrammingKeySpec
from key2xs_twin.faults import Fault
from key2xs_twin.world import World
from tests.connectors.cliq.connection import make_connector
from tests.twin.cliq_factory import CARRIER, GATE, NORMAL, TANK, VALVE, WALL, make_site, make_world, uid

OTHER, CREW, SECOND = uid(0xE05), uid(0xB01), uid(0xA02)
SHIFT = timedelta(hours=8)


def site() -> CliqSite:
    """The gate lists the key, the tank its group of two."""
    base = make_site()
    other = CliqKeySpec(key_id=OTHER, serial="104200005", kind=CliqKeyKind.NORMAL, plan=KeyPlan())
    cylinders = tuple(
        replace(each, key_group_ids=frozenset({CREW})) if each.cylinder_id == TANK else each
        for each in base.cylinders
    )
    crew = KeyGroupSpec(group_id=CREW, name="Crew", member_ids=frozenset({NORMAL, OTHER}))
    second = ProgrammingKeySpec(programming_key_id=SECOND, serial="104290002")
    return replace(
        base, cylinders=cylinders, keys=(*base.keys, other), key_groups=(crew,),
        programming_keys=(*base.programming_keys, second),
    )  # fmt: skip


def opened(**more: int) -> tuple[World, CliqConnector]:
    world = make_world(site=site())
    return world, make_connector(world, store=None, **more)


def right(*cylinders: UUID) -> frozenset[str]:
    return frozenset(f"cyl:{each}" for each in cylinders)


def planned(world: World, cylinder: UUID) -> tuple[set[UUID], set[UUID]]:
    entries = world.cliq.state.cylinders[cylinder].planned
    return set(entries.key_ids), set(entries.key_group_ids)


def go_round(world: World, *cylinders: UUID) -> None:
    for carrier in (CARRIER, SECOND):
        world.load_programming_key(carrier, WALL)
        for cylinder in cylinders:
            world.insert_programming_key(carrier, cylinder)
        world.return_programming_key(carrier, WALL)


async def test_what_the_cylinders_list_and_what_the_key_holds_is_one_program() -> None:
    _, port = opened()
    reading = await port.read_key(str(NORMAL))
    assert reading.planned == reading.on_device == Program(right(GATE, TANK), offline_expires_after=SHIFT)
    assert reading.programming_state is ProgrammingState.PROGRAMMED
    assert reading.outside_visible
    can = port.capabilities(KeyKind.NORMAL)
    assert (can.can_write, can.rights_by_visits, can.max_rights) == (True, True, None)


async def test_only_when_every_list_and_the_limits_are_there_it_is_programmed() -> None:
    world, port = opened()
    wanted = Program(
        right(GATE, VALVE), ends_at=datetime(2026, 12, 1, 8, 0, tzinfo=UTC), offline_expires_after=SHIFT
    )
    written = await port.write_program(str(NORMAL), wanted, await port.read_key(str(NORMAL)))
    assert written.planned == wanted
    assert written.programming_state is ProgrammingState.PLANNING
    assert written.to_visit == written.unplaced == {str(TANK), str(VALVE)}
    await port.order(str(NORMAL))
    reading = await port.read_key(str(NORMAL))
    assert reading.programming_state is ProgrammingState.ORDERED
    assert not reading.unplaced
    go_round(world, TANK, VALVE)
    assert (await port.read_key(str(NORMAL))).programming_state is ProgrammingState.ORDERED, "its limits wait"
    assert world.present_at_updater(NORMAL, WALL)
    reading = await port.read_key(str(NORMAL))
    assert reading.programming_state is ProgrammingState.PROGRAMMED
    assert reading.planned == reading.on_device == wanted


async def test_taking_a_key_off_lists_the_others_of_its_group_one_by_one() -> None:
    world, port = opened()
    await port.write_program(str(NORMAL), EMPTY_PROGRAM, await port.read_key(str(NORMAL)))
    assert planned(world, TANK) == ({OTHER}, set())
    assert planned(world, GATE) == (set(), set())
    await port.order(str(NORMAL))
    go_round(world, TANK, GATE)
    assert world.present(OTHER, TANK).ok
    assert not world.present(NORMAL, TANK).ok


async def test_a_group_that_is_too_large_for_that_needs_a_person() -> None:
    world, port = opened(largest_key_group=1)
    with pytest.raises(NeedsPerson, match="with a group of 2 keys"):
        await port.write_program(
            str(NORMAL), Program(right(GATE), offline_expires_after=SHIFT), await port.read_key(str(NORMAL))
        )
    assert planned(world, TANK) == (set(), {CREW})


async def test_a_list_somebody_else_changed_meanwhile_is_read_again_and_keeps_their_change() -> None:
    world, port = opened()
    base = await port.read_key(str(NORMAL))
    put = world.cliq.answer

    def first_somebody_else(request: object) -> object:
        if getattr(request, "method", "") == "PUT" and str(VALVE) in getattr(request, "path", ""):
            world.cliq.answer = put  # type: ignore[method-assign]
            world.cliq_out_of_band.change_list(VALVE, [OTHER])
        return put(request)  # type: ignore[arg-type]

    world.cliq.answer = first_somebody_else  # type: ignore[method-assign,assignment]
    await port.write_program(
        str(NORMAL), Program(right(GATE, TANK, VALVE), offline_expires_after=SHIFT), base
    )
    assert planned(world, VALVE) == ({OTHER, NORMAL}, set())


async def test_an_edit_of_its_own_lists_is_not_overwritten() -> None:
    world, port = opened()
    base = await port.read_key(str(NORMAL))
    world.cliq_out_of_band.change_list(VALVE, [NORMAL])
    with pytest.raises(BaseChanged) as changed:
        await port.write_program(str(NORMAL), EMPTY_PROGRAM, base)
    assert changed.value.fresh.planned == Program(right(GATE, TANK, VALVE), offline_expires_after=SHIFT)
    assert planned(world, GATE)[0] == {NORMAL}


async def test_what_was_changed_and_what_was_not_is_told() -> None:
    world, port = opened()
    base = await port.read_key(str(NORMAL))
    world.faults.add(Fault(operation=f"PUT cliq/cylinders/{TANK}/list", effect="status:409", times=1))
    with pytest.raises(Unknown, match=f"the lists of {GATE} were changed, those of {TANK} not"):
        await port.write_program(str(NORMAL), EMPTY_PROGRAM, base)
    reading = await port.read_key(str(NORMAL))
    assert reading.planned is not None
    assert reading.planned.rights == right(TANK), (
        "never valid by plan, and still to be taken off one cylinder"
    )
    await port.write_program(str(NORMAL), EMPTY_PROGRAM, reading)
    assert (await port.read_key(str(NORMAL))).planned == EMPTY_PROGRAM


async def test_visits_share_a_round_and_one_that_waits_takes_every_keys_change_along() -> None:
    world, port = opened()
    world.time.advance_to(world.now + timedelta(minutes=1))
    world.load_programming_key(SECOND, WALL)  # seen last
    for key in (NORMAL, OTHER):
        await port.write_program(
            str(key), Program(right(VALVE), offline_expires_after=UNLIMITED), await port.read_key(str(key))
        )
        await port.order(str(key))
    jobs = list(world.cliq.state.jobs.values())
    visits = [(job.programming_key_id, task.cylinder_id) for job in jobs for task in job.tasks]
    assert sorted(visits) == sorted({(SECOND, each) for each in (GATE, TANK, VALVE)}), (
        "one visit for each cylinder"
    )
    assert not (await port.read_key(str(OTHER))).unplaced
    world.time.advance_to(world.now + timedelta(minutes=1))
    world.load_programming_key(CARRIER, WALL)
    await port.block(str(NORMAL))
    assert not await port.order_block_list(str(NORMAL), {str(VALVE)})
    assert list(world.cliq.state.jobs.values())[-1].programming_key_id == SECOND, "it goes there anyway"


async def test_visits_that_fit_nowhere_are_named_once_nothing_more_can_be_sent() -> None:
    world, port = opened()
    world.cliq.settings.job_capacity = 1
    await port.write_program(
        str(NORMAL), Program(right(VALVE), offline_expires_after=SHIFT), await port.read_key(str(NORMAL))
    )
    await port.order(str(NORMAL))
    reading = await port.read_key(str(NORMAL))
    assert len(reading.unplaced) == 1
    with pytest.raises(NeedsPerson, match="1 cylinders must be visited and no programming key has room"):
        await port.order(str(NORMAL))


async def test_a_group_of_cylinders_is_no_entry_for_a_normal_key() -> None:
    _, port = opened()
    with pytest.raises(Refused, match="holds no group"):
        await port.write_program(
            str(NORMAL),
            Program(frozenset({"grp:x"}), offline_expires_after=SHIFT),
            await port.read_key(str(NORMAL)),
        )


async def test_a_key_that_is_never_valid_ends_at_every_cylinder_and_no_visit_is_needed_for_that() -> None:
    world, port = opened()
    await port.write_program(str(NORMAL), EMPTY_PROGRAM, await port.read_key(str(NORMAL)))
    await port.order(str(NORMAL))
    assert not (await port.read_key(str(NORMAL))).ended_at
    world.time.advance_to(world.now + timedelta(minutes=5))
    assert world.present_at_updater(NORMAL, WALL)
    reading = await port.read_key(str(NORMAL))
    assert reading.ended_at == dict.fromkeys(map(str, (GATE, TANK)), world.now)
    assert reading.programming_state is ProgrammingState.ON_TOKEN
    assert reading.to_visit == {str(GATE), str(TANK)}


async def test_a_cylinder_that_was_overwritten_lost_its_events() -> None:
    world, port = opened()
    await port.block(str(NORMAL))
    await port.order_block_list(str(NORMAL), {str(GATE)})
    carrier = next(iter(world.cliq.state.jobs.values())).programming_key_id
    for early in (True, False):
        world.load_programming_key(carrier, WALL)
        world.insert_programming_key(carrier, GATE, pulled_early=early)
        world.return_programming_key(carrier, WALL)
        world.time.advance_to(world.now + timedelta(minutes=5))
    page = await port.read_events(None)
    (wiped,) = page.wipes
    assert (wiped.vendor_lock, wiped.at) == (str(GATE), world.now - timedelta(minutes=5))
    assert not [read for read in page.readings if read.vendor_lock == str(GATE)], "nothing was read before"
