from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from key2xs.core.errors import InvalidInput
from key2xs.policy import FactWindow, Window, pick_span, situation_at, window_at
from key2xs.policy.windows import minutes_of, next_change
from tests.policy.factories import AT, spans, worker

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("span", "state"),
    [
        (FactWindow(AT - HOUR, AT + HOUR), "open"),
        (FactWindow(AT, AT + HOUR), "open"),  # the first instant belongs to it
        (FactWindow(AT - HOUR, AT), "closed"),  # the last one does not
        (FactWindow(AT + HOUR, None), "closed"),
        (FactWindow(None, None), "open"),
        (FactWindow(AT + HOUR, AT - HOUR), "closed"),  # ends before it begins
        (FactWindow(AT, AT), "closed"),
        (FactWindow(standing="failed"), "closed"),
        (FactWindow(AT - HOUR, AT + HOUR, "failed"), "closed"),
        (FactWindow(AT - HOUR, AT + HOUR, "unknown"), "unknown"),
        (FactWindow(standing="none"), "none"),
    ],
)
def test_a_span_is_seen_as(span: FactWindow, state: str) -> None:
    assert window_at(span, AT).state == state


@pytest.mark.parametrize("at", [AT.replace(tzinfo=None), AT.astimezone(timezone(HOUR))])
def test_only_utc_instants_are_taken(at: datetime) -> None:
    with pytest.raises(InvalidInput):
        situation_at(worker(), at)


def test_a_zone_that_is_utc_by_another_name_is_utc() -> None:
    assert situation_at(worker(), AT.astimezone(timezone.utc)).at.tzinfo is UTC  # noqa: UP017 - the point


def test_what_failed_does_not_heal_with_time() -> None:
    window = window_at(FactWindow(AT - HOUR, AT + HOUR, "failed"), AT)
    assert next_change([window], AT) is None


def test_next_change_is_the_earliest_instant_still_ahead() -> None:
    windows = [Window("open", AT - HOUR, AT + 2 * HOUR), Window("closed", AT + HOUR, None), Window("unknown")]
    assert next_change(windows, AT) == AT + HOUR
    assert next_change(windows, AT + HOUR) == AT + 2 * HOUR
    assert next_change(windows, AT + 2 * HOUR) is None


@pytest.mark.parametrize(
    ("window", "minutes"),
    [
        (Window("open", AT, AT + HOUR), 60),
        (Window("open", AT, AT + HOUR + timedelta(seconds=1)), 61),  # rounded up: not "at most 60"
        (Window("open", AT, AT), 0),
        (Window("open", AT, None), None),
        (Window("unknown"), None),
    ],
)
def test_minutes_round_up(window: Window, minutes: int | None) -> None:
    assert minutes_of(window) == minutes


def test_of_several_spans_the_one_in_force_speaks() -> None:
    past, now, longer, ahead = (
        FactWindow(AT - 3 * HOUR, AT - HOUR),
        FactWindow(AT - HOUR, AT + HOUR),
        FactWindow(AT - HOUR, AT + 2 * HOUR),
        FactWindow(AT + 3 * HOUR, None),
    )
    assert pick_span([past, now, longer, ahead], AT) is longer
    assert pick_span([past, ahead], AT) is ahead
    assert pick_span([past], AT) is past
    assert pick_span([], AT) == FactWindow(standing="none")
    unknown = FactWindow(standing="unknown")
    assert pick_span([past, unknown, ahead], AT) == FactWindow(AT + 3 * HOUR, None, "unknown")
    assert pick_span([past, unknown], AT) == unknown
    assert pick_span([unknown, now], AT) is now


@given(several=st.lists(spans, max_size=4), share=st.floats(0, 1, exclude_max=True))
def test_choosing_again_before_the_next_change_says_the_same(several: list[FactWindow], share: float) -> None:
    chosen = window_at(pick_span(several, AT), AT)
    end = next_change([chosen], AT) or AT + timedelta(days=30)
    later = min(AT + (end - AT) * share, end - timedelta(microseconds=1))
    assert window_at(pick_span(several, later), later).state == chosen.state
