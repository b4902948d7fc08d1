"""How programs compare: `within` is the one order that decides whether a write widens."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, OfflineExpiry, Program

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
hours = st.one_of(st.none(), st.integers(0, 5).map(lambda n: NOON + timedelta(hours=n)))
expiries: st.SearchStrategy[OfflineExpiry] = st.one_of(
    st.none(), st.just(UNLIMITED), st.integers(1, 4).map(lambda n: timedelta(hours=n))
)
programs = st.builds(
    Program,
    rights=st.frozensets(st.sampled_from("abc")),
    starts_at=hours,
    ends_at=hours,
    offline_expires_after=expiries,
    renews_until=st.one_of(hours, st.just(UNLIMITED)),
)


@given(programs, programs, programs)
def test_within_is_an_order(a: Program, b: Program, c: Program) -> None:
    assert a.within(a)
    if a.within(b) and b.within(c):
        assert a.within(c)


@given(programs, programs)
def test_a_program_is_narrower_or_wider_but_never_both(a: Program, b: Program) -> None:
    assert not (a.narrower_than(b) and a.wider_than(b))
    assert a.wider_than(b) != a.within(b)


@given(programs)
def test_taking_the_rights_away_is_never_wider_than_anything(program: Program) -> None:
    assert replace(program, rights=frozenset()).within(EMPTY_PROGRAM)
    assert not EMPTY_PROGRAM.wider_than(program)


@given(programs, hours)
def test_no_end_is_never_within_an_end(program: Program, end: datetime | None) -> None:
    endless = replace(program, rights=frozenset("a"), starts_at=None, ends_at=None)
    if end is not None:
        assert endless.wider_than(replace(endless, ends_at=end, renews_until=None))


@pytest.mark.parametrize("switched_off", [None, UNLIMITED])
def test_switching_the_interval_off_widens(switched_off: OfflineExpiry) -> None:
    base = Program(rights=frozenset("a"), offline_expires_after=timedelta(hours=8))
    assert replace(base, offline_expires_after=switched_off).wider_than(base)


def test_a_scheduler_that_moves_the_end_widens() -> None:
    base = Program(rights=frozenset("a"), ends_at=NOON)
    assert replace(base, renews_until=NOON + timedelta(days=9)).wider_than(base)
    assert replace(base, renews_until=UNLIMITED).wider_than(base)


def test_a_window_that_ends_before_it_starts_is_not_as_good_as_no_rights() -> None:
    """A lock that ignores limits opens all the same."""
    odd = Program(rights=frozenset("a"), starts_at=NOON, ends_at=NOON)
    assert odd.window_is_empty
    assert not odd.opens_nothing
    assert odd.wider_than(EMPTY_PROGRAM)


def test_zero_is_never_an_interval_by_accident() -> None:
    with pytest.raises(ValueError, match="UNLIMITED"):
        Program(offline_expires_after=timedelta(0))


def test_a_naive_end_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Program(ends_at=datetime(2026, 6, 1))  # noqa: DTZ001 - that is the point
