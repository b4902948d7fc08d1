"""The scenario can be played on every site of the generator, and uses nobody and nothing twice."""

from datetime import timedelta

import pytest

from key2xs_demo.acts.times import at
from key2xs_demo.cast import BEGINS, ENDS, Cast, Place, make_cast


@pytest.mark.parametrize("seed", [7, 1, 2, 3, 4, 5])
def test_every_seed_has_a_cast(seed: int) -> None:
    cast = make_cast(seed)
    stamps = [holder.stamp for holder in cast.holders]
    assert len(set(stamps)) == len(stamps)
    everybody = [person.ref for person in cast.deciders] + [holder.ref for holder in cast.holders]
    assert len(set(everybody)) == len(everybody)
    markings = [place.marking for place in _places(cast)]
    assert len(set(markings)) == len(markings)


def test_the_endless_lock_keeps_no_limits_and_the_others_do() -> None:
    cast = make_cast()
    endless = cast.endless_place.cylinder
    assert not (endless.has_clock and endless.honours_limits)
    others = [
        place.cylinder for place in _places(cast) if place not in {cast.endless_place, cast.online_place}
    ]
    assert all(lock.has_clock and lock.honours_limits for lock in others)


def test_the_area_stop_meets_two_permits_and_one_person_on_duty() -> None:
    cast = make_cast()
    assert cast.pump_panel.area == cast.unreachable_panel.area == cast.pump_valve.area
    assert cast.early_panel.area != cast.pump_panel.area


def test_the_lost_key_is_a_fob_of_the_pool_without_old_rights() -> None:
    cast = make_cast()
    assert (cast.careless.key.kind, cast.careless.key.purpose) == ("fob", "pool")
    firms = [holder.person.company for holder in cast.holders if holder.person.company != "own"]
    assert len(set(firms)) == len(firms)


def test_the_night_goes_from_six_to_six() -> None:
    assert at(18) == BEGINS
    assert at(6) == ENDS
    assert at(2, 7) - at(23) == timedelta(hours=3, minutes=7)
    assert timedelta(hours=12) == ENDS - BEGINS


def _places(cast: Cast) -> list[Place]:
    found = [getattr(cast, name) for name in Cast.__dataclass_fields__]
    return [each for each in found if isinstance(each, Place)]
