"""When a memory is expected to lose rows, and when that is not known."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from key2xs.keys.coverage.forecast import NOT_KNOWN, Use, forecast, observed
from key2xs.keys.coverage.rules import NOTHING, Coverage, Span

DAY = timedelta(days=1)
READ = datetime(2026, 3, 2, 6, tzinfo=UTC)
SINCE = READ - 30 * DAY
KNOWN = Coverage((Span(SINCE, READ),))


def test_it_goes_by_the_rate_while_everything_was_read() -> None:
    found = forecast(KNOWN, Use(SINCE, 300), 1000, READ + DAY)
    assert found.rows_a_day == 10
    assert found.expected_at == READ + 100 * DAY


def test_rows_known_by_another_way_bring_it_nearer() -> None:
    now = READ + 10 * DAY
    assert forecast(KNOWN, Use(SINCE, 300, 100), 1000, now).expected_at == READ + 100 * DAY
    assert forecast(KNOWN, Use(SINCE, 300, 900), 1000, now).expected_at == now + 10 * DAY
    assert forecast(KNOWN, Use(SINCE, 0, 1000), 1000, now).expected_at == now, "it may have run over already"


def test_too_little_is_no_rate() -> None:
    assert forecast(KNOWN, Use(SINCE, 19), 1000, READ) == NOT_KNOWN
    assert forecast(KNOWN, Use(READ - 6 * DAY, 300), 1000, READ) == NOT_KNOWN
    assert forecast(NOTHING, Use(SINCE, 300), 1000, READ) == NOT_KNOWN
    assert observed(NOTHING) is None


def test_rows_are_counted_over_at_most_ninety_days() -> None:
    assert observed(KNOWN) == (SINCE, READ)
    assert observed(Coverage((Span(READ - 400 * DAY, READ),))) == (READ - 90 * DAY, READ)


@given(
    rows=st.integers(20, 5000),
    more=st.integers(1, 5000),
    holds=st.integers(1, 1000),
    unread=st.integers(0, 999),
)
def test_busier_is_never_later_and_a_smaller_memory_neither(
    rows: int, more: int, holds: int, unread: int
) -> None:
    now = READ + 5 * DAY

    def at(rows: int, unread: int, holds: int) -> datetime:
        expected = forecast(KNOWN, Use(SINCE, rows, unread), holds, now).expected_at
        assert expected is not None
        return expected

    assert at(rows + more, unread, holds) <= at(rows, unread, holds)
    assert at(rows, unread + 1, holds) <= at(rows, unread, holds)
    assert at(rows, unread, holds) <= at(rows, unread, holds + 1)
