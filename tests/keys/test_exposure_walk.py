"""The walk: deterministic, complete, no longer than nearest-first, and close to the best on small cases."""

from itertools import pairwise, permutations

from hypothesis import given, strategies as st

from key2xs.keys.exposure_walk import Stop, plan_walk
from key2xs.plant.distance import metres_between

# A refinery is a few kilometres wide.
stops = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 400), st.booleans()),
    max_size=7,
    unique_by=lambda each: each[:2],
).map(
    lambda places: [
        Stop("A1", "U1", f"AP-{n:02}", lat=51.9 + y / 10_000 if is_placed else None, lon=4.1 + x / 10_000)
        for n, (x, y, is_placed) in enumerate(places)
    ]
)


def length(order: tuple[Stop, ...]) -> int:
    return sum(metres_between(one, other) or 0 for one, other in pairwise(order))


@given(stops, st.randoms(use_true_random=False))
def test_the_same_stops_give_the_same_walk_in_whatever_order_they_come(
    places: list[Stop], draw: object
) -> None:
    mixed = list(places)
    draw.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis types its randoms loosely
    assert plan_walk(mixed) == plan_walk(places)


@given(stops)
def test_a_walk_visits_every_stop_once_and_adds_up(places: list[Stop]) -> None:
    walk = plan_walk(places)
    order = tuple(leg.stop for leg in walk.legs)
    assert sorted(each.place for each in order) == sorted(each.place for each in places)
    placed = order[: len(order) - walk.unplaced]
    assert all(each.is_placed for each in placed)
    assert not any(each.is_placed for each in order[len(placed) :])
    assert walk.metres == length(placed) == sum(leg.metres or 0 for leg in walk.legs)


@given(stops)
def test_a_small_walk_is_hardly_longer_than_the_shortest(places: list[Stop]) -> None:
    placed = [each for each in places if each.is_placed][:6]
    best = min((length(order) for order in permutations(placed)), default=0)
    assert plan_walk(placed).metres <= 1.1 * best + 1


def test_places_without_coordinates_come_last_by_area_and_unit() -> None:
    here = Stop("A2", "U1", "P-1", lat=51.9, lon=4.1)
    walk = plan_walk([Stop("A2", "U9", "P-3"), Stop("A1", "U1", "P-9"), here])
    assert [leg.stop.place for leg in walk.legs] == ["P-1", "P-9", "P-3"]
    assert (walk.metres, walk.unplaced) == (0, 2)
