"""Exposure added up: the worst first, every key counted once, and what is over by now counts as over."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given, strategies as st

from key2xs.keys.exposure_totals import OpenPair, add_up
from key2xs.keys.exposure_types import ExposureKind
from tests.conftest import START

kinds = st.sampled_from([ExposureKind.PROVEN_END, ExposureKind.BOUND, ExposureKind.NO_BOUND])


@st.composite
def pairs(draw: st.DrawFn) -> OpenPair:
    number, kind = draw(st.integers(1, 5)), draw(kinds)
    until = START + timedelta(minutes=draw(st.integers(-60, 60)))
    return OpenPair(
        UUID(int=number),
        f"K{number}",
        None,
        UUID(int=draw(st.integers(10, 14))),
        kind,
        None if kind is ExposureKind.NO_BOUND else until,
    )


def zone(pair: OpenPair) -> list[str]:
    return [f"Z{pair.cylinder_id.int % 3}"]


@given(st.lists(pairs(), max_size=20, unique_by=lambda pair: (pair.key_id, pair.cylinder_id)))
def test_groups_say_what_counting_by_hand_says(found: list[OpenPair]) -> None:
    groups = add_up(found, START, zone)
    for group in groups:
        inside = [pair for pair in found if zone(pair) == [group.name]]
        endless = {pair.key_id for pair in inside if pair.kind is ExposureKind.NO_BOUND}
        running = {
            pair.key_id
            for pair in inside
            if pair.kind is ExposureKind.BOUND and pair.until is not None and pair.until > START
        }
        everyone = {pair.key_id for pair in inside}
        assert group.no_bound == len(endless)
        assert group.bound == len(running - endless)
        assert group.proven == len(everyone - running - endless)
        assert (group.until is None) == (bool(endless) or not running)
    rank = [(group.no_bound > 0, group.bound > 0) for group in groups]
    assert rank == sorted(rank, key=lambda each: (not each[0], not (each[0] or each[1]))), "the worst first"


def test_of_two_bounds_the_later_comes_first() -> None:
    pair = OpenPair(UUID(int=1), "K1", None, UUID(int=10), ExposureKind.BOUND, START + timedelta(hours=1))
    late = OpenPair(UUID(int=2), "K2", None, UUID(int=10), ExposureKind.BOUND, START + timedelta(hours=2))
    assert [group.name for group in add_up([pair, late], START, lambda each: [each.stamp])] == ["K2", "K1"]
