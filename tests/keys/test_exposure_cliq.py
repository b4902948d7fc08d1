"""Exposure of CLIQ keys: one case for each row of the page, and *will still work until*."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from key2xs.keys.assumptions import AssumptionId
from key2xs.keys.exposure import (
    ExposureKind,
    ExposureSettings,
    KeyOnRecord,
    LockClass,
    expose,
    possible_programs,
    works_until,
)
from key2xs.keys.port import KeyKind, ProgrammingState
from key2xs.keys.program import (
    EMPTY_PROGRAM,
    UNLIMITED,
    OfflineUpdates,
    Program,
    ProgramOnDevice,
    ProgramState,
    WeeklyWindow,
)

EIGHT = datetime(2026, 6, 1, 8, tzinfo=UTC)
NINE = EIGHT + timedelta(hours=1)
# A cylinder has no clock and asks nobody; what an iLOQ lock would ignore, a CLIQ key judges itself.
CYLINDER = LockClass(has_clock="no", honours_limits="no", online_required="no")
MARGIN, LAG = timedelta(minutes=2), timedelta(minutes=1)
DRIFT = timedelta(seconds=2)  # a day
R = timedelta(hours=6)
OPENS = Program(frozenset({"cyl:a"}), offline_expires_after=R)
PROVEN = ProgramOnDevice(OPENS, ProgramState.PROVEN, EIGHT, ordered_at=EIGHT, proven_at=EIGHT)
SENT = ProgramOnDevice(EMPTY_PROGRAM, ProgramState.POSSIBLE, NINE, ordered_at=NINE)
REVOKED = KeyOnRecord(
    "k", KeyKind.DYNAMIC, possible_programs([PROVEN, SENT]), ProgrammingState.ORDERED, as_of=NINE
)


def bound(record: KeyOnRecord, **settings: bool) -> datetime | None:
    opening = [bool(each.program.rights) for each in record.programs]
    return expose(record, opening, CYLINDER, settings=ExposureSettings(**settings)).at  # type: ignore[arg-type]


def held(program: Program, **known: object) -> KeyOnRecord:
    """A revoked key that held `program`."""
    programs = possible_programs([replace(PROVEN, program=program), SENT])
    return replace(REVOKED, programs=programs, **known)  # type: ignore[arg-type]


def test_a_revoked_key_that_is_not_presented_stops_when_its_interval_runs_out() -> None:
    # The last update was before the change was sent at nine, give or take the lag.
    assert bound(REVOKED) == NINE + LAG + R + MARGIN + DRIFT * 0.25


def test_the_vendors_word_for_the_last_update_counts_once_it_was_read_after_the_change_was_sent() -> None:
    told = replace(REVOKED, last_update_at=EIGHT)
    assert bound(told) == bound(REVOKED), "read before: an update may have come in between"
    read_again = replace(told, as_of=NINE + LAG)
    assert bound(read_again) == EIGHT + R + MARGIN + DRIFT * 0.25


def test_a_key_that_took_the_change_without_saying_so_counts_from_then() -> None:
    taken = ProgramOnDevice(
        EMPTY_PROGRAM, ProgramState.POSSIBLE, NINE, ordered_at=NINE, fetched_at=NINE + timedelta(hours=2)
    )
    record = replace(
        REVOKED,
        programs=(PROVEN, taken),
        programming_state=ProgrammingState.FETCHED,
        as_of=NINE + timedelta(hours=2),
        last_update_at=EIGHT,
    )
    assert bound(record) == NINE + timedelta(hours=2) + LAG + R + MARGIN + DRIFT * 0.25


def test_a_change_that_was_never_sent_bounds_nothing() -> None:
    planned = replace(SENT, ordered_at=None, state=ProgramState.PLANNED)
    record = replace(REVOKED, programs=(PROVEN, planned), programming_state=ProgrammingState.PLANNING)
    assert bound(record) is None


@pytest.mark.parametrize(
    ("offline", "revives", "longest"),
    [
        (OfflineUpdates(0), True, R),
        (OfflineUpdates(0, timedelta(hours=2)), True, R),
        # one renewal at the end of the gap
        (OfflineUpdates(3, timedelta(hours=2)), True, R + timedelta(hours=2)),
        # how often, when a key that ran out stays out
        (OfflineUpdates(1), False, 2 * R),
        (OfflineUpdates(1, timedelta(hours=1)), False, R + timedelta(hours=1)),
        # nobody knows whether a key that ran out is renewed
        (OfflineUpdates(1), True, None),
        # nobody knows how often
        (OfflineUpdates(None), False, None),
        (OfflineUpdates(None, timedelta(hours=1)), True, R + timedelta(hours=1)),
    ],
)
def test_updates_without_the_server_count_as_far_as_they_are_known(
    offline: OfflineUpdates, revives: bool, longest: timedelta | None
) -> None:
    record = replace(REVOKED, offline_updates=offline)
    at = bound(record, offline_revives=revives)
    if longest is None:
        assert at is None
    else:
        assert at == NINE + LAG + longest + MARGIN + DRIFT * (longest / timedelta(days=1))


def test_what_rests_on_a_key_staying_lapsed_says_so() -> None:
    record = replace(REVOKED, offline_updates=OfflineUpdates(1))
    answer = expose(record, [True, False], CYLINDER, settings=ExposureSettings(offline_revives=False))
    assert AssumptionId.LAPSED_STAYS_LAPSED in answer.assumptions
    assert AssumptionId.LAPSED_STAYS_LAPSED not in expose(REVOKED, [True, False], CYLINDER).assumptions


def test_the_end_in_the_key_counts_at_every_cylinder_by_the_keys_own_clock() -> None:
    end = NINE + timedelta(hours=2)
    unlimited = replace(OPENS, offline_expires_after=UNLIMITED, ends_at=end)
    assert bound(held(unlimited, last_update_at=EIGHT)) == end + MARGIN + DRIFT * 0.125
    # Nobody knows when the clock was set: a year of drift.
    assert bound(held(unlimited)) == end + MARGIN + DRIFT * 365


def test_the_earlier_of_end_and_interval_counts() -> None:
    short = held(replace(OPENS, ends_at=NINE + timedelta(hours=1)), last_update_at=EIGHT)
    assert bound(short) == NINE + timedelta(hours=1) + MARGIN + DRIFT * (2 / 24)
    long = held(replace(OPENS, ends_at=NINE + timedelta(days=3)), last_update_at=EIGHT)
    assert bound(long) == NINE + LAG + R + MARGIN + DRIFT * 0.25


def test_neither_end_nor_interval_is_no_bound() -> None:
    assert bound(held(Program(frozenset({"cyl:a"}), offline_expires_after=UNLIMITED))) is None


def test_a_visit_that_was_done_is_a_proven_end_at_that_cylinder() -> None:
    answer = expose(REVOKED, [True, False], CYLINDER, block_list_at=NINE)
    assert (answer.kind, answer.at) == (ExposureKind.PROVEN_END, NINE)


def test_a_schedule_changes_no_bound_and_is_named() -> None:
    mornings = replace(OPENS, schedule=frozenset({WeeklyWindow(0, 480, 720)}))
    record = held(mornings)
    answer = expose(record, [True, False], CYLINDER)
    assert answer.at == bound(REVOKED)
    assert any(term.name == "weekly schedule" for term in answer.terms)
    only = replace(record, programs=record.programs[:1])
    assert works_until(only, [True]).at == only.as_of


def test_a_key_works_until_its_interval_runs_out_after_the_last_known_update() -> None:
    working = replace(REVOKED, programs=(PROVEN,), programming_state=ProgrammingState.PROGRAMMED)
    assert works_until(working, [True]).at == EIGHT + R - MARGIN - DRIFT * 0.25
    updated = replace(working, last_update_at=NINE)
    assert works_until(updated, [True]).at == NINE + R - MARGIN - DRIFT * 0.25
