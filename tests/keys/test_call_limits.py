"""What a key system takes of calls: never more than it allows, and the last of them for what takes access away."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from key2xs.keys.call_limits import CALLS_A_STEP, CallLimits, Standing, Used, Wait, may_begin, take
from key2xs.keys.lanes import WorkLane

AT = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
DAY = date(2026, 3, 2)
QUOTA = CallLimits(a_day=1000)


@pytest.mark.parametrize(
    ("used", "open_lanes"),
    [
        (0, set(WorkLane)),
        (800 - CALLS_A_STEP, set(WorkLane)),
        (801 - CALLS_A_STEP, {WorkLane.KILL, WorkLane.STOP, WorkLane.REVOKE}),
        (1000 - CALLS_A_STEP, {WorkLane.KILL, WorkLane.STOP, WorkLane.REVOKE}),
        (1001 - CALLS_A_STEP, {WorkLane.KILL, WorkLane.STOP}),
        (5000, {WorkLane.KILL, WorkLane.STOP}),
    ],
)
def test_the_last_calls_of_a_day_are_for_what_takes_away(used: int, open_lanes: set[WorkLane]) -> None:
    found = {lane for lane in WorkLane if may_begin(QUOTA, Used(DAY, used), lane, AT) is None}
    assert found == open_lanes


def test_reading_in_the_background_has_a_share_and_no_more() -> None:
    assert may_begin(QUOTA, Used(DAY, 400, 380), None, AT) is None
    wait = may_begin(QUOTA, Used(DAY, 400, 381), None, AT)
    assert wait is not None
    assert wait.until == datetime(2026, 3, 3, tzinfo=UTC)
    assert may_begin(QUOTA, Used(DAY, 400, 381), WorkLane.GRANT, AT) is None


def test_a_day_begins_where_and_when_the_vendor_says() -> None:
    limits = CallLimits(a_day=100, day_starts_hour=6, day_zone=ZoneInfo("Europe/Helsinki"))
    assert limits.day_of(datetime(2026, 3, 3, 3, 59, tzinfo=UTC)) == DAY
    assert limits.day_of(datetime(2026, 3, 3, 4, 0, tzinfo=UTC)) == DAY + timedelta(days=1)
    assert limits.day_ends(AT) == datetime(2026, 3, 3, 4, 0, tzinfo=UTC)


def test_a_new_day_is_full_again() -> None:
    assert may_begin(QUOTA, Used(DAY, 5000), WorkLane.GRANT, AT + timedelta(days=1)) is None
    found = take(QUOTA, Used(DAY, 5000), WorkLane.GRANT, AT + timedelta(days=1))
    assert not isinstance(found, Wait)
    assert found[0].calls == len(found[1]) == 50


def test_the_standing_is_told_in_three_steps() -> None:
    assert [QUOTA.standing(used) for used in (0, 790, 990)] == [
        Standing.PLENTY,
        Standing.RESERVE,
        Standing.GONE,
    ]


@given(
    a_day=st.integers(100, 400),
    asked=st.lists(st.sampled_from([None, *WorkLane]), min_size=1, max_size=60),
)
def test_the_day_is_never_overdrawn_except_for_kills_and_stops(
    a_day: int, asked: list[WorkLane | None]
) -> None:
    limits, used, taken = CallLimits(a_day=a_day), Used(DAY), Counter[bool]()
    for lane in asked:
        found = take(limits, used, lane, AT)
        if not isinstance(found, Wait):
            used, times = found
            taken[lane in {WorkLane.KILL, WorkLane.STOP}] += len(times)
            if used.calls > a_day:
                assert lane in {WorkLane.KILL, WorkLane.STOP}
        else:
            assert lane not in {WorkLane.KILL, WorkLane.STOP}, "they are tried even when nothing is left"
    assert taken[False] <= a_day


@given(
    a_second=st.floats(0.5, 300),
    burst=st.integers(1, 60),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=40),
)
def test_calls_come_no_faster_than_allowed_whoever_takes_them(
    a_second: float, burst: int, pauses: list[float]
) -> None:
    limits, used, at = CallLimits(a_second=a_second, burst=burst), Used(DAY), AT
    made: list[datetime] = []
    for pause in pauses:
        at += timedelta(seconds=pause)
        found = take(limits, used, WorkLane.KILL, at)
        assert not isinstance(found, Wait)
        used, times = found
        made += [max(at, time) for time in times]
    made.sort()
    for first in range(len(made)):
        for last in range(first + burst, len(made)):
            seconds = (made[last] - made[first]).total_seconds()
            assert last - first + 1 <= burst + seconds * a_second + 1e-6


def test_what_can_wait_leaves_half_of_a_burst_to_a_kill() -> None:
    limits = CallLimits(a_second=5, burst=10)
    used = Used(DAY, next_call_at=AT - timedelta(seconds=0.9))  # five calls could be made at once
    wait = may_begin(limits, used, WorkLane.GRANT, AT)
    assert wait is not None
    assert timedelta(0) < wait.until - AT <= timedelta(seconds=0.2)
    assert may_begin(limits, used, WorkLane.REVOKE, AT) is None
    found = take(limits, used, WorkLane.KILL, AT)
    assert not isinstance(found, Wait)
    assert found[1][0] <= AT, "at once"
