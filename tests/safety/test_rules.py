"""The rules alone: small facts in, a verdict out. What is not known counts as the dangerous case."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, strategies as st

from key2xs.core.tri import Tri
from key2xs.safety import (
    GO,
    Act,
    Box,
    Crew,
    Ending,
    Inside,
    Lockout,
    Word,
    attendant_lost,
    check_in_missed,
    locks_on,
    may_be_blocked,
    spared_from_mass_actions,
    stays_for_personal_locks,
    stays_with_last_holder,
    told_before_kill,
    warns_before_lock,
)
from key2xs.safety.rules import EMERGENCY_DUTIES, STILL_INSIDE_FOR, WARN_AHEAD

AT = datetime(2026, 3, 3, 2, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WAIT = timedelta(seconds=120)
ACTS: tuple[Act, ...] = get_args(Act)
TRI: tuple[Tri, ...] = ("yes", "no", "unknown")


def ending(act: Act, *, left: timedelta = timedelta(hours=1), suspended: bool = False) -> Ending:
    return Ending(act, AT, AT + left, isolating_suspended=suspended)


# S1


def test_an_emergency_key_is_never_blocked_and_another_one_is() -> None:
    assert may_be_blocked(emergency_key=True).outcome == "never"
    assert may_be_blocked(emergency_key=False) == GO


@pytest.mark.parametrize("duty", sorted(EMERGENCY_DUTIES))
def test_emergency_duties_are_left_out_of_every_act_on_many(duty: str) -> None:
    assert not spared_from_mass_actions(basis="duty_role", duty=duty).goes
    assert not spared_from_mass_actions(basis="emergency", duty="").goes
    assert spared_from_mass_actions(basis="duty_role", duty="field_operator").goes


# S2


@pytest.mark.parametrize("egress", ["no", "unknown"])
def test_a_lock_that_is_not_known_to_leave_the_way_out_free_warns(egress: Tri) -> None:
    ruling = warns_before_lock(egress, [Inside(signed_on=True)], ends_at=AT + 14 * MINUTE, at=AT)
    assert (ruling.outcome, ruling.rule) == ("warn", "S2")


def test_no_warning_where_the_way_out_is_free_nobody_is_inside_or_the_end_is_far() -> None:
    inside = Inside(signed_on=True)
    assert warns_before_lock("yes", [inside], ends_at=AT, at=AT) == GO
    assert warns_before_lock("no", [Inside()], ends_at=AT, at=AT) == GO
    assert warns_before_lock("no", [inside], ends_at=AT + WARN_AHEAD + MINUTE, at=AT) == GO


def test_somebody_who_opened_it_is_inside_until_seen_elsewhere_or_a_shift_has_passed() -> None:
    def warned(someone: Inside) -> bool:
        return not warns_before_lock("unknown", [someone], ends_at=AT, at=AT).goes

    came = AT - 30 * MINUTE
    assert warned(Inside(opened_at=came))
    assert warned(Inside(opened_at=came, seen_outside_at=came - MINUTE))
    assert not warned(Inside(opened_at=came, seen_outside_at=came + MINUTE))
    assert not warned(Inside(opened_at=AT - STILL_INSIDE_FOR - MINUTE))


# S3


def test_a_lock_that_hangs_on_the_box_holds_whoever_ends_it() -> None:
    for act in ACTS:
        ruling = stays_for_personal_locks(lock_box=True, isolation=False, locks="yes", ending=ending(act))
        assert (ruling.outcome, ruling.rule) == ("hold", "S3"), act


def test_a_missing_lock_of_somebody_at_work_counts_as_on() -> None:
    lockout = Lockout((Box("LB-1", frozenset({"a"})),), workers=frozenset({"a", "b"}))
    assert locks_on(lockout) == "unknown"
    ruling = stays_for_personal_locks(
        lock_box=True, isolation=False, locks="unknown", ending=ending("person")
    )
    assert ruling.outcome == "hold"
    assert "not known" in ruling.why


def test_a_lockout_without_any_box_is_not_known_either_and_no_lockout_is_no_lock() -> None:
    assert locks_on(Lockout((), frozenset({"a"}), isolated=True)) == "unknown"
    assert locks_on(Lockout((), frozenset({"a"}))) == "no"


def test_locks_that_are_off_and_people_who_signed_off_hold_nothing() -> None:
    off = Lockout((Box("LB-1", ever=frozenset({"a"})),), workers=frozenset({"a"}))
    gone = Lockout((Box("LB-1"),), workers=frozenset(), isolated=True)
    assert locks_on(off) == locks_on(gone) == "no"
    for act in ACTS:
        assert stays_for_personal_locks(
            lock_box=True, isolation=False, locks="no", ending=ending(act)
        ) == GO  # fmt: skip


def test_other_cylinders_are_never_held_for_a_lock_box() -> None:
    for locks in TRI:
        for act in ACTS:
            asked = stays_for_personal_locks(lock_box=False, isolation=True, locks=locks, ending=ending(act))
            assert asked == GO


def test_the_isolating_authority_of_a_suspended_permit_keeps_the_isolation() -> None:
    def held(act: Act, *, suspended: bool = True) -> bool:
        asked = ending(act, suspended=suspended)
        return not stays_for_personal_locks(lock_box=False, isolation=True, locks="no", ending=asked).goes

    assert held("clock")
    assert held("facts")
    assert not held("clock", suspended=False)
    assert not held("person"), "a person may take even this, with the shift leader told"


# S4


def test_the_last_holder_goes_neither_by_one_person_nor_by_a_machine() -> None:
    def ruling(act: Act, *others: str) -> str:
        return stays_with_last_holder(on_duty=True, others=others, ending=ending(act)).outcome

    assert ruling("person") == "second_person"
    assert ruling("identity") == "hold"
    assert ruling("two_people") == "go"
    assert ruling("person", "somebody else") == "go"
    assert ruling("identity", "somebody else") == "go"


@pytest.mark.parametrize("act", ACTS)
def test_a_planned_end_is_never_held_for_the_last_holder(act: Act) -> None:
    assert stays_with_last_holder(on_duty=True, others=(), ending=ending(act, left=timedelta(0))) == GO
    assert stays_with_last_holder(on_duty=True, others=(), ending=ending("clock")) == GO
    assert stays_with_last_holder(on_duty=False, others=(), ending=ending(act)) == GO


# S5


@given(
    signed_on=st.booleans(),
    on_duty=st.booleans(),
    gone=st.integers(0, 300),
    said=st.none() | st.integers(0, 300),
)
def test_a_kill_waits_for_somebody_at_work_and_proceeds_for_sure(
    signed_on: bool, on_duty: bool, gone: int, said: int | None
) -> None:
    at = AT + timedelta(seconds=gone)
    proceed = AT + timedelta(seconds=said) if said is not None and said <= gone else None
    ruling = told_before_kill(Word(AT, proceed), signed_on=signed_on, on_duty=on_duty, wait=WAIT, at=at)
    waits = (signed_on or on_duty) and proceed is None and gone < 120
    assert ruling.outcome == ("tell_first" if waits else "go")
    if waits:
        assert ruling.until == AT + WAIT


def test_a_kill_that_was_taken_back_never_proceeds() -> None:
    word = Word(AT, None, AT + MINUTE)
    assert (
        told_before_kill(word, signed_on=True, on_duty=True, wait=WAIT, at=AT + 60 * MINUTE).outcome
        == "never"
    )


# S6


def test_a_missed_check_in_warns_and_does_nothing_else() -> None:
    assert check_in_missed(due_at=AT, seen_at=None, at=AT - MINUTE) == GO
    assert check_in_missed(due_at=AT, seen_at=None, at=AT).outcome == "warn"
    assert check_in_missed(due_at=AT, seen_at=AT, at=AT + MINUTE) == GO


@pytest.mark.parametrize(
    ("attendant", "goes"),
    [
        (Crew("confined_space_attendant", signed_on=True, active="yes"), True),
        (Crew("confined_space_attendant", signed_on=False, active="yes"), False),
        (Crew("confined_space_attendant", signed_on=True, active="no"), False),
        (Crew("confined_space_attendant", signed_on=True, active="unknown"), False),
        (Crew("fire_watch", signed_on=True, active="yes"), False),
    ],
)
def test_nobody_stays_in_a_confined_space_that_nobody_attends(attendant: Crew, goes: Any) -> None:
    entrant = Crew("performing_authority", signed_on=True, active="yes")
    assert attendant_lost("confined_space", [entrant, attendant]).goes is goes
    assert attendant_lost("hot_work", [entrant, attendant]).goes


def test_a_confined_space_that_nobody_is_in_needs_no_attendant() -> None:
    out = Crew("performing_authority", signed_on=False, active="yes")
    authority = Crew("area_authority", signed_on=True, active="yes")
    assert attendant_lost("confined_space", [out, authority]).goes
