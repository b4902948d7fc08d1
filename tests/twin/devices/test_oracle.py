"""The oracle against reality: what it says is what happens when somebody tries."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from key2xs_twin.devices import windows
from key2xs_twin.iloq import KeyKind
from key2xs_twin.physics import Countdown, Physics
from key2xs_twin.time import NEVER
from key2xs_twin.world import World
from tests.twin.iloq.factory import (
    LOCK_PUMP,
    LOCK_VALVE,
    OTHER_PHONE,
    PHONE,
    PUMP,
    START,
    VALVE,
    make_key,
    make_lock,
    make_world,
    minutes,
)

LOCAL_START = datetime(2026, 11, 23, 18, 0)  # noqa: DTZ001 - local wall clock of START
A_WHILE = timedelta(milliseconds=1)

early = st.integers(-12, 12).map(lambda n: LOCAL_START + n * minutes(15))
late = st.integers(0, 96).map(lambda n: LOCAL_START + n * minutes(15))
physics = st.builds(
    Physics,
    phone_supplies_time=st.booleans(),
    countdown_from=st.sampled_from(Countdown),
    drift_s_per_day=st.sampled_from([0.0, 5.0]),
    lock_offset_s=st.sampled_from([0.0, 90.0]),
)
key_spec = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KeyKind),
        "starts_lg": st.none() | early,
        "ends_lg": st.none() | late,
        "offline_expiration_seconds": st.sampled_from([0, 3600, 14400, 28800]),
        "rights": st.sampled_from([(PUMP,), (PUMP,), (PUMP,), (VALVE,)]),
    }
)
lock_spec = st.fixed_dictionaries(
    {
        "clock_installed": st.booleans(),
        "respects_time_limits": st.booleans(),
        "online": st.booleans(),
        "online_required": st.sampled_from([False, False, True]),
        "hot_spot": st.booleans(),
    }
)
act = st.tuples(
    st.sampled_from(
        ["wait", "cut", "restore", "sync", "present", "other", "block", "change", "order", "visit"]
    ),
    st.integers(0, 40),
)


def play(world: World, acts: list[tuple[str, int]]) -> None:
    """A random history of one key and one lock, with a second phone around."""
    for name, number in acts:
        world.advance_to(world.now + minutes(number))
        match name:
            case "cut":
                world.cut_network(PHONE)
            case "restore" if world.keys[PHONE].is_phone:
                world.restore_network(PHONE)
            case "sync":
                world.sync(PHONE)
            case "present":
                world.present(PHONE, LOCK_PUMP)
            case "other":
                world.present(OTHER_PHONE, LOCK_PUMP)
            case "block" if not world.iloq.state.blocks.is_blocked(PHONE):
                world.out_of_band.block(PHONE)
            case "change" if not world.iloq.state.blocks.is_blocked(PHONE):
                world.out_of_band.change_rights(PHONE, [PUMP], offline_expiration_seconds=600 * number)
            case "order":
                world.out_of_band.order(PHONE)
            case "visit":
                world.programmer_visit(LOCK_PUMP)
            case _:
                pass


@given(physics, key_spec, lock_spec, st.lists(act, max_size=8), st.integers(0, 600))
def test_the_oracle_agrees_with_trying(
    rules: Physics, key: dict[str, Any], lock: dict[str, Any], acts: list[tuple[str, int]], later: int
) -> None:
    def build() -> World:
        world = make_world(
            physics=rules,
            keys=(
                make_key(PHONE, "0401", person_external_id="c-17", **key),
                make_key(OTHER_PHONE, "0402", rights=(VALVE,)),
            ),
            locks=(make_lock(LOCK_PUMP, "L201", PUMP, **lock),),
        )
        play(world, acts)
        return world

    def attempt(at: datetime) -> bool:
        world = build()
        if world.keys[PHONE].is_phone:
            world.cut_network(PHONE)  # nothing further reaches the device
        return world.present(PHONE, LOCK_PUMP, at).ok

    world = build()
    frm = world.now
    latest = world.oracle.latest_opening(PHONE, LOCK_PUMP, frm)
    probes = [frm, frm + minutes(later), frm + timedelta(days=200)]
    expected = {at: world.oracle.can_open(PHONE, LOCK_PUMP, at) for at in probes}
    if latest is None:
        assert expected[probes[-1]]
    elif latest == NEVER:
        assert not any(expected.values())
    else:
        if latest - A_WHILE > frm:
            expected[latest - A_WHILE] = True
        expected[latest + A_WHILE] = False
    for at, opens in expected.items():
        assert attempt(at) == opens


def offline(seconds: int, **more: Any) -> World:
    world = make_world(keys=(make_key(PHONE, "0401", offline_expiration_seconds=seconds, **more),))
    world.cut_network(PHONE)
    return world


def test_latest_opening_is_the_end_of_the_countdown() -> None:
    assert offline(3600).oracle.latest_opening(PHONE, LOCK_PUMP, START) == START + minutes(60)


def test_latest_opening_is_cut_by_the_end_date_where_the_lock_honours_it() -> None:
    world = offline(28800, ends_lg=LOCAL_START + minutes(45))
    assert world.oracle.latest_opening(PHONE, LOCK_PUMP, START) == START + minutes(45)


def test_no_limit_is_no_end_and_no_right_is_never() -> None:
    world = offline(0)
    assert world.oracle.latest_opening(PHONE, LOCK_PUMP, START) is None
    assert world.oracle.latest_opening(PHONE, LOCK_VALVE, START) == NEVER
    assert offline(600).oracle.latest_opening(PHONE, LOCK_PUMP, START + minutes(11)) == NEVER


def test_the_repeated_hour_prolongs_an_end_date_written_without_offset() -> None:
    start = datetime.fromisoformat("2026-10-24T20:00:00+00:00")
    world = make_world(keys=(make_key(PHONE, "0401", ends_lg=datetime(2026, 10, 25, 2, 30)),))  # noqa: DTZ001
    moved = World(7, start, physics=Physics.exact(), site=world.iloq.account)
    latest = moved.oracle.latest_opening(PHONE, LOCK_PUMP, start)
    assert latest == datetime.fromisoformat("2026-10-25T01:30:00+00:00")
    assert not moved.oracle.can_open(PHONE, LOCK_PUMP, datetime.fromisoformat("2026-10-25T00:45:00+00:00"))


def test_who_can_open_names_keys_and_looks_forward_only() -> None:
    world = make_world()
    assert PHONE in world.oracle.who_can_open(LOCK_PUMP, START)
    assert world.oracle.who_can_open(LOCK_VALVE, START) == []
    with pytest.raises(ValueError):
        world.oracle.can_open(PHONE, LOCK_PUMP, START - minutes(1))


def test_intersection_of_intervals_is_exact() -> None:
    one = [(START, START + minutes(10)), (START + minutes(20), windows.FUTURE)]
    other = [(START + minutes(5), START + minutes(25))]
    assert windows.intersect(one, other) == [
        (START + minutes(5), START + minutes(10)),
        (START + minutes(20), START + minutes(25)),
    ]


def a_busy_night(seed: int) -> World:
    world = make_world(seed=seed, physics=Physics())
    keys: list[UUID] = list(world.keys)
    chance = world.rng.stream("people of this test")
    for _ in range(200):
        world.advance_to(world.now + timedelta(seconds=chance.randint(1, 300)))
        key, lock = chance.choice(keys), chance.choice(list(world.locks))
        match chance.randint(0, 9):
            case 0:
                world.cut_network(PHONE)
            case 1:
                world.restore_network(PHONE)
            case 2:
                world.out_of_band.change_rights(key, chance.sample(sorted(world.iloq.state.rights), 2))
                world.out_of_band.order(key)
            case 3:
                world.programmer_visit(lock)
            case _:
                world.present(key, lock)
    return world


def test_same_seed_same_bytes_and_another_seed_other_bytes() -> None:
    one, same, other = a_busy_night(1), a_busy_night(1), a_busy_night(2)
    assert one.snapshot() == same.snapshot()
    assert one.digest() == same.digest()
    assert one.digest() != other.digest()
    assert len(one.iloq.state.log) > 50


def test_latency_is_seeded_and_within_its_bounds() -> None:
    low, high = timedelta(seconds=2), timedelta(seconds=20)
    world = make_world(physics=replace(Physics.exact(), push_latency=(low, high)))
    world.out_of_band.change_rights(PHONE, [VALVE])
    world.out_of_band.order(PHONE)
    due = world.time.next_due()
    assert due is not None
    assert low <= due - START <= high
    assert not world.present(PHONE, LOCK_VALVE, START + low - A_WHILE).ok
    assert world.present(PHONE, LOCK_VALVE, START + high).ok
