"""Updaters without network: what they prolong, what they do not know, and when the server hears of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from key2xs_twin.cliq import CliqSettings, OfflineUpdates
from key2xs_twin.physics import Physics
from tests.twin.cliq_factory import DYNAMIC, GATE, START, WALL, make_world, minutes, signed_in

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("rules", "after", "prolonged"),
    [
        (OfflineUpdates(), 1, False),
        (OfflineUpdates(count=1), 1, True),
        (OfflineUpdates(count=1, gap=2 * HOUR), 3, False),
        (OfflineUpdates(count=1, block_list=2 * HOUR), 3, False),
        (OfflineUpdates(count=1, block_list=4 * HOUR), 3, True),
    ],
)
def test_an_updater_without_network_prolongs_as_far_as_the_settings_allow(
    rules: OfflineUpdates, after: int, *, prolonged: bool
) -> None:
    world = make_world(settings=CliqSettings(offline_updates=rules))
    world.cut_network(WALL)
    world.advance_to(START + after * HOUR)
    assert world.present_at_updater(DYNAMIC, WALL) is prolonged
    assert world.present(DYNAMIC, GATE, START + 8 * HOUR).ok is prolonged
    assert not world.present_at_updater(DYNAMIC, WALL), "once only"


async def test_the_server_hears_of_offline_updates_when_the_updater_is_back() -> None:
    world = make_world(settings=CliqSettings(offline_updates=OfflineUpdates(count=2)))
    api = await signed_in(world)
    world.cut_network(WALL)
    world.advance_to(START + HOUR)
    assert world.present_at_updater(DYNAMIC, WALL)
    assert (await api.get(f"keys/{DYNAMIC}"))["offline_updates_since"] == 0
    (wall, _) = (await api.get("updaters"))["items"]
    assert (wall["online"], wall["seen_at"]) == (False, "2026-11-23T17:00:00.000000Z")
    await api.plan(DYNAMIC, access=[])
    await api.post(f"keys/{DYNAMIC}/send")
    assert world.present_at_updater(DYNAMIC, WALL)
    assert world.present(DYNAMIC, GATE).ok, "without network no plan comes in"
    world.restore_network(WALL)
    assert (await api.get(f"keys/{DYNAMIC}"))["offline_updates_since"] == 2
    assert world.present_at_updater(DYNAMIC, WALL)
    assert (await api.get(f"keys/{DYNAMIC}"))["offline_updates_since"] == 0
    kinds = [event["kind"] for event in (await api.get("events"))["items"]]
    assert kinds == ["key_updated_offline", "key_updated_offline", "opened", "key_updated"]


@pytest.mark.parametrize(("minutes_before", "helps"), [(70, False), (10, True)])
async def test_the_block_list_of_an_updater_is_up_to_an_hour_old(minutes_before: int, *, helps: bool) -> None:
    world = make_world(settings=CliqSettings(offline_updates=OfflineUpdates(count=5)))
    api = await signed_in(world)
    cut_at = START + 2 * HOUR + minutes(30)
    world.advance_to(cut_at - minutes(minutes_before))
    await api.post(f"keys/{DYNAMIC}/report", {"what": "lost"})
    world.advance_to(cut_at)
    world.cut_network(WALL)
    assert world.present_at_updater(DYNAMIC, WALL) is helps, (
        "the thief's luck: the list was issued on the hour"
    )


@pytest.mark.parametrize("revives", [True, False])
def test_a_lapsed_key_is_prolonged_or_not_as_the_physics_say(*, revives: bool) -> None:
    physics = replace(Physics.exact(), lapsed_revives_offline=revives)
    rules = OfflineUpdates(count=1)
    world = make_world(physics=physics, settings=CliqSettings(offline_updates=rules))
    world.cut_network(WALL)
    world.advance_to(START + 8 * HOUR)
    assert not world.present(DYNAMIC, GATE).ok
    assert world.present_at_updater(DYNAMIC, WALL) is revives
    assert world.present(DYNAMIC, GATE).ok is revives
