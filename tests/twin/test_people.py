"""People who walk and open: acts named by stamps and markings, played when their time comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import msgspec
import pytest

from key2xs_twin.devices.things import Reason
from key2xs_twin.directory import Directory, NotFoundError
from key2xs_twin.people import (
    Act,
    CutNetwork,
    HandOver,
    Lose,
    OutOfBand,
    Present,
    ProgrammerVisit,
    RestoreNetwork,
    Scenario,
    SetClock,
    Sync,
    UnexplainedOpening,
    perform,
)
from key2xs_twin.physics import Physics
from key2xs_twin.site import Site, generate_site
from key2xs_twin.world import World

START = datetime(2026, 7, 1, 16, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def site() -> Site:
    return generate_site("S", 7, days=1)


@pytest.fixture
def world(site: Site) -> World:
    return World(7, START, physics=Physics.exact(), site=site.iloq_inventory())


def stamp_of(site: Site, purpose: str) -> str:
    return next(key.stamp for key in site.keys if key.purpose == purpose)


def emergency_gate(site: Site) -> str:
    return next(c.marking for c in site.cylinders if c.safety_role == "emergency")


def give_cabinet(world: World, site: Site, key: str) -> str:
    """The administrator programs a key for one cabinet; its marking."""
    cabinet = next(p for p in site.access_points if p.kind == "cabinet" and p.unit == "CDU")
    perform(
        world,
        OutOfBand(
            what="change_rights",
            key=key,
            rights=[f"API {cabinet.id}"],
            offline_expiration_seconds=3600,
        ),
    )
    perform(world, OutOfBand(what="order", key=key))
    assert perform(world, Sync(key=key)).worked
    return site.cylinders_of(cabinet.id)[0].marking


def test_acts_happen_when_time_reaches_them_and_in_that_order(world: World, site: Site) -> None:
    scenario = Scenario(world)
    key, lock = stamp_of(site, "fire_brigade"), emergency_gate(site)
    scenario.at(START + 2 * HOUR, Lose(key=key))
    scenario.at(START + HOUR, Present(key=key, lock=lock, person="fire crew"))
    world.advance_to(START + HOUR - timedelta(seconds=1))
    assert scenario.done == []
    world.advance_to(START + 3 * HOUR)
    assert [(done.at, done.worked) for done in scenario.done] == [
        (START + HOUR, True),
        (START + 2 * HOUR, None),
    ]
    (opening,) = scenario.openings()
    assert (opening.ok, opening.reason, opening.at) == (True, Reason.OK, START + HOUR)
    gate = next(c for c in site.cylinders if c.marking == lock)
    assert world.places["fire crew"] == gate.access_point_id
    assert world.holders[Directory(world).key(key)] is None, "lost"


def test_a_key_opens_what_it_was_programmed_for_and_nothing_else(world: World, site: Site) -> None:
    key = stamp_of(site, "pool")
    cabinet = give_cabinet(world, site, key)
    assert perform(world, Present(key=key, lock=cabinet)).worked
    refused = perform(world, Present(key=key, lock=emergency_gate(site)))
    assert refused.opening is not None
    assert refused.opening.reason is Reason.NO_RIGHT


def test_a_walk_opens_one_lock_after_the_other(world: World, site: Site) -> None:
    scenario, key = Scenario(world), stamp_of(site, "fire_brigade")
    gates = [c.marking for c in site.cylinders if c.safety_role == "emergency"]
    scenario.walk("fire crew", key, [(START + n * HOUR, gate) for n, gate in enumerate(gates, start=1)])
    world.advance_to(START + 10 * HOUR)
    assert [o.ok for o in scenario.openings()] == [True] * len(gates)
    find = Directory(world)
    assert [o.lock_id for o in scenario.openings()] == [find.lock(gate) for gate in gates]


def test_rounds_are_the_same_for_the_same_seed_and_never_two_locks_at_once(world: World, site: Site) -> None:
    scenario, key = Scenario(world), stamp_of(site, "fire_brigade")
    gates = [c.marking for c in site.cylinders if c.safety_role == "emergency"]

    def plan(seed: int) -> list[tuple[datetime, str]]:
        return scenario.rounds("u1", key, gates, begin=START, end=START + HOUR, openings=30, seed=seed)

    stops = plan(1)
    assert stops == plan(1)
    assert stops != plan(2)
    assert len(stops) > 20
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(stops)]
    assert min(gaps) >= timedelta(seconds=39), "whole seconds may take one off the 40"
    assert all(START <= at < START + HOUR for at, _ in stops)


def test_an_unexplained_opening_leaves_a_row_and_a_mechanical_one_leaves_none(
    world: World, site: Site
) -> None:
    lock = emergency_gate(site)
    with_key = perform(world, UnexplainedOpening(lock=lock)).opening
    mechanical = perform(world, UnexplainedOpening(lock=lock, how="mechanical")).opening
    assert with_key is not None
    assert mechanical is not None
    assert (with_key.key_id, with_key.log_id is not None) == (None, True)
    assert (mechanical.key_id, mechanical.log_id) == (None, None)


def test_a_phone_without_network_is_not_reached_until_it_is_restored(world: World, site: Site) -> None:
    key = stamp_of(site, "personal")
    perform(world, CutNetwork(thing=key))
    assert perform(world, Sync(key=key)).worked is False
    perform(world, RestoreNetwork(thing=key))
    assert perform(world, Sync(key=key)).worked is True


def test_the_vendors_administrator_can_work_behind_the_products_back(world: World, site: Site) -> None:
    key, lock = stamp_of(site, "pool"), emergency_gate(site)
    perform(world, OutOfBand(what="change_lock_rights", lock=lock, rights=["Fire brigade"]))
    perform(world, ProgrammerVisit(lock=lock))
    fire = perform(world, Present(key=stamp_of(site, "fire_brigade"), lock=lock))
    emergency = perform(world, Present(key=stamp_of(site, "emergency"), lock=lock))
    assert (fire.worked, emergency.worked) == (True, False), (
        "only the fire brigade's right is left on the lock"
    )
    give_cabinet(world, site, key)
    perform(world, OutOfBand(what="block", key=key))
    perform(world, OutOfBand(what="unblock", key=key))
    holder = next(k.holder for k in site.keys if k.holder)
    perform(world, OutOfBand(what="hand_to", key=key, person=holder))
    perform(world, OutOfBand(what="delete", key=key))


def test_a_clock_can_be_made_wrong_and_a_key_handed_over(world: World, site: Site) -> None:
    key = stamp_of(site, "personal")
    perform(world, SetClock(thing=key, offset_s=-3600))
    perform(world, HandOver(key=key, person="somebody else"))
    device = world.keys[Directory(world).key(key)]
    assert device.clock.offset == -HOUR
    assert world.holders[device.key_id] == "somebody else"


def test_things_are_found_by_name_or_id_and_a_missing_one_is_named(world: World, site: Site) -> None:
    find = Directory(world)
    first = site.cylinders[0]
    assert find.lock(first.marking) == find.lock(first.id) == find.thing(first.id) == UUID(first.id)
    assert find.key(site.keys[0].stamp) == UUID(site.keys[0].id)
    with pytest.raises(NotFoundError, match="no key named '9999'"):
        find.key("9999")
    with pytest.raises(NotFoundError, match="no right named 'everything'"):
        find.right("everything")


def test_an_act_is_read_from_json_strictly() -> None:
    act = msgspec.json.decode(b'{"act":"present","key":"1001","lock":"CDU-001"}', type=Act)
    assert act == Present(key="1001", lock="CDU-001")
    with pytest.raises(msgspec.ValidationError, match="unknown field `lok`"):
        msgspec.json.decode(b'{"act":"present","key":"1001","lok":"CDU-001"}', type=Act)
    with pytest.raises(msgspec.ValidationError, match="Invalid value 'fly'"):
        msgspec.json.decode(b'{"act":"fly"}', type=Act)
