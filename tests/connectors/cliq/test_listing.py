"""Listing a whole CLIQ system takes long and may hang: nobody else waits for it longer than for one page."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import httpx2
import msgspec
import pytest

from key2xs.connectors.cliq import CliqConnector
from key2xs.core.errors import Retry
from key2xs.keys.calls import LEASE
from key2xs_twin import cliq
from key2xs_twin.world import World
from tests.connectors.cliq.connection import make_config
from tests.connectors.iloq.connection import KeptSession, WorldClock
from tests.twin.cliq_factory import DYNAMIC, make_world

SOON = timedelta(milliseconds=100)
LATE = 5.0  # seconds; whoever is not done by then hangs
KEY = str(DYNAMIC)


class Hanging(httpx2.AsyncBaseTransport):
    """The vendor's server, which is silent about one thing until it is let go; it remembers the order of requests."""

    def __init__(self, world: World, method: str, thing: str) -> None:
        self.inner, self.silent = cliq.transport(world), (method, thing)
        self.go, self.reached = asyncio.Event(), asyncio.Event()
        self.seen: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        thing = request.url.path.rsplit("/", 1)[-1]
        self.seen.append(thing)
        if (request.method, thing) == self.silent:
            self.reached.set()
            await self.go.wait()
        return await self.inner.handle_async_request(request)


class Endless(httpx2.AsyncBaseTransport):
    """A server whose list of cylinders always has one more page, with nothing on it."""

    def __init__(self, world: World) -> None:
        self.inner = cliq.transport(world)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith("/cylinders"):
            return await self.inner.handle_async_request(request)
        await asyncio.sleep(0)
        return httpx2.Response(200, content=msgspec.json.encode({"items": [], "next": str(uuid4())}))


def connect(world: World, transport: httpx2.AsyncBaseTransport, **limits: timedelta) -> CliqConnector:
    config = make_config(world, request_timeout=timedelta(seconds=30), **limits)
    return CliqConnector(config, store=KeptSession(), clock=WorldClock(world), transport=transport)


@pytest.mark.parametrize("thing", ["system", "cylinders", "cylinder-groups", "keys", "updaters", "jobs"])
async def test_a_listing_that_hangs_ends_in_time_and_keeps_nobody_waiting(thing: str) -> None:
    world = make_world()
    network = Hanging(world, "GET", thing)
    connector = connect(world, network, call_timeout=SOON)
    async with asyncio.timeout(LATE):
        with pytest.raises(Retry, match="out of time"):
            await connector.inventory()
        network.go.set()
        assert (await connector.read_key(KEY)).vendor_key == KEY
        assert (await connector.inventory()).keys


async def test_a_stop_waits_for_one_page_and_never_for_the_whole_listing() -> None:
    world = make_world()
    network = Hanging(world, "GET", "cylinders")
    connector = connect(world, network)
    async with asyncio.timeout(LATE):
        listing = asyncio.create_task(connector.inventory())
        await network.reached.wait()
        stop = asyncio.create_task(connector.block(KEY))
        await asyncio.sleep(0)
        network.go.set()
        await stop
        assert (await listing).keys
    assert network.seen.index("report") == network.seen.index("cylinders") + 1, network.seen


async def test_a_listing_without_an_end_ends_in_time() -> None:
    world = make_world()
    connector = connect(world, Endless(world), listing_timeout=SOON)
    async with asyncio.timeout(LATE):
        with pytest.raises(Retry, match="list everything: out of time"):
            await connector.inventory()


def test_a_call_is_over_before_its_lease() -> None:
    config = make_config(make_world())
    assert config.call_timeout < LEASE
