"""How far a memory is known: never further than it was read, and not always *not known*."""

from collections import deque
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from key2xs.keys.coverage.rules import (
    NOTHING,
    Coverage,
    Gap,
    Run,
    Span,
    Stretch,
    badness,
    either,
    from_numbers,
    from_readings,
    may_have_lost,
    standing,
    together,
)

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
MARGIN = timedelta(minutes=5)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def rows(first: int, last: int, begins: float, ends: float) -> Stretch:
    return Stretch(first, last, last - first + 1, at(begins), at(ends))


def test_rows_without_a_gap_are_known_from_the_first_to_the_last_less_the_clock() -> None:
    known = from_numbers([rows(7, 9, 0, 10)], MARGIN)
    assert (known.whole_since, known.read_up_to) == (at(0) + MARGIN, at(10) - MARGIN)
    assert known.covers(at(1), at(9))
    assert not known.covers(at(0), at(9))
    assert not known.covers(at(1), at(10))


def test_a_gap_is_named_and_not_guessed() -> None:
    known = from_numbers([rows(14, 20, 12, 20), rows(1, 9, 0, 10)], MARGIN)
    assert known.gaps == (Gap(at(10), at(12), 4),)
    assert known.rows_missing == 4
    assert known.whole_since == at(12) + MARGIN
    assert known.covers(at(1), at(9))
    assert known.covers(at(13), at(19))
    assert not known.covers(at(1), at(19))


def test_one_row_proves_nothing_and_neither_do_rows_without_a_time() -> None:
    assert from_numbers([rows(4, 4, 1, 1)], MARGIN).read_up_to is None
    assert from_numbers([Stretch(1, 9, 9, at(0), None)], MARGIN).read_up_to is None
    assert from_numbers([], MARGIN) == NOTHING


def test_numbers_that_do_not_rise_with_time_are_of_another_memory() -> None:
    replaced = from_numbers([rows(1, 5, 100, 110), rows(400, 450, 0, 90)], MARGIN)
    assert replaced.restarted
    assert replaced.read_up_to is None
    assert from_numbers([Stretch(1, 5, 6, at(0), at(9))], MARGIN).restarted, "a number that came twice"


def test_readings_follow_each_other_unless_the_memory_may_have_run_over() -> None:
    assert not may_have_lost(999, 1000)
    assert may_have_lost(1000, 1000)
    known = from_readings([Run(at(0), at(10)), Run(at(12), at(20))], MARGIN)
    assert known.gaps == (Gap(at(10), at(12), None),)
    assert (known.whole_since, known.read_up_to) == (at(12) + MARGIN, at(20) - MARGIN)


def test_a_wipe_is_a_gap_whose_rows_are_lost() -> None:
    known = from_readings([Run(at(0), at(10)), Run(at(12), at(20), wiped=True)], MARGIN)
    assert known.gaps == (Gap(at(10), at(12), None, lost=True),)
    assert not known.covers(at(9), at(13))
    first = from_readings([Run(at(12), at(20), wiped=True)], MARGIN)
    assert first.gaps == (Gap(None, at(12), None, lost=True),), "what stood there before nobody read"
    assert from_readings([Run(at(0), at(10))], MARGIN).gaps == ()


def test_a_key_and_a_cylinder_fill_each_others_gaps() -> None:
    key = Coverage((Span(at(0), at(6)),))
    lock = Coverage((Span(at(1), at(2)), Span(at(5), at(9))), (Gap(at(2), at(5), 3),))
    both = either(key, lock)
    assert both.spans == (Span(at(0), at(9)),)
    assert both.gaps == ()


def test_a_key_without_a_memory_is_known_as_far_as_all_its_locks() -> None:
    one, other = Coverage((Span(at(0), at(6)),)), Coverage((Span(at(2), at(9)),))
    assert together([one, other]).spans == (Span(at(2), at(6)),)
    assert together([one, NOTHING]).read_up_to is None
    assert together([]).read_up_to is None


def test_the_worst_comes_first() -> None:
    now = at(24 * 100)
    fresh = Coverage((Span(at(0), now - timedelta(days=1)),))
    holes = Coverage(fresh.spans, (Gap(None, now - timedelta(days=2), 3),))
    old, older = Coverage((Span(at(0), at(24 * 50)),)), Coverage((Span(at(0), at(24 * 20)),))
    found = sorted([fresh, holes, old, older, NOTHING], key=lambda each: badness(each, standing(each, now)))
    assert found == [NOTHING, older, old, holes, fresh]
    assert [standing(each, now) for each in found] == ["unknown", "old", "old", "rows_missing", "read"]


@given(
    times=st.lists(st.floats(0.5, 40), min_size=3, max_size=40),
    lost=st.sets(st.integers(1, 40)),
    skews=st.lists(st.floats(-1, 1), min_size=40, max_size=40),
    asked=st.tuples(st.floats(0, 900), st.floats(0, 900)),
)
def test_nothing_that_is_missing_was_ever_inside_what_is_claimed(
    times: list[float], lost: set[int], skews: list[float], asked: tuple[float, float]
) -> None:
    truth = [sum(times[: index + 1]) for index in range(len(times))]
    here = [n for n in range(1, len(truth) + 1) if n not in lost]
    told = {n: at(truth[n - 1]) + MARGIN * skews[n - 1] for n in here}
    stretches: list[list[int]] = []
    for n in here:
        if stretches and stretches[-1][-1] == n - 1:
            stretches[-1].append(n)
        else:
            stretches.append([n])
    known = from_numbers(
        [Stretch(each[0], each[-1], len(each), told[each[0]], told[each[-1]]) for each in stretches], MARGIN
    )
    start, end = at(min(asked)), at(max(asked))
    missing = [at(truth[n - 1]) for n in range(1, len(truth) + 1) if n in lost]
    if known.covers(start, end):
        assert not [when for when in missing if start <= when <= end]
        assert end <= at(truth[-1])
    if not lost and truth[-1] - truth[0] > 1:
        assert known.read_up_to is not None, "nothing is missing, so something is known"
    assert known.rows_missing == sum(1 for n in lost if here and here[0] < n < here[-1])


@given(gaps=st.lists(st.integers(0, 12), min_size=1, max_size=12), holds=st.integers(1, 8))
def test_a_memory_that_ran_over_is_never_taken_for_whole(gaps: list[int], holds: int) -> None:
    ring: deque[int] = deque(maxlen=holds)
    written, here = 0, set[int]()
    for number in gaps:
        before = written
        for _ in range(number):
            written += 1
            ring.append(written)
        here |= set(ring)
        since = sum(1 for row in here if row > before)
        if not may_have_lost(since, holds):
            assert all(row in here for row in range(before + 1, written + 1))
