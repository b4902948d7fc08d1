"""Listing a whole iLOQ system takes four requests a lock: nobody else waits for it longer than for one of them."""

import asyncio
from datetime import timedelta

import httpx2
import pytest

from key2xs.connectors.iloq import IloqConnector
from key2xs.core.errors import Retry
from key2xs.keys.calls import LEASE
from key2xs_twin import iloq
from key2xs_twin.world import World
from tests.conftest import START
from tests.support.tiny import tiny_site, twin_id

from .connection import KeptSession, WorldClock, make_config

SOON = timedelta(milliseconds=100)
LATE = 5.0  # seconds; whoever is not done by then hangs
KEY = str(twin_id("key 1"))


class Hanging(httpx2.AsyncBaseTransport):
    """The vendor's server, silent at the first request that ends so until it is let go."""

    def __init__(self, world: World, ending: str) -> None:
        self.inner, self.ending = iloq.transport(world), ending
        self.go, self.reached = asyncio.Event(), asyncio.Event()
        self.seen: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request.url.path)
        if request.url.path.endswith(self.ending):
            self.reached.set()
            await self.go.wait()
        return await self.inner.handle_async_request(request)


def connect(world: World, transport: httpx2.AsyncBaseTransport, **limits: timedelta) -> IloqConnector:
    config = make_config(world, **({"request_timeout": timedelta(seconds=30)} | limits))
    return IloqConnector(config, store=KeptSession(), clock=WorldClock(world), transport=transport)


async def test_a_stop_waits_for_one_request_and_never_for_the_whole_listing() -> None:
    world = World(7, START, site=tiny_site().iloq)
    network = Hanging(world, "/Options")
    connector = connect(world, network)
    async with asyncio.timeout(LATE):
        listing = asyncio.create_task(connector.inventory())
        await network.reached.wait()
        stop = asyncio.create_task(connector.read_key(KEY))
        await asyncio.sleep(0)
        network.go.set()
        await stop
        assert len([path for path in network.seen if path.endswith("/Options")]) == 1, (
            "the listing went on first"
        )
        assert (await listing).keys


async def test_a_listing_that_hangs_ends_in_time_and_goes_on_where_it_was() -> None:
    world = World(7, START, site=tiny_site().iloq)
    network = Hanging(world, "/TimeLimitTitles")
    connector = connect(world, network, call_timeout=SOON)
    async with asyncio.timeout(LATE):
        with pytest.raises(Retry, match="out of time"):
            await connector.inventory()
        network.go.set()
        assert (await connector.inventory()).locks


async def test_the_whole_listing_has_a_limit_too() -> None:
    world = World(7, START, site=tiny_site().iloq)
    connector = connect(world, Hanging(world, "/Options"), listing_timeout=SOON)
    async with asyncio.timeout(LATE):
        with pytest.raises(Retry, match="list everything: out of time"):
            await connector.inventory()


def test_a_call_is_over_before_its_lease() -> None:
    assert make_config(World(7, START, site=tiny_site().iloq)).call_timeout < LEASE
