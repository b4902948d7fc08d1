"""The CLIQ oracle against reality: what it says is what happens when somebody tries. And repeatability."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st

from key2xs_twin.cliq import KeyPlan, Validity, ValidityKind, WeeklyRow
from key2xs_twin.devices import windows
from key2xs_twin.physics import Physics
from key2xs_twin.time import NEVER
from key2xs_twin.world import World
from tests.twin.cliq_factory import (
    ASKING,
    CARRIER,
    CONNECT,
    DYNAMIC,
    GATE,
    START,
    TANK,
    TANKS,
    WALL,
    make_plan,
    make_site,
    make_world,
    minutes,
)

A_WHILE = timedelta(milliseconds=1)

row = st.tuples(st.integers(0, 6), st.integers(0, 95), st.integers(1, 96)).filter(lambda r: r[1] < r[2])
validity = st.one_of(
    st.just(Validity()),
    st.just(Validity(kind=ValidityKind.NEVER)),
    st.tuples(st.none() | st.integers(-8, 40), st.integers(41, 200)).map(
        lambda ends: Validity(
            kind=ValidityKind.BETWEEN,
            starts_at=None if ends[0] is None else START + ends[0] * minutes(30),
            ends_at=START + ends[1] * minutes(30),
        )
    ),
)
plan = st.builds(
    KeyPlan,
    cylinder_ids=st.sampled_from(
        [frozenset({GATE}), frozenset({GATE}), frozenset({GATE, ASKING}), frozenset()]
    ),
    group_ids=st.sampled_from([frozenset(), frozenset({TANKS})]),
    validity=validity,
    schedule=st.none()
    | st.lists(row.map(lambda r: WeeklyRow(r[0], r[1] * 15, r[2] * 15)), min_size=1, max_size=3).map(
        lambda rows: tuple(sorted(rows))
    ),
    revalidation_minutes=st.none() | st.sampled_from([60, 480, 20_000]),
    online_opening=st.booleans(),
)
physics = st.builds(
    Physics,
    drift_s_per_day=st.sampled_from([0.0, 30.0]),
    cliq_offset_s=st.sampled_from([0.0, 90.0]),
    connect_opens_without_network=st.booleans(),
)
act = st.tuples(
    st.sampled_from(["wait", "plan", "send", "update", "pull", "block", "cut", "restore", "lost", "clock"]),
    st.integers(0, 60),
)


def play(world: World, key: Any, acts: list[tuple[str, int]], other: KeyPlan) -> None:
    """A random history of one key."""
    record = world.cliq.state.keys[key]
    for name, number in acts:
        world.advance_to(world.now + minutes(number))
        match name:
            case "plan" if record.reported is None:
                online = other.online_opening and key == CONNECT
                record.plan, record.revision = replace(other, online_opening=online), record.revision + 1
            case "send":
                world.cliq_out_of_band.send(key)
            case "update":
                world.present_at_updater(key, WALL, ack_lost=number > 30)
            case "pull":
                world.present_at_updater(key, WALL, pulled_early=True)
            case "block":
                world.cliq_field.cylinders[GATE].blocked.add(key)
            case "cut":
                world.cut_network(CONNECT)
            case "restore":
                world.restore_network(CONNECT)
            case "lost":
                world.cliq_out_of_band.report_lost(key)
            case "clock":
                world.set_clock(key, minutes(number - 30))
            case _:
                pass


@given(
    physics,
    plan,
    plan,
    st.sampled_from([DYNAMIC, CONNECT]),
    st.sampled_from([GATE, TANK, ASKING]),
    st.lists(act, max_size=8),
    st.integers(0, 20_000),
)
def test_the_oracle_agrees_with_trying(
    rules: Physics,
    first: KeyPlan,
    other: KeyPlan,
    key: Any,
    lock: Any,
    acts: list[tuple[str, int]],
    later: int,
) -> None:
    def build() -> World:
        site = make_site(plan=replace(first, online_opening=False), connect_plan=first)
        world = make_world(physics=rules, site=site)
        play(world, key, acts, other)
        return world

    world = build()
    frm = world.now
    latest = world.oracle.latest_opening(key, lock, frm)
    probes = [frm, frm + minutes(later)]
    expected = {at: world.oracle.can_open(key, lock, at) for at in probes}
    if latest == NEVER:
        assert not any(expected.values())
    elif latest is not None:
        assert latest > frm
        expected[max(frm, latest - A_WHILE)] = True
        expected[latest + A_WHILE] = False
        expected[latest + timedelta(days=30)] = False
    for begin, end in world.oracle.openable(key, lock)[:2]:
        expected[max(begin + A_WHILE, frm)] = True
        if end != windows.FUTURE:
            expected[end - A_WHILE] = True
    for at, opens in sorted(expected.items()):
        assert build().present(key, lock, at).ok == opens, at


def test_the_end_is_the_earliest_limit_seen_through_the_schedule() -> None:
    plan = make_plan(
        validity=Validity(kind=ValidityKind.BETWEEN, ends_at=START + timedelta(days=9)),
        schedule=(WeeklyRow(0, 17 * 60, 19 * 60), WeeklyRow(2, 600, 660)),
        revalidation_minutes=None,
    )
    world = make_world(site=make_site(plan=plan))
    # The last Wednesday row before the end: 2 December, 10:00 to 11:00 in Amsterdam.
    assert world.oracle.latest_opening(DYNAMIC, GATE, START) == datetime(2026, 12, 2, 10, tzinfo=UTC)
    after = datetime(2026, 12, 2, 10, tzinfo=UTC)
    assert world.oracle.latest_opening(DYNAMIC, GATE, after) == NEVER
    assert len(world.oracle.openable(DYNAMIC, GATE)) == 4


def test_without_any_end_there_is_none_and_a_block_is_never() -> None:
    world = make_world(site=make_site(plan=make_plan(revalidation_minutes=None)))
    assert world.oracle.latest_opening(DYNAMIC, GATE, START) is None
    weekly = make_plan(revalidation_minutes=None, schedule=(WeeklyRow(3, 0, 60),))
    assert make_world(site=make_site(plan=weekly)).oracle.latest_opening(DYNAMIC, GATE, START) is None
    world.cliq_field.cylinders[GATE].blocked.add(DYNAMIC)
    assert world.oracle.latest_opening(DYNAMIC, GATE, START) == NEVER


def test_a_schedule_is_judged_on_the_clock_in_the_key() -> None:
    plan = make_plan(schedule=(WeeklyRow(0, 18 * 60, 19 * 60),))
    world = make_world(site=make_site(plan=plan))
    world.set_clock(DYNAMIC, minutes(20))
    assert world.oracle.latest_opening(DYNAMIC, GATE, START) == START + minutes(40)
    assert world.present(DYNAMIC, GATE, START + minutes(40) - A_WHILE).ok
    assert not world.present(DYNAMIC, GATE, START + minutes(40)).ok


def test_the_repeated_hour_of_a_schedule_opens_twice() -> None:
    start = datetime(2026, 10, 24, 20, tzinfo=UTC)  # the clocks go back in the night to Sunday
    plan = make_plan(schedule=(WeeklyRow(6, 135, 165),), revalidation_minutes=None)  # 02:15 to 02:45
    world = World(7, start, physics=Physics.exact(), cliq=make_site(plan=plan))
    night = [each for each in world.oracle.openable(DYNAMIC, GATE) if each[0].day == 25][:2]
    assert [(begin.hour, begin.minute, end.hour, end.minute) for begin, end in night] == [
        (0, 15, 0, 45),
        (1, 15, 1, 45),
    ]
    assert [world.present(DYNAMIC, GATE, begin).ok for begin, _ in night] == [True, True]


def a_busy_night(seed: int) -> World:
    world = make_world(seed=seed, physics=Physics())
    chance = world.rng.stream("people of this test")
    job = 0
    for _ in range(200):
        world.advance_to(world.now + timedelta(seconds=chance.randint(1, 300)))
        key, lock = (
            chance.choice(list(world.cliq_field.keys)),
            chance.choice(list(world.cliq_field.cylinders)),
        )
        match chance.randint(0, 9):
            case 0:
                world.cut_network(CONNECT)
            case 1:
                world.restore_network(CONNECT)
            case 2 if key in {DYNAMIC, CONNECT}:
                world.cliq_out_of_band.change_plan(key, [lock], revalidation_minutes=chance.randint(60, 600))
                world.cliq_out_of_band.send(key)
            case 3:
                world.present_at_updater(key, WALL, pulled_early=chance.random() < 0.2)
            case 4:
                job += world.load_programming_key(CARRIER, WALL)
                world.insert_programming_key(CARRIER, lock)
            case 5:
                world.return_programming_key(CARRIER, WALL)
            case _:
                world.present(key, lock)
    return world


def test_same_seed_same_bytes_and_another_seed_other_bytes() -> None:
    one, same, other = a_busy_night(1), a_busy_night(1), a_busy_night(2)
    assert one.snapshot() == same.snapshot()
    assert one.digest() == same.digest()
    assert one.digest() != other.digest()
    assert len(one.cliq.state.events) > 50
    before = one.digest()
    one.cliq_field.cylinders[GATE].blocked.add(DYNAMIC)
    assert one.digest() != before, "device truth is part of it"
