"""Every way in which a call can go wrong, in the client's process and over real sockets."""

import asyncio
import socket
from datetime import timedelta

import httpx2
import pytest
import uvicorn

from key2xs_twin.faults import Fault
from key2xs_twin.iloq import IloqApp
from key2xs_twin.world import World
from tests.twin.iloq.factory import PHONE, START, VALVE, Api, make_world, signed_in

PUT = "PUT Keys/*/SecurityAccesses"
PATH = f"Keys/{PHONE}/SecurityAccesses"
BODY = {"SecurityAccessIds": [str(VALVE)], "OfflineExpirationSeconds": 600}


async def faulty(*faults: Fault) -> tuple[World, Api]:
    world = make_world()
    api = await signed_in(world)
    for fault in faults:
        world.faults.add(fault)
    return world, api


async def test_lost_request_changes_nothing_and_looks_like_a_lost_answer() -> None:
    world, api = await faulty(Fault(operation=PUT, effect="lose_request", times=1))
    with pytest.raises(httpx2.ReadTimeout):
        await api.put(PATH, BODY)
    assert await api.rights(PHONE, 1) == {"Pump"}
    world.faults.assert_all_fired()


async def test_lost_answer_leaves_the_change_committed() -> None:
    world, api = await faulty(Fault(operation=PUT, effect="lose_response_after_commit", times=1))
    with pytest.raises(httpx2.ReadTimeout):
        await api.put(PATH, BODY)
    assert await api.rights(PHONE, 1) == {"Valve"}
    world.faults.assert_all_fired()


async def test_late_write_lands_after_a_newer_one() -> None:
    world, api = await faulty(Fault(operation=PUT, effect="late_write:120", times=1))
    with pytest.raises(httpx2.ReadTimeout):
        await api.put(PATH, BODY)
    await api.put(PATH, BODY | {"SecurityAccessIds": []})
    assert await api.rights(PHONE, 1) == set()
    world.advance_to(START + timedelta(seconds=120))
    assert await api.rights(PHONE, 1) == {"Valve"}


async def test_late_write_of_a_killed_session_finds_the_door_closed() -> None:
    world, api = await faulty(Fault(operation=PUT, effect="late_write:120", times=1))
    with pytest.raises(httpx2.ReadTimeout):
        await api.put(PATH, BODY)
    await api.get("KillSession")
    world.advance_to(START + timedelta(seconds=120))
    await api.sign_in()
    assert await api.rights(PHONE, 1) == {"Pump"}


async def test_vendor_that_is_down_refuses_the_connection() -> None:
    _, api = await faulty(Fault(operation="* **", effect="down", until_at=START + timedelta(seconds=60)))
    with pytest.raises(httpx2.ConnectError):
        await api.get("Keys")
    api.world.advance_to(START + timedelta(seconds=60))
    assert await api.get("Keys")


async def test_status_fault_carries_retry_after_and_commits_nothing() -> None:
    _, api = await faulty(Fault(operation=PUT, effect="status:429", retry_after=31_000_000, nth=1))
    answer = await api.http.put(PATH, json=BODY)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "31000000")
    assert await api.rights(PHONE, 1) == {"Pump"}
    await api.put(PATH, BODY)


async def test_garbage_is_no_json_and_the_change_is_committed() -> None:
    _, api = await faulty(Fault(operation=PUT, effect="garbage", nth=1))
    answer = await api.http.put(PATH, json=BODY)
    with pytest.raises(ValueError):
        answer.json()
    assert await api.rights(PHONE, 1) == {"Valve"}


async def test_unauthorised_ends_the_session() -> None:
    _, api = await faulty(Fault(operation="GET Keys", effect="unauthorised", nth=1))
    assert (await api.http.get("Keys")).status_code == 401
    assert (await api.http.get("Keys")).status_code == 401
    await api.sign_in()
    assert await api.get("Keys")


async def test_slow_answer_is_a_timeout_only_for_who_does_not_wait() -> None:
    _, api = await faulty(Fault(operation=PUT, effect="slow:20"))
    with pytest.raises(httpx2.ReadTimeout):
        await api.http.put(PATH, json=BODY, timeout=5)
    assert await api.rights(PHONE, 1) == {"Valve"}
    assert (await api.http.put(PATH, json=BODY, timeout=30)).is_success


async def test_probability_is_seeded_and_counts() -> None:
    first: list[int] = []
    second: list[int] = []
    for outcome in (first, second):
        world, api = await faulty(Fault(operation="GET Keys", effect="status:503", probability=0.5))
        outcome.extend([(await api.http.get("Keys")).status_code for _ in range(20)])
        assert sum(world.faults.fired().values()) == outcome.count(503)
    assert first == second
    assert set(first) == {200, 503}


async def test_a_fault_that_never_fired_fails_the_test() -> None:
    world, api = await faulty(
        Fault(operation="GET Keys", effect="garbage", nth=2),
        Fault(operation="GET Locks", effect="status:500"),
    )
    await api.get("Keys")
    with pytest.raises(AssertionError, match="GET Keys garbage, GET Locks status:500"):
        world.faults.assert_all_fired()


def test_an_unknown_effect_is_refused() -> None:
    for effect in ("explode", "status", "garbage:1"):
        with pytest.raises(ValueError):
            Fault(operation=PUT, effect=effect)


async def test_over_sockets_a_lost_answer_closes_the_connection() -> None:
    world = make_world()
    world.faults.add(Fault(operation="GET Keys", effect="lose_response_after_commit", nth=1))
    config = uvicorn.Config(IloqApp(world.iloq), log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # before the server is up: the first call waits in the queue
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        api = await signed_in(world)
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/iloqws/api/v2/"
        async with httpx2.AsyncClient(base_url=base, headers=api.http.headers) as client:
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.get("Keys")
            answer = await client.get("Keys")
            assert len(answer.json()) == 4
            assert answer.headers["content-type"].startswith("application/json")
            assert (await client.put(PATH, json=BODY)).status_code == 200
    finally:
        server.should_exit = True
        await serving
