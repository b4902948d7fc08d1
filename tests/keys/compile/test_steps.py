"""The order of steps: what takes away goes first, and each maker's block in the order that works there."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from key2xs.keys.compile.steps import (
    Act,
    block_steps,
    is_same,
    key_steps,
    list_steps,
    meet,
)
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program, WeeklyWindow

EIGHT = datetime(2026, 6, 1, 8, tzinfo=UTC)
instants = st.none() | st.integers(0, 6).map(lambda n: EIGHT + timedelta(hours=n))
weeks = st.none() | st.frozensets(
    st.builds(
        lambda day, begins, length: WeeklyWindow(day, begins, begins + length),
        st.integers(0, 1),
        st.integers(0, 5),
        st.integers(1, 4),
    ),
    max_size=2,
)
programs = st.builds(
    Program,
    rights=st.frozensets(st.sampled_from("abc")),
    starts_at=instants,
    ends_at=instants,
    offline_expires_after=st.sampled_from([None, UNLIMITED, timedelta(hours=1), timedelta(hours=4)]),
    renews_until=st.none() | st.just(UNLIMITED) | st.just(EIGHT + timedelta(hours=4)),
    schedule=weeks,
)


@given(programs, programs)
def test_what_two_programs_share_lies_within_both(one: Program, other: Program) -> None:
    shared = meet(one, other)
    assert shared.within(one)
    assert shared.within(other)


@given(programs, programs)
def test_nothing_of_what_is_shared_is_lost_when_one_lies_within_the_other(
    one: Program, other: Program
) -> None:
    if one.within(other) and not one.window_is_empty and one.schedule != frozenset():
        assert one.within(meet(one, other))


@given(programs, programs)
def test_steps_of_a_key_end_at_the_wish_and_never_widen_before_they_have_narrowed(
    held: Program, wanted: Program
) -> None:
    steps = key_steps(held, wanted)
    written = [step.program for step in steps if step.program is not None]
    assert written[-1] == wanted
    assert steps[-1].act is Act.ORDER
    for step in steps:
        if step.act in {Act.NARROW, Act.EMPTY}:
            assert step.program is not None
            assert step.program.within(held)
    if wanted.wider_than(held) and held.wider_than(wanted):
        assert [step.act for step in steps[:2]] in ([Act.NARROW, Act.ORDER], [Act.EMPTY, Act.ORDER])


def test_where_one_list_spreads_a_key_keeps_its_rights_and_is_blocked_before_anything_empties_it() -> None:
    held = Program(frozenset("ab"), ends_at=EIGHT + timedelta(hours=8))
    steps = block_steps(held, closes_at=EIGHT, by_visits=False)
    assert [step.act for step in steps] == [Act.CLOSE, Act.ORDER, Act.BLOCK, Act.ORDER_LIST]
    assert steps[0].program is not None
    assert steps[0].program.rights == held.rights
    assert steps[0].program.last_end == EIGHT


def test_a_window_that_is_over_is_not_closed_again() -> None:
    over = Program(frozenset("a"), ends_at=EIGHT)
    steps = block_steps(over, closes_at=EIGHT, by_visits=False)
    assert [step.act for step in steps] == [Act.BLOCK, Act.ORDER_LIST]


def test_where_cylinders_are_visited_the_key_is_emptied_first() -> None:
    steps = block_steps(Program(frozenset("a")), closes_at=EIGHT, by_visits=True, locks=["y", "x", "x"])
    assert [step.act for step in steps] == [Act.EMPTY, Act.ORDER, Act.BLOCK, Act.VISIT]
    assert steps[-1].names == ("x", "y")


def test_a_list_that_spreads_takes_in_before_it_lets_go() -> None:
    steps = list_steps(block=["b", "a"], unblock=["c"])
    assert [(step.act, step.names) for step in steps] == [
        (Act.BLOCK, ("a", "b")),
        (Act.ORDER_LIST, ()),
        (Act.UNBLOCK, ("c",)),
        (Act.ORDER_LIST, ()),
    ]


def test_a_start_that_has_passed_changes_no_key() -> None:
    held = Program(frozenset("a"), starts_at=EIGHT, ends_at=EIGHT + timedelta(hours=8))
    wanted = Program(frozenset("a"), ends_at=EIGHT + timedelta(hours=8))
    assert is_same(held, wanted, at=EIGHT)
    assert not is_same(held, wanted, at=EIGHT - timedelta(seconds=1))
    assert is_same(Program(ends_at=EIGHT), EMPTY_PROGRAM, at=EIGHT)
