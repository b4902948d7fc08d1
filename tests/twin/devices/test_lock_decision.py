"""A lock decides on what the devices hold, and on nothing else."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from key2xs_twin.devices.things import Reason
from key2xs_twin.iloq import KeyKind, KeySpec
from key2xs_twin.physics import Countdown, Physics
from tests.twin.iloq.factory import (
    LOCK_PUMP,
    PHONE,
    PUMP,
    START,
    VALVE,
    make_key,
    make_lock,
    make_world,
    minutes,
)

EXACT = Physics.exact()
NO_PHONE_TIME = replace(EXACT, phone_supplies_time=False)
BEFORE, AFTER = datetime(2026, 11, 23, 17, 0), datetime(2026, 11, 23, 19, 0)  # noqa: DTZ001 - local; now is 18:00


@pytest.mark.parametrize(
    ("key", "lock", "physics", "reason"),
    [
        ({}, {}, EXACT, Reason.OK),
        ({"rights": (VALVE,)}, {}, EXACT, Reason.NO_RIGHT),
        ({"programmed": False}, {}, EXACT, Reason.NO_PROGRAM),
        ({"starts_lg": AFTER}, {}, EXACT, Reason.NOT_YET_VALID),
        ({"ends_lg": BEFORE}, {}, EXACT, Reason.NO_LONGER_VALID),
        ({"starts_lg": BEFORE, "ends_lg": AFTER}, {}, EXACT, Reason.OK),
        # A lock that does not honour time limits ignores both dates.
        ({"ends_lg": BEFORE}, {"respects_time_limits": False}, EXACT, Reason.OK),
        # Without any clock the dates cannot be judged.
        ({"ends_lg": BEFORE}, {}, NO_PHONE_TIME, Reason.OK),
        ({"ends_lg": BEFORE}, {"clock_installed": True}, NO_PHONE_TIME, Reason.NO_LONGER_VALID),
        ({"ends_lg": BEFORE, "kind": KeyKind.METAL}, {}, EXACT, Reason.OK),
        (
            {"ends_lg": BEFORE, "kind": KeyKind.METAL},
            {"clock_installed": True},
            EXACT,
            Reason.NO_LONGER_VALID,
        ),
        ({"ends_lg": BEFORE, "kind": KeyKind.FOB}, {}, EXACT, Reason.OK),
        # A lock that must ask the server: by the plan, and not without the server.
        ({}, {"online": True, "online_required": True}, EXACT, Reason.OK),
        ({}, {"online": False, "online_required": True}, EXACT, Reason.SERVER_UNREACHABLE),
    ],
)
def test_decision_table(key: dict[str, Any], lock: dict[str, Any], physics: Physics, reason: Reason) -> None:
    world = make_world(
        physics=physics,
        keys=(make_key(PHONE, "0401", **key),),
        locks=(make_lock(LOCK_PUMP, "L1", PUMP, **lock),),
    )
    assert world.present(PHONE, LOCK_PUMP).reason is reason


def test_online_required_lock_refuses_what_the_plan_no_longer_holds() -> None:
    world = make_world(locks=(make_lock(LOCK_PUMP, "L1", PUMP, online=True, online_required=True),))
    world.cut_network(PHONE)
    world.out_of_band.change_rights(PHONE, [])
    assert world.present(PHONE, LOCK_PUMP).reason is Reason.SERVER_REFUSED
    world.cut_network(LOCK_PUMP)
    assert world.present(PHONE, LOCK_PUMP).reason is Reason.SERVER_UNREACHABLE


def expiring(kind: KeyKind = KeyKind.PHONE, seconds: int = 3600) -> tuple[KeySpec, ...]:
    return (make_key(PHONE, "0401", kind=kind, offline_expiration_seconds=seconds),)


def test_phone_with_network_never_expires_and_without_it_after_the_interval() -> None:
    world = make_world(keys=expiring())
    assert world.present(PHONE, LOCK_PUMP, START + timedelta(days=2)).ok
    world.cut_network(PHONE)
    lost_at = world.now
    assert world.present(PHONE, LOCK_PUMP, lost_at + minutes(59)).ok
    assert world.present(PHONE, LOCK_PUMP, lost_at + minutes(60)).reason is Reason.OFFLINE_EXPIRED


def test_each_contact_starts_the_countdown_anew() -> None:
    world = make_world(keys=expiring())
    world.cut_network(PHONE)
    world.advance_to(START + minutes(59))
    world.restore_network(PHONE)
    world.cut_network(PHONE)
    assert world.present(PHONE, LOCK_PUMP, START + minutes(118)).ok
    assert not world.present(PHONE, LOCK_PUMP, START + minutes(119)).ok


@pytest.mark.parametrize(("truth", "minute"), [(Countdown.LAST_CONTACT, 75), (Countdown.NETWORK_LOST, 80)])
def test_the_start_of_the_countdown_is_a_physical_truth_of_the_world(truth: Countdown, minute: int) -> None:
    world = make_world(keys=expiring(), physics=replace(EXACT, countdown_from=truth))
    world.advance_to(START + minutes(20))  # the last heartbeat was at 15
    world.cut_network(PHONE)
    assert world.present(PHONE, LOCK_PUMP, START + minutes(minute) - timedelta(seconds=1)).ok
    assert not world.present(PHONE, LOCK_PUMP, START + minutes(minute)).ok


def test_zero_seconds_means_for_ever_and_a_metal_key_has_no_countdown() -> None:
    for keys in (expiring(seconds=0), expiring(kind=KeyKind.METAL, seconds=0)):
        world = make_world(keys=keys)
        world.cut_network(PHONE)
        assert world.present(PHONE, LOCK_PUMP, START + timedelta(days=400)).ok


def test_fob_in_a_drawer_expires_and_lives_again_after_the_fobapp() -> None:
    world = make_world(keys=expiring(kind=KeyKind.FOB))
    assert not world.present(PHONE, LOCK_PUMP, START + timedelta(days=190)).ok
    assert world.sync(PHONE)
    assert world.present(PHONE, LOCK_PUMP).ok


def test_phone_without_network_cannot_be_synchronised() -> None:
    world = make_world()
    world.cut_network(PHONE)
    assert not world.sync(PHONE)


def test_a_found_key_still_opens_and_the_finder_is_on_the_twins_books_only() -> None:
    world = make_world()
    world.lose(PHONE)
    world.hand_phone(PHONE, "a stranger")
    opening = world.present(PHONE, LOCK_PUMP)
    assert (opening.ok, opening.person) == (True, "a stranger")


def test_a_holder_who_turns_back_his_phone_prolongs_the_end_date_at_locks_without_clock() -> None:
    world = make_world(
        keys=(make_key(PHONE, "0401", ends_lg=AFTER),),
        locks=(make_lock(LOCK_PUMP, "L1", PUMP),),
    )
    world.set_clock(PHONE, timedelta(hours=-3))
    assert world.present(PHONE, LOCK_PUMP, START + minutes(120)).ok
