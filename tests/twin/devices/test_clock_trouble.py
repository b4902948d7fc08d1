"""Clocks that stand after a battery change, and locks that go by the clock-change rules of another place."""

from datetime import UTC, datetime, timedelta

import pytest

from key2xs_twin.cliq.things import CliqReason
from key2xs_twin.devices.kinds import KeyKind
from key2xs_twin.devices.things import Reason, TypeBit
from key2xs_twin.people import ChangeBattery, InstallDstPackage, perform
from key2xs_twin.physics import Physics
from key2xs_twin.world import World
from tests.twin import cliq_factory as cliq_site
from tests.twin.iloq import factory as iloq_site
from tests.twin.iloq.factory import FOB, GATE, LOCK_GATE, METAL, START

ENDS = START + timedelta(hours=2)  # 20:00 in Amsterdam, winter time
WINTER_ALL_YEAR = "Etc/GMT-1"  # an hour ahead of UTC, without clock changes


def metal_world(*, ends: str) -> World:
    """A metal key whose end is written as local time."""
    ends_lg = datetime.fromisoformat(ends)
    key = iloq_site.make_key(METAL, "0404", kind=KeyKind.METAL, rights=(GATE,), ends_lg=ends_lg)
    return iloq_site.make_world(keys=(key,))


def test_a_lock_whose_clock_stands_judges_no_dates_and_says_that_it_does_not_know_the_time() -> None:
    world = metal_world(ends="2026-11-23 20:00")
    world.advance_to(ENDS + timedelta(minutes=1))
    assert world.present(METAL, LOCK_GATE).reason is Reason.NO_LONGER_VALID
    perform(world, ChangeBattery(thing="L203"))
    assert world.oracle.latest_opening(METAL, LOCK_GATE, world.now) is None
    opening = world.present(METAL, LOCK_GATE)
    assert opening.ok
    row = world.locks[LOCK_GATE].ring[-1]
    assert row.recorded_at is None
    assert row.type_mask & TypeBit.NO_TIME
    world.programmer_visit(LOCK_GATE)
    assert world.present(METAL, LOCK_GATE).reason is Reason.NO_LONGER_VALID


def test_a_lock_without_a_clock_has_no_battery_for_one() -> None:
    with pytest.raises(ValueError, match="has no clock"):
        iloq_site.make_world().change_battery(iloq_site.LOCK_PUMP)


def test_a_cliq_key_with_a_new_battery_opens_nothing_until_an_updater_sets_its_clock() -> None:
    world = cliq_site.make_world()
    world.change_battery(cliq_site.DYNAMIC)
    refused = world.present(cliq_site.DYNAMIC, cliq_site.GATE)
    assert refused.reason is CliqReason.NOT_VALID
    assert world.cliq_field.cylinders[cliq_site.GATE].own_rows[-1].recorded_at is None
    assert not world.oracle.can_open(cliq_site.DYNAMIC, cliq_site.GATE, world.now)
    world.cut_network(cliq_site.WALL)
    world.present_at_updater(cliq_site.DYNAMIC, cliq_site.WALL)
    assert not world.present(cliq_site.DYNAMIC, cliq_site.GATE).ok, "the time comes from the server"
    world.restore_network(cliq_site.WALL)
    world.present_at_updater(cliq_site.DYNAMIC, cliq_site.WALL)
    assert world.oracle.can_open(cliq_site.DYNAMIC, cliq_site.GATE, world.now)
    assert world.present(cliq_site.DYNAMIC, cliq_site.GATE).ok


def test_whether_a_new_battery_costs_the_time_is_a_physical_truth_of_the_world() -> None:
    world = World(
        7,
        cliq_site.START,
        physics=Physics(battery_change_loses_time=False),
        cliq=cliq_site.make_site(),
    )
    world.change_battery(cliq_site.DYNAMIC)
    assert world.present(cliq_site.DYNAMIC, cliq_site.GATE).ok


def test_an_unlimited_cliq_key_needs_no_time() -> None:
    plan = cliq_site.make_plan(revalidation_minutes=None)
    world = World(7, cliq_site.START, cliq=cliq_site.make_site(plan=plan))
    world.change_battery(cliq_site.DYNAMIC)
    assert world.present(cliq_site.DYNAMIC, cliq_site.GATE).ok


@pytest.mark.parametrize(("day", "late"), [("2027-02-01 18:00", 0), ("2027-07-01 18:00", 60)])
def test_a_wrong_dst_package_is_an_hour_late_in_summer_and_right_in_winter(day: str, late: int) -> None:
    world = metal_world(ends=day)
    perform(world, InstallDstPackage(lock="L203", zone=WINTER_ALL_YEAR))
    right = datetime.fromisoformat(day).replace(tzinfo=world.iloq.zone).astimezone(UTC)
    wrong = right + timedelta(minutes=late)
    assert world.oracle.latest_opening(METAL, LOCK_GATE, world.now) == wrong
    world.advance_to(wrong - timedelta(seconds=1))
    assert world.present(METAL, LOCK_GATE).ok
    world.advance_to(wrong)
    assert world.present(METAL, LOCK_GATE).reason is Reason.NO_LONGER_VALID
    assert world.digest(), "a zone is data, too"


def test_the_next_programmer_brings_the_right_package() -> None:
    world = metal_world(ends="2027-07-01 18:00")
    world.install_dst_package(LOCK_GATE, WINTER_ALL_YEAR)
    world.programmer_visit(LOCK_GATE)
    assert world.oracle.latest_opening(METAL, LOCK_GATE, world.now) == datetime(2027, 7, 1, 16, tzinfo=UTC)


def test_a_fob_lies_in_a_drawer_for_190_days_and_opens_for_whoever_takes_it_out() -> None:
    key = iloq_site.make_key(FOB, "0403", kind=KeyKind.FOB, rights=(GATE,))
    world = iloq_site.make_world(keys=(key,))
    world.hand_phone(FOB, "c-17")
    world.lose(FOB)
    world.advance_to(world.now + timedelta(days=190))
    assert world.oracle.latest_opening(FOB, LOCK_GATE, world.now) is None
    world.hand_phone(FOB, "finder")
    found = world.present(FOB, LOCK_GATE)
    assert (found.ok, found.person) == (True, "finder")


def test_a_fob_that_expires_in_194_days_opens_after_190_and_not_after_195() -> None:
    longest = 16_761_540  # seconds: the longest the vendor takes
    key = iloq_site.make_key(
        FOB, "0403", kind=KeyKind.FOB, rights=(GATE,), offline_expiration_seconds=longest
    )
    world = iloq_site.make_world(keys=(key,))
    ends_at = world.now + timedelta(seconds=longest)
    assert world.oracle.latest_opening(FOB, LOCK_GATE, world.now) == ends_at
    world.advance_to(world.now + timedelta(days=190))
    assert world.present(FOB, LOCK_GATE).ok
    world.advance_to(ends_at)
    assert world.present(FOB, LOCK_GATE).reason is Reason.OFFLINE_EXPIRED
