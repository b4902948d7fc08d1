"""What a finding does to an answer, and when a clock is off."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from key2xs.keys.assumptions import AssumptionId
from key2xs.keys.exposure_types import DEFAULT_SETTINGS, Exposure, ExposureKind
from key2xs.keys.reopening.rules import BREAKS, Broken, Cause, is_ahead, is_off, reopened

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALWAYS = (AssumptionId.ACK_IS_TRUTH, AssumptionId.NO_UNSEEN_PROGRAMMING, AssumptionId.LOCK_CONTENT)
BOUND = Exposure(ExposureKind.BOUND, AT, (), (*ALWAYS, AssumptionId.CLOCK_MARGIN))
BY_LOCK = Exposure(
    ExposureKind.BOUND, AT, (), (*ALWAYS, AssumptionId.END_DATE_AT_LOCK, AssumptionId.CLOCK_MARGIN)
)
PROVEN = Exposure(ExposureKind.PROVEN_END, AT, (), ALWAYS)
ALLOWED = replace(BOUND, kind=ExposureKind.STILL_ALLOWED)


@pytest.mark.parametrize(
    ("cause", "opens"),
    [
        (Cause.CLOCK, {"bound", "by lock"}),
        (Cause.LOCK_CLOCK, {"by lock"}),
        (Cause.EDIT, {"bound", "by lock", "proven"}),
        (Cause.NOT_READ, {"bound", "by lock", "proven"}),
        (Cause.OPENING, {"bound", "by lock", "proven"}),
    ],
)
def test_only_what_rests_on_a_broken_assumption_is_open_again(cause: Cause, opens: set[str]) -> None:
    found = Broken(cause, "because", AT, "v1" if cause in {Cause.LOCK_CLOCK, Cause.OPENING} else None)
    answers = {"bound": BOUND, "by lock": BY_LOCK, "proven": PROVEN, "allowed": ALLOWED}
    after = {name: reopened(each, "v1", [found]) for name, each in answers.items()}
    assert {name for name, each in after.items() if each.kind is ExposureKind.NO_BOUND} == opens
    for name in opens:
        assert (after[name].at, after[name].terms[0].value) == (None, "because")
    assert all(after[name] is answers[name] for name in answers.keys() - opens)


def test_a_finding_about_a_lock_says_nothing_about_another_one_but_an_opening_does() -> None:
    assert reopened(BY_LOCK, "v2", [Broken(Cause.LOCK_CLOCK, "x", AT, "v1")]) is BY_LOCK
    assert reopened(BY_LOCK, "v2", [Broken(Cause.OPENING, "x", AT, "v1")]).kind is ExposureKind.NO_BOUND
    assert reopened(BOUND, "v1", []) is BOUND


def test_a_clock_is_off_beyond_the_margin_of_its_age_and_not_before() -> None:
    set_at = AT - timedelta(days=30)
    margin = DEFAULT_SETTINGS.margin(timedelta(days=30))
    for sign in (1, -1):
        assert not is_off(AT + sign * margin, AT, set_at, DEFAULT_SETTINGS)
        assert is_off(AT + sign * (margin + timedelta(seconds=1)), AT, set_at, DEFAULT_SETTINGS)
    assert not is_off(AT + 10 * MINUTE, AT, None, DEFAULT_SETTINGS), "nobody knows when it was set"
    assert is_ahead(AT + 15 * MINUTE, AT, DEFAULT_SETTINGS)
    assert not is_ahead(AT + 14 * MINUTE, AT, DEFAULT_SETTINGS)


def test_every_cause_breaks_something() -> None:
    assert set(BREAKS) == set(Cause)
    assert all(BREAKS.values())
