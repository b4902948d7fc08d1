"""Rounding to the vendor's steps: never wider, and never a local time with two meanings."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from key2xs.keys.grid import end_on_grid, has_one_meaning, is_on_grid, start_on_grid

QUARTER = timedelta(minutes=15)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ZONES = [
    ZoneInfo(name)
    for name in ("Europe/Amsterdam", "Europe/Helsinki", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
]

AUTUMN = datetime(2026, 10, 25, tzinfo=UTC)  # at 01:00 UTC clocks in Amsterdam go from 03:00 back to 02:00
SPRING = datetime(2026, 3, 29, tzinfo=UTC)  # at 01:00 UTC clocks in Amsterdam go from 02:00 on to 03:00

around_nights = st.builds(
    lambda night, seconds: night + timedelta(seconds=seconds),
    st.sampled_from(
        [AUTUMN, SPRING, datetime(2026, 4, 4, 12, tzinfo=UTC), datetime(2026, 10, 3, 12, tzinfo=UTC)]
    ),
    st.integers(-6 * 3600, 12 * 3600),
)
any_day = st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
instants = st.one_of(around_nights, any_day)


@given(instants, st.sampled_from(ZONES))
def test_an_end_is_never_rounded_later_and_a_start_never_earlier(at: datetime, zone: ZoneInfo) -> None:
    assert end_on_grid(at, grid=QUARTER, zone=zone) <= at <= start_on_grid(at, grid=QUARTER, zone=zone)


@given(instants, st.sampled_from(ZONES))
def test_rounded_local_times_lie_on_the_grid_and_mean_one_instant(at: datetime, zone: ZoneInfo) -> None:
    for rounded in (end_on_grid(at, grid=QUARTER, zone=zone), start_on_grid(at, grid=QUARTER, zone=zone)):
        wall = rounded.astimezone(zone).replace(tzinfo=None)
        assert wall.minute % 15 == 0
        assert wall.second == wall.microsecond == 0
        assert has_one_meaning(wall, zone)
        assert is_on_grid(rounded, grid=QUARTER, zone=zone)


@given(instants, st.sampled_from(ZONES))
def test_rounding_twice_changes_nothing(at: datetime, zone: ZoneInfo) -> None:
    end = end_on_grid(at, grid=QUARTER, zone=zone)
    start = start_on_grid(at, grid=QUARTER, zone=zone)
    assert end_on_grid(end, grid=QUARTER, zone=zone) == end
    assert start_on_grid(start, grid=QUARTER, zone=zone) == start


@given(instants, st.sampled_from(ZONES))
def test_rounding_takes_no_more_than_a_step_and_the_hours_of_a_clock_change(
    at: datetime, zone: ZoneInfo
) -> None:
    # Two hours of repeated wall time, and the step itself.
    slack = QUARTER + timedelta(hours=2)
    assert at - end_on_grid(at, grid=QUARTER, zone=zone) < slack
    assert start_on_grid(at, grid=QUARTER, zone=zone) - at < slack


@given(instants, st.timedeltas(timedelta(0), timedelta(hours=6)), st.sampled_from(ZONES))
def test_a_later_wish_never_gives_an_earlier_end(at: datetime, later: timedelta, zone: ZoneInfo) -> None:
    assert end_on_grid(at, grid=QUARTER, zone=zone) <= end_on_grid(at + later, grid=QUARTER, zone=zone)
    assert start_on_grid(at, grid=QUARTER, zone=zone) <= start_on_grid(at + later, grid=QUARTER, zone=zone)


@pytest.mark.parametrize(
    ("asked", "end", "start"),
    [
        # an ordinary evening, 18:07 local
        ("2026-07-01T16:07:00", "2026-07-01T16:00:00", "2026-07-01T16:15:00"),
        # 02:30 for the first time that night: back to 01:45, on to 03:00 winter time
        ("2026-10-25T00:30:00", "2026-10-24T23:45:00", "2026-10-25T02:00:00"),
        # 02:30 for the second time: the same two steps
        ("2026-10-25T01:30:00", "2026-10-24T23:45:00", "2026-10-25T02:00:00"),
        # 01:50 before the missing hour: a start lands on 03:00, which is the very instant of the change
        ("2026-03-29T00:50:00", "2026-03-29T00:45:00", "2026-03-29T01:00:00"),
    ],
)
def test_known_nights_round_as_a_person_would(asked: str, end: str, start: str) -> None:
    at = datetime.fromisoformat(asked).replace(tzinfo=UTC)
    assert end_on_grid(at, grid=QUARTER, zone=AMSTERDAM) == datetime.fromisoformat(end).replace(tzinfo=UTC)
    assert start_on_grid(at, grid=QUARTER, zone=AMSTERDAM) == datetime.fromisoformat(start).replace(
        tzinfo=UTC
    )


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        end_on_grid(datetime(2026, 7, 1), grid=QUARTER, zone=AMSTERDAM)  # noqa: DTZ001 - that is the point


def test_a_grid_that_does_not_divide_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="divide"):
        end_on_grid(AUTUMN, grid=timedelta(minutes=7), zone=AMSTERDAM)
