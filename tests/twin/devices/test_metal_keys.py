"""S5 metal keys: no countdown, an end date only where the lock has a clock, programmed at a hot spot or programmer only."""

from datetime import datetime, timedelta

import pytest

from key2xs_twin.devices.things import Reason
from key2xs_twin.iloq import KeyKind
from key2xs_twin.time import NEVER
from key2xs_twin.world import World
from tests.twin.iloq.factory import (
    GATE,
    LOCK_GATE,
    LOCK_ONLINE,
    LOCK_PUMP,
    METAL,
    PUMP,
    START,
    make_key,
    make_lock,
    make_world,
    minutes,
    signed_in,
    uid,
)

LOCAL_START = datetime(2026, 11, 23, 18, 0)  # noqa: DTZ001 - local wall clock of START
HOT_SPOT = uid(0x2FF)


def a_world(ends_lg: datetime | None = None) -> World:
    return make_world(
        keys=(make_key(METAL, "0404", kind=KeyKind.METAL, rights=(PUMP, GATE), ends_lg=ends_lg),),
        locks=(
            make_lock(LOCK_PUMP, "L201", PUMP),
            make_lock(LOCK_GATE, "L203", GATE, clock_installed=True),
            make_lock(LOCK_ONLINE, "L204", GATE, clock_installed=True, online=True),
            make_lock(HOT_SPOT, "L2FF", GATE, clock_installed=True, online=True, hot_spot=True),
        ),
    )


def test_an_end_date_ends_it_at_a_lock_with_clock_and_nowhere_else() -> None:
    world = a_world(ends_lg=LOCAL_START + timedelta(hours=1))
    assert world.oracle.latest_opening(METAL, LOCK_GATE, START) == START + minutes(60)
    assert world.oracle.latest_opening(METAL, LOCK_PUMP, START) is None
    assert world.present(METAL, LOCK_GATE, START + minutes(60)).reason is Reason.NO_LONGER_VALID
    assert world.present(METAL, LOCK_PUMP).ok, "the lock has no clock and the key none to lend"


async def test_it_has_no_countdown_and_the_interface_takes_none() -> None:
    world = a_world()
    api = await signed_in(world)
    body = {"SecurityAccessIds": [str(PUMP)], "OfflineExpirationSeconds": 3600}
    answer = await api.http.put(f"Keys/{METAL}/SecurityAccesses", json=body)
    assert answer.status_code == 400
    assert world.oracle.latest_opening(METAL, LOCK_GATE, START) is None
    assert world.present(METAL, LOCK_GATE, START + timedelta(days=400)).ok


@pytest.mark.parametrize("way", ["programmer", "hot spot"])
async def test_a_new_plan_waits_until_the_key_is_carried_to_where_it_can_be_programmed(way: str) -> None:
    world = a_world()
    api = await signed_in(world)
    body = {"SecurityAccessIds": [str(PUMP)], "OfflineExpirationSeconds": 0}
    await api.put(f"Keys/{METAL}/SecurityAccesses", body)
    await api.post(f"Keys/{METAL}/Order")
    world.advance_to(START + timedelta(days=30))
    assert world.present(METAL, LOCK_ONLINE).ok, "an online lock is no hot spot"
    assert await api.programming_state(METAL) == 1
    assert await api.rights(METAL, 2) == {"Pump", "Gate"}
    if way == "programmer":
        assert world.sync(METAL)
    else:
        world.cut_network(HOT_SPOT)
        assert world.present(METAL, HOT_SPOT).ok, "a hot spot without network programs nothing"
        world.restore_network(HOT_SPOT)
        assert world.oracle.latest_opening(METAL, HOT_SPOT, world.now) == NEVER, "it is programmed first"
        assert world.present(METAL, HOT_SPOT).reason is Reason.NO_RIGHT
    assert await api.programming_state(METAL) == 3
    assert not world.present(METAL, LOCK_GATE).ok
    assert world.present(METAL, LOCK_PUMP).ok
