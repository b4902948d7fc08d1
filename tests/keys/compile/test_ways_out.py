"""What helps where a grant stays out: the cheapest first, and each has its line on the screen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from key2xs.console.words import CANNOT_CARRY
from key2xs.console.words_ways import WAYS_OUT, way_lines
from key2xs.keys.carry import CannotCarry, CannotWhy, Covers, GrantToCarry, KeyLimits
from key2xs.keys.compile.ways_out import OtherKey, Way, ways_of_key, ways_out
from key2xs.keys.port import VendorRight

EIGHT = datetime(2026, 6, 1, 8, tzinfo=UTC)
LIMITS = KeyLimits(grid=timedelta(minutes=15), zone=ZoneInfo("Europe/Amsterdam"), free_slots=10)
ASK = GrantToCarry("g", frozenset("ab"), EIGHT, EIGHT + timedelta(hours=8))


def right(name: str, locks: str) -> VendorRight:
    return VendorRight(name, name, frozenset(locks), writable=True)


COVERS = Covers([right("hall", "bcd"), right("shed", "bcde"), right("only-a", "a")])


def test_a_right_with_few_further_locks_comes_before_a_new_one() -> None:
    ways = ways_out(ASK, CannotCarry(frozenset("b"), CannotWhy.NO_RIGHT_INSIDE), COVERS, LIMITS)
    assert [(way.way, way.right, way.locks, way.visits) for way in ways] == [
        (Way.USE_RIGHT, "hall", ("c", "d"), 0),
        (Way.MAKE_RIGHT, None, ("b",), 1),
    ]


def test_a_right_that_opens_half_the_plant_is_no_way_out() -> None:
    covers = Covers([right("everything", "bcdefghijkl")])
    ways = ways_out(ASK, CannotCarry(frozenset("b"), CannotWhy.NO_RIGHT_INSIDE), covers, LIMITS)
    assert [way.way for way in ways] == [Way.MAKE_RIGHT]


def test_no_room_for_a_start_is_helped_by_waiting_for_the_begin_only_where_an_end_has_room() -> None:
    full = CannotCarry(ASK.locks, CannotWhy.NO_SLOT)
    assert Way.SPLIT_WINDOW in {w.way for w in ways_out(ASK, full, COVERS, replace(LIMITS, free_slots=1))}
    assert Way.SPLIT_WINDOW not in {w.way for w in ways_out(ASK, full, COVERS, replace(LIMITS, free_slots=0))}


def test_waiting_helps_only_if_room_comes_before_the_grant_is_over() -> None:
    full = CannotCarry(ASK.locks, CannotWhy.TOO_MANY_RIGHTS)
    assert ways_out(ASK, full, COVERS, LIMITS, room_from=EIGHT)[0].way is Way.WAIT
    late = ways_out(ASK, full, COVERS, LIMITS, room_from=ASK.ends_at)
    assert Way.WAIT not in {way.way for way in late}


def test_a_key_that_the_holder_has_already_comes_before_the_key_desk() -> None:
    others = [OtherKey("id", "1042", frozenset({"g"})), OtherKey("x", "7", frozenset())]
    assert [(way.way, way.stamp) for way in ways_of_key("g", others)] == [
        (Way.OTHER_KEY, "1042"),
        (Way.HAND_OUT, None),
    ]


@pytest.mark.parametrize("why", CannotWhy)
def test_every_reason_and_every_way_out_has_a_line_in_plain_words(why: CannotWhy) -> None:
    assert str(why) in CANNOT_CARRY
    assert set(WAYS_OUT) == {str(way) for way in Way}
    others = [OtherKey("id", "1042", frozenset({"g"}))]
    ways = ways_out(
        ASK,
        CannotCarry(ASK.locks, why),
        COVERS,
        replace(LIMITS, free_slots=1),
        others=others,
        room_from=EIGHT,
    )
    lines = way_lines([way.as_json() for way in ways], keys={"1042"})
    assert len(lines) == min(len(ways), 3) > 0
    assert not any("{" in line.change or "None" in line.change for line in lines)


def test_a_key_that_is_out_of_use_by_now_is_not_shown() -> None:
    stored = [way.as_json() for way in ways_of_key("g", [OtherKey("id", "1042", frozenset({"g"}))])]
    assert [line.change for line in way_lines(stored, keys=())] == ["Hand out another key."]


def test_one_lock_is_one_lock() -> None:
    (line,) = way_lines([{"way": "use_right", "locks": ["x"]}], keys=())
    assert "1 lock more" in line.change


def test_waiting_comes_before_a_key_that_somebody_must_bring_and_a_phone_before_waiting() -> None:
    full = CannotCarry(ASK.locks, CannotWhy.TOO_MANY_RIGHTS)
    keys = [OtherKey("f", "fob", frozenset({"g"})), OtherKey("p", "phone", frozenset({"g"}), by_air=True)]
    ways = ways_out(ASK, full, COVERS, LIMITS, others=keys, room_from=EIGHT)
    assert [way.stamp or str(way.way) for way in ways[:3]] == ["phone", "wait", "fob"]
