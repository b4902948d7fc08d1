"""Instants on screen."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from key2xs.console.times import SiteTime, length, share_left

NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # 23:30 at the site
T = SiteTime(ZoneInfo("Europe/Amsterdam"), NOW)
H, M, S = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (NOW, "23:30"),
        (NOW + 29 * M, "23:59"),
        (NOW + 30 * M, "tomorrow 00:00"),  # the site's midnight, not UTC's
        (NOW - 24 * H, "yesterday 23:30"),
        (NOW - 72 * H, "Fri 27 Feb 23:30"),
        (None, "\N{EN DASH}"),
    ],
)
def test_a_clock_time_names_its_day_unless_it_is_today(at: datetime | None, shown: str) -> None:
    assert T.clock(at) == shown


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (NOW, "just now"),
        (NOW - 12 * S, "12 s ago"),
        (NOW - 2 * M, "2 min ago"),
        (NOW + 38 * M, "in 38 min"),
        (NOW + 90 * M, "in 1 h 30 min"),
        (None, "never"),
    ],
)
def test_an_age_says_past_or_future(at: datetime | None, shown: str) -> None:
    assert T.ago(at) == shown


@pytest.mark.parametrize(
    ("of", "shown"),
    [
        (89 * S, "89 s"),
        (90 * S, "1 min"),
        (2 * H, "2 h"),
        (24 * H, "1 day"),
        (50 * H, "2 days 2 h"),
        (400 * H, "16 days"),
    ],
)
def test_a_length_has_one_or_two_units(of: timedelta, shown: str) -> None:
    assert length(of) == shown


def test_a_bar_runs_from_full_to_empty_and_no_further() -> None:
    start, end = NOW, NOW + 4 * H
    assert [share_left(start, end, NOW + n * H) for n in (-1, 0, 1, 4, 9)] == [100, 100, 75, 0, 0]
    assert share_left(end, start, NOW) == 0, "a stretch that ends before it begins has nothing left"


def test_a_tooltip_names_the_zone() -> None:
    assert T.full(NOW) == "Monday 2 March 2026, 23:30:00 CET"
