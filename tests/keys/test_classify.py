"""What an opening means, from what is known of it: single cases that histories seldom meet."""

from datetime import UTC, datetime, timedelta

import pytest

from key2xs.core.ids import GrantId, new_id
from key2xs.keys.classify import Evidence, classify
from key2xs.keys.port import LockEventOutcome, TimeQuality

AT = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GRANT = GrantId(new_id())


def opening(*, covered: bool, possible: bool, blocked_at: datetime | None) -> Evidence:
    """An opening by a known key that somebody was handed."""
    return Evidence(
        outcome=LockEventOutcome.OPENED,
        time_quality=TimeQuality.CLOCK,
        occurred_at=AT,
        cylinder_known=True,
        key_known=True,
        managed=True,
        holder_known=True,
        covered_by=GRANT if covered else None,
        ended=None,
        was_possible=possible,
        blocked_at=blocked_at,
    )


@pytest.mark.parametrize(
    ("blocked_at", "possible", "name"),
    [
        (None, True, "expected"),
        (AT + MINUTE, True, "expected"),
        (AT, True, "after_end"),
        (AT - MINUTE, True, "after_end"),
        (AT - MINUTE, False, "unexplained"),
    ],
)
def test_a_stolen_key_is_not_explained_by_the_grant_that_its_owner_keeps_for_another_key(
    blocked_at: datetime | None, possible: bool, name: str
) -> None:
    assert classify(opening(covered=True, possible=possible, blocked_at=blocked_at)).name == name


def test_a_blocked_key_without_any_grant_is_unexplained() -> None:
    assert classify(opening(covered=False, possible=True, blocked_at=AT - MINUTE)).name == "unexplained"
