"""What stands before a vendor's server: rate, day's quota, latency. Everything counts in virtual time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from key2xs_twin import cliq, iloq
from key2xs_twin.faults import Fault
from key2xs_twin.gateway import Limits
from key2xs_twin.iloq.inventory import IloqSite
from key2xs_twin.world import World

START = datetime(2026, 7, 1, 22, 0, tzinfo=UTC)
BASE = "http://iloq.test/iloqws/api/v2"


@pytest.fixture
def world() -> World:
    return World(7, START, site=IloqSite(lock_group_id=World(7, START).rng.uuid("group")))


async def call(world: World, operation: str = "Version", **more: float) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=iloq.transport(world), timeout=more.get("timeout", 9)) as client:
        return await client.get(f"{BASE}/{operation}")


async def statuses(world: World, times: int) -> list[int]:
    return [(await call(world)).status_code for _ in range(times)]


def later(world: World, seconds: float) -> None:
    world.advance_to(world.now + timedelta(seconds=seconds))


async def test_over_the_rate_calls_are_turned_away_until_as_much_time_has_passed_as_it_says(
    world: World,
) -> None:
    world.iloq.gateway.limits = Limits(per_second=0.5, burst=2)
    assert await statuses(world, 3) == [200, 200, 429]
    refused = await call(world)
    assert refused.headers["retry-after"] == "2"
    later(world, 1.9)
    assert await statuses(world, 1) == [429]
    later(world, 0.1)
    assert await statuses(world, 2) == [200, 429]
    later(world, 3600)
    assert await statuses(world, 3) == [200, 200, 429], "a pause saves up no more than the burst"
    assert world.iloq.gateway.turned_away == 5


async def test_a_days_quota_is_full_again_at_midnight_utc_and_the_customer_is_told_once(world: World) -> None:
    world.iloq.gateway.limits = Limits(per_day=3)
    assert await statuses(world, 5) == [200, 200, 200, 429, 429]
    later(world, 3600)
    refused = await call(world)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    assert world.iloq.gateway.told == [START]
    later(world, 3599)
    assert await statuses(world, 1) == [429]
    later(world, 1)
    assert world.iloq.gateway.calls_left(world.now) == 3
    assert await statuses(world, 4) == [200, 200, 200, 429]
    assert world.iloq.gateway.told == [START, START + timedelta(hours=2)]


async def test_the_day_may_begin_at_another_hour(world: World) -> None:
    world.iloq.gateway.limits = Limits(per_day=1, reset_hour=23)
    assert await statuses(world, 2) == [200, 429]
    later(world, 3600)
    assert await statuses(world, 1) == [200]


async def test_a_call_that_never_arrived_uses_nothing_up_and_one_turned_away_meets_no_fault(
    world: World,
) -> None:
    world.iloq.gateway.limits = Limits(per_day=1)
    world.faults.add(Fault(operation="GET Version", effect="lose_request", nth=1))
    with pytest.raises(httpx2.ReadTimeout):
        await call(world)
    assert await statuses(world, 1) == [200]
    rule = world.faults.add(Fault(operation="GET Version", effect="status:500"))
    assert await statuses(world, 1) == [429]
    assert not rule.fired


async def test_makers_have_limits_of_their_own_and_without_any_there_are_none(world: World) -> None:
    world.iloq.gateway.limits = Limits(per_second=0.001)
    async with httpx2.AsyncClient(transport=cliq.transport(world)) as client:
        for _ in range(50):
            body = {"client": world.cliq.account.client, "secret": world.cliq.account.secret}
            answer = await client.post("http://cliq.test/cliq-sim/v1/sessions", json=body)
            assert answer.status_code == 201, answer.text
    assert await statuses(world, 2) == [200, 429]


async def test_slow_answers_are_time_outs_for_a_client_that_does_not_wait(world: World) -> None:
    seconds = timedelta(seconds=1)
    world.iloq.gateway.limits = Limits(latency=(3 * seconds, 5 * seconds))
    assert (await call(world)).status_code == 200
    with pytest.raises(httpx2.ReadTimeout):
        await call(world, timeout=2)


async def test_a_repeated_answer_is_the_last_one_and_there_is_none_before_the_first(world: World) -> None:
    rule = world.faults.add(Fault(operation="GET Version", effect="repeat", times=1))
    world.iloq.settings.version = "7.5"
    assert (await call(world)).json() == "7.5"
    assert not rule.fired, "nothing to repeat yet"
    world.iloq.settings.version = "8.0"
    assert (await call(world)).json() == "7.5"
    assert (await call(world)).json() == "8.0"
    world.faults.assert_all_fired()


@pytest.mark.parametrize("wrong", [{"per_second": 0}, {"burst": 0}, {"reset_hour": 24}, {"per_day": -1}])
def test_impossible_limits_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a rate is above 0"):
        Limits(**wrong)  # type: ignore[arg-type]


async def test_limits_and_what_was_used_of_them_belong_to_the_world(world: World) -> None:
    before = world.digest()
    await call(world)
    assert world.digest() != before
