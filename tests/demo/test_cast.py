"""The scenario can be played on every site of the generator, and uses nobody and nothing twice."""

from datetime import timedelta

import pytest

from key2xs_demo.acts.times import at
from key2xs_demo.cast import BEGINS, ENDS, Cast, Place
from key2xs_demo.casting import make_cast


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
    assert all(lock.has_clock and lock.honours_limits for lock in others if lock.vendor == "iloq")


def test_two_people_have_keys_of_the_second_key_system_for_valves_of_their_own() -> None:
    cast = make_cast()
    for holder in (cast.tanker, cast.stray, cast.left_over):
        assert (holder.key.kind, holder.key.purpose) == ("dynamic", "pool")
    valves = (cast.tank_valve, cast.edited_valve, *cast.stray_valves)
    assert {place.cylinder.vendor for place in valves} == {"cliq"}
    assert len({place.asset for place in valves}) == len(valves)


def test_the_next_team_has_somebody_for_one_key_and_nobody_known_for_the_other() -> None:
    cast = make_cast()
    roles = {(duty.person_ref, duty.role, duty.unit) for duty in cast.site.duties}
    unit = cast.shift_place.unit
    assert (cast.giver.ref, "field_operator", unit) in roles
    assert (cast.heir.ref, "field_operator", unit) in roles
    assert not any(
        ref in cast.duties_of and role == "gas_tester" for ref, role, _ in roles - _of(cast, roles)
    )


def test_the_confined_space_may_bar_a_way_out_and_has_a_lock_box_in_its_unit() -> None:
    cast = make_cast()
    assert cast.manway.cylinder.egress_free == "n"
    assert cast.entry_box.cylinder.safety_role == "lock_box"
    assert cast.entry_box.unit == cast.manway.unit
    assert cast.manway.area not in {cast.pump_panel.area, cast.box_place.area}


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


def _of(cast: Cast, roles: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    return {row for row in roles if row[0] == cast.left_over.ref}


def _places(cast: Cast) -> list[Place]:
    found = [getattr(cast, name) for name in Cast.__dataclass_fields__]
    return [each for each in (*found, *cast.stray_valves) if isinstance(each, Place)]
