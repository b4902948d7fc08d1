"""The rules of drift: what counts as an edit, what never does, and what may be written beside one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given as cases, strategies as st

from key2xs.keys.drift.rules import compare, given, loosens, narrowed, policy_of
from key2xs.keys.drift.types import Ours, Seen
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program, WeeklyWindow
from key2xs.keys.wire import program_json

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HELD = Program(frozenset({"a", "b"}), ends_at=NOON, offline_expires_after=timedelta(hours=8))
SEEN = Seen(HELD, HELD, blocked=False, holder="m1", outside_visible=True, version="1")


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (replace(HELD, rights=frozenset({"a"})), "rights"),
        (replace(HELD, rights=frozenset({"a", "b", "c"})), "rights"),
        (replace(HELD, starts_at=NOON - timedelta(days=1)), "start"),
        (replace(HELD, ends_at=NOON + timedelta(hours=1)), "end"),
        (replace(HELD, offline_expires_after=UNLIMITED), "interval"),
        (replace(HELD, renews_until=UNLIMITED), "renewal"),
        (replace(HELD, schedule=frozenset({WeeklyWindow(0, 0, 60)})), "schedule"),
    ],
)
def test_each_part_of_a_plan_is_compared(after: Program, kind: str) -> None:
    assert [each.kind for each in compare(SEEN, replace(SEEN, planned=after), Ours())] == [kind]
    assert compare(SEEN, replace(SEEN, planned=after), Ours(written=(after,))) == ()


def test_an_edit_of_what_we_wrote_meanwhile_is_only_what_differs_from_that() -> None:
    ours = replace(HELD, ends_at=NOON + timedelta(days=3))
    edited = replace(ours, starts_at=NOON - timedelta(days=3))
    changes = compare(SEEN, replace(SEEN, planned=edited), Ours(written=(EMPTY_PROGRAM, ours)))
    assert [(each.kind, each.before) for each in changes] == [("start", program_json(ours))]


def test_flags_and_the_device_are_compared() -> None:
    other = replace(HELD, rights=frozenset({"z"}))
    for after, ours, kind in [
        (replace(SEEN, on_device=other), Ours(on_keys=(other,)), "device"),
        (replace(SEEN, holder="m2"), Ours(holder=True), "holder"),
        (replace(SEEN, blocked=True), Ours(block=True), "blocked"),
        (replace(SEEN, outside_visible=False), None, "outside"),
        (replace(SEEN, version="2"), Ours(written=(HELD,)), "limits"),
    ]:
        assert [each.kind for each in compare(SEEN, after, Ours())] == [kind]
        if ours is not None:
            assert compare(SEEN, after, ours) == ()
    blocked = replace(SEEN, blocked=True)
    assert [each.kind for each in compare(blocked, SEEN, Ours())] == ["unblocked"]
    assert compare(blocked, SEEN, Ours(unblock=True)) == ()


def test_what_a_maker_does_by_itself_is_no_edit() -> None:
    renewed = replace(HELD, renews_until=NOON + timedelta(days=9))
    seen = replace(SEEN, planned=renewed, on_device=renewed)
    later = replace(renewed, ends_at=NOON + timedelta(days=1))
    assert compare(seen, replace(seen, planned=later, on_device=later), Ours()) == ()
    beyond = replace(renewed, ends_at=NOON + timedelta(days=10))
    assert [each.kind for each in compare(seen, replace(seen, planned=beyond), Ours())] == ["end"]
    emptied = replace(SEEN, planned=EMPTY_PROGRAM, blocked=True)
    assert compare(SEEN, emptied, Ours(block=True)) == ()
    assert [each.kind for each in compare(SEEN, emptied, Ours())] == ["blocked"]


def test_what_an_edit_gives_beyond_what_is_wanted() -> None:
    more = replace(HELD, rights=frozenset({"a", "b", "c"}))
    assert given(HELD, more, HELD) == {"c"}
    assert given(HELD, replace(HELD, rights=frozenset({"a"})), HELD) == set()
    longer = replace(HELD, ends_at=NOON + timedelta(hours=1))
    assert given(HELD, longer, HELD) == {"a", "b"}
    assert given(HELD, longer, longer) == set(), "a grant covers it"


def test_the_strictest_zone_decides() -> None:
    assert policy_of([]) == ("report", False)
    assert policy_of([("observe", None), ("advise", None)]) == ("report", False)
    assert policy_of([("enforce", None)]) == ("revert", False)
    assert policy_of([("enforce", "report")]) == ("report", True)
    assert policy_of([("enforce", "report"), ("enforce", None)]) == ("revert", False)
    assert policy_of([("observe", "revert")]) == ("report", False), "nothing is written there"
    assert policy_of([("observe", "hold"), ("enforce", None)]) == ("hold", False)
    assert [loosens(*pair) for pair in (("revert", "hold"), ("hold", "report"), ("report", "hold"))] == [
        True, True, False,
    ]  # fmt: skip


RIGHTS = st.frozensets(st.sampled_from("abcd"))
ENDS = st.sampled_from([None, NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=2)])
INTERVALS = st.sampled_from([None, UNLIMITED, timedelta(hours=1), timedelta(hours=8)])
PROGRAMS = st.builds(
    Program,
    RIGHTS,
    starts_at=st.sampled_from([None, NOON - timedelta(hours=1)]),
    ends_at=ENDS,
    offline_expires_after=INTERVALS,
    renews_until=st.sampled_from([None, UNLIMITED]),
    schedule=st.sampled_from([None, frozenset({WeeklyWindow(0, 0, 60)})]),
)


@cases(PROGRAMS, PROGRAMS, PROGRAMS, RIGHTS)
def test_beside_an_edit_nothing_is_written_that_gives_anything(
    planned: Program, wanted: Program, base: Program, taken: frozenset[str]
) -> None:
    """P6 under a hold: whatever is written opens no more than is wanted and no more than the key holds already."""
    less = narrowed(planned, wanted, base, taken)
    if less is None:
        assert base.within(wanted), "nothing was taken away, so nothing has to be written"
        assert not planned.rights & (taken - wanted.rights)
        return
    assert less.within(wanted)
    assert less.within(planned)


def test_a_hold_keeps_no_revoked_right() -> None:
    for rights, end in product(("a", "ab", "abc"), (NOON, NOON + timedelta(hours=5))):
        edited = replace(HELD, rights=frozenset(rights), ends_at=end)
        assert narrowed(edited, EMPTY_PROGRAM, HELD, ()) == EMPTY_PROGRAM
        less = narrowed(edited, replace(HELD, rights=frozenset({"b"})), HELD, {"a"})
        assert less is not None
        assert "a" not in less.rights
