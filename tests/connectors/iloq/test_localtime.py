"""Local time without offset: written with one meaning, read with the meaning that cannot surprise."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from key2xs.connectors.iloq.localtime import (
    end_from_local,
    instant_from_utc_text,
    start_from_local,
    to_local,
    utc_text,
)
from key2xs.keys.grid import end_on_grid, start_on_grid

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
QUARTER = timedelta(minutes=15)
nights = st.builds(
    lambda night, seconds: night + timedelta(seconds=seconds),
    st.sampled_from(
        [
            datetime(2026, 10, 25, tzinfo=UTC),
            datetime(2026, 3, 29, tzinfo=UTC),
            datetime(2026, 6, 1, tzinfo=UTC),
        ]
    ),
    st.integers(-7200, 4 * 3600),
)


@given(nights)
def test_a_rounded_instant_comes_back_as_itself(at: datetime) -> None:
    end, start = (round_it(at, grid=QUARTER, zone=AMSTERDAM) for round_it in (end_on_grid, start_on_grid))
    assert end_from_local(to_local(end, AMSTERDAM), AMSTERDAM) == end
    assert start_from_local(to_local(start, AMSTERDAM), AMSTERDAM) == start


@given(nights)
def test_a_stored_end_is_never_read_earlier_and_a_start_never_later_than_a_lock_could_take_it(
    at: datetime,
) -> None:
    wall = at.astimezone(AMSTERDAM).replace(tzinfo=None, fold=0, microsecond=0)
    text = wall.strftime("%Y-%m-%dT%H:%M:%S")
    assert start_from_local(text, AMSTERDAM) <= at <= end_from_local(text, AMSTERDAM)


def test_the_repeated_hour_is_never_written() -> None:
    with pytest.raises(ValueError, match="two meanings"):
        to_local(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), AMSTERDAM)


def test_the_repeated_hour_is_read_late_for_an_end_and_early_for_a_start() -> None:
    assert end_from_local("2026-10-25T02:30:00", AMSTERDAM) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert start_from_local("2026-10-25T02:30:00", AMSTERDAM) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_the_missing_hour_is_read_just_as_carefully() -> None:
    assert end_from_local("2026-03-29T02:30:00", AMSTERDAM) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert start_from_local("2026-03-29T02:30:00", AMSTERDAM) == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-06-01T12:00:00", "2026-06-01T12:00:00Z", "2026-06-01T14:00:00+02:00"])
def test_a_utc_value_is_read_with_and_without_its_offset(text: str) -> None:
    assert instant_from_utc_text(text) == datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_utc_value_is_written_with_z() -> None:
    assert utc_text(datetime(2026, 6, 1, 14, tzinfo=AMSTERDAM)) == "2026-06-01T12:00:00.000000Z"
