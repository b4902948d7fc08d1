"""Virtual time, device clocks and local wall-clock limits."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from key2xs_twin.devices.windows import before_local, from_local
from key2xs_twin.time import DeviceClock, TwinTime
from tests.twin.iloq.factory import START, minutes

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def test_events_run_in_order_of_time_then_of_scheduling() -> None:
    time = TwinTime(START)
    seen: list[str | datetime] = []
    time.at(START + minutes(2), lambda: seen.append("second"))
    time.at(START + minutes(1), lambda: time.after(minutes(1), lambda: seen.append("third")))
    time.at(START + minutes(2), lambda: seen.append(time.now)).cancel()
    assert time.next_due() == START + minutes(1)
    assert time.advance_to(START + minutes(3)) == 3
    assert seen == ["second", "third"]
    assert (time.now, time.next_due()) == (START + minutes(3), None)


def test_time_does_not_go_back() -> None:
    time = TwinTime(START)
    with pytest.raises(ValueError):
        time.advance_to(START - minutes(1))
    with pytest.raises(ValueError):
        TwinTime(datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose


@given(st.integers(-600, 600), st.floats(-1e-3, 1e-3), st.integers(0, 10**7))
def test_a_clock_reading_leads_back_to_its_instant(offset: int, drift: float, later: int) -> None:
    clock = DeviceClock(START, timedelta(seconds=offset), drift)
    at = START + timedelta(seconds=later)
    assert abs(clock.instant_of(clock.reading(at)) - at) <= timedelta(microseconds=5)


@given(
    st.datetimes(datetime(2026, 10, 24), datetime(2026, 10, 26)),  # noqa: DTZ001 - local wall clock
    st.integers(0, 72 * 60),
)
def test_intervals_before_a_local_time_agree_with_comparing_in_autumn(limit: datetime, minute: int) -> None:
    check(limit, datetime(2026, 10, 23, 12, tzinfo=UTC) + minutes(minute))


@given(
    st.datetimes(datetime(2026, 3, 28), datetime(2026, 3, 30)),  # noqa: DTZ001 - local wall clock
    st.integers(0, 72 * 60),
)
def test_intervals_before_a_local_time_agree_with_comparing_in_spring(limit: datetime, minute: int) -> None:
    check(limit, datetime(2026, 3, 27, 12, tzinfo=UTC) + minutes(minute))


def check(limit: datetime, at: datetime) -> None:
    compared = at.astimezone(AMSTERDAM).replace(tzinfo=None) < limit
    assert any(begin <= at < end for begin, end in before_local(limit, AMSTERDAM)) == compared
    assert any(begin <= at < end for begin, end in from_local(limit, AMSTERDAM)) == (not compared)


def test_a_limit_in_the_repeated_hour_is_met_twice() -> None:
    limit = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - local wall clock
    first, second = before_local(limit, AMSTERDAM)
    assert first[1] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert second == (datetime(2026, 10, 25, 1, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
