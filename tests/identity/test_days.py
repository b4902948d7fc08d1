"""What a bare date means at the site, also on the nights when the clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from key2xs.core.errors import InvalidInput
from key2xs.identity import end_of_day, parse_end, parse_start, start_of_day

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ZONES = ("Europe/Amsterdam", "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Pacific/Chatham", "UTC")


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 1, 15), datetime(2026, 1, 15, 23, tzinfo=UTC)),  # winter: UTC+1
        (date(2026, 7, 15), datetime(2026, 7, 15, 22, tzinfo=UTC)),  # summer: UTC+2
        (date(2026, 3, 28), datetime(2026, 3, 28, 23, tzinfo=UTC)),  # the day before the clocks go forward
        (date(2026, 3, 29), datetime(2026, 3, 29, 22, tzinfo=UTC)),  # 23 hours long
        (date(2026, 10, 24), datetime(2026, 10, 24, 22, tzinfo=UTC)),  # the day before they go back
        (date(2026, 10, 25), datetime(2026, 10, 25, 23, tzinfo=UTC)),  # 25 hours long
    ],
)
def test_a_day_at_amsterdam_ends_at_its_own_midnight(day: date, end: datetime) -> None:
    assert end_of_day(day, AMSTERDAM) == end


def test_a_day_without_a_midnight_begins_with_the_skip() -> None:
    # Sao Paulo, 4 November 2018: 00:00 became 01:00.
    assert start_of_day(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo")) == datetime(
        2018, 11, 4, 3, tzinfo=UTC
    )


def test_a_day_with_two_midnights_begins_with_the_first() -> None:
    # Havana, 2 November 2025: 01:00 became 00:00 again.
    assert start_of_day(date(2025, 11, 2), ZoneInfo("America/Havana")) == datetime(2025, 11, 2, 4, tzinfo=UTC)


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.sampled_from(ZONES))
def test_every_day_ends_where_the_next_begins_and_lasts_about_a_day(day: date, name: str) -> None:
    zone = ZoneInfo(name)
    begin, end = start_of_day(day, zone), end_of_day(day, zone)
    assert end == start_of_day(day + timedelta(days=1), zone)
    assert timedelta(hours=22) <= end - begin <= timedelta(hours=26)
    assert (end - timedelta(microseconds=1)).astimezone(zone).date() == day
    assert end.astimezone(zone).date() > day


def test_a_bare_date_ends_with_its_day_and_an_instant_where_it_says() -> None:
    assert parse_end("2026-11-30", AMSTERDAM, field="f") == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert parse_start("2026-11-30", AMSTERDAM, field="f") == datetime(2026, 11, 29, 23, tzinfo=UTC)
    assert parse_end("2026-11-30T18:00:00+01:00", AMSTERDAM, field="f") == datetime(
        2026, 11, 30, 17, tzinfo=UTC
    )
    assert parse_end("2026-11-30T18:00:00Z", AMSTERDAM, field="f") == datetime(2026, 11, 30, 18, tzinfo=UTC)


def test_the_year_9999_is_no_end() -> None:
    assert parse_end("9999-12-31", AMSTERDAM, field="f") is None
    assert parse_end("9999-12-31T23:59:59Z", AMSTERDAM, field="f") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "30-11-2026",
        "2026-02-30",
        "2026-11-30T18:00:00",
        "2026-W48-1",
        "20261130",
        "2026-11-30 18:00",
        "1",
    ],
)
def test_a_date_that_cannot_be_read_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_end(text, AMSTERDAM, field="contractEnd")
    assert refused.value.field == "contractEnd"
