"""Many keys in a simulated key system that takes so many calls a second, as after a day's work: programmed, and proven so.

The product is whole (log, readers, reconciler), in one process with the simulated vendor, on a database of its own. People
and grants are left out: nobody has the keys any more, as when their grants have just been ended, so each of them is to be
emptied. The vendor counts real seconds and turns away what comes too fast; domain time stands still.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import httpx2

from key2xs.app import keep_what_was_loaded, listening, make_runner
from key2xs.core.clock import SystemClock
from key2xs.core.database import Connection
from key2xs.core.postgres import RoleDsns
from key2xs.keys.connected import Connected
from key2xs.keys.lanes import WorkLane
from key2xs.keys.port import KeyReading
from key2xs.keys.targets import reading_json
from key2xs.keys.wire import program_json
from key2xs.ledger import Entry
from key2xs.runtime import Runtime
from key2xs_twin import cliq
from key2xs_twin.cliq import KeyPlan
from key2xs_twin.cliq.plan import Validity, ValidityKind
from key2xs_twin.gateway import Gateway, Limits
from key2xs_twin.iloq.edge import transport
from key2xs_twin.world import World
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import TinySite, tiny_site, twin_id
from tests.support.tiny_cliq import tiny_cliq_site

BURST: Final = 10
FASTEST: Final = 1_000.0  # calls a second; above it there is no limit
WAIT_SECONDS: Final = 1_800.0
LOOK_SECONDS: Final = 0.5  # between looks at how far it is: each reads all targets


class Meter(httpx2.AsyncBaseTransport):
    """The way to a vendor that takes `a_second` calls and answers 429 to what is more, by real time."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, gateway: Gateway) -> None:
        """Let calls through to `inner` as `gateway` allows."""
        self._inner, self._gateway = inner, gateway
        self.calls = self.turned_away = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one call or turn it away."""
        now = SystemClock().now()
        refusal = self._gateway.refusal(now)
        if refusal is not None:
            self.turned_away += 1
            return httpx2.Response(429, headers={"retry-after": str(refusal.retry_after)})
        self._gateway.count(now)
        self.calls += 1
        return await self._inner.handle_async_request(request)


@dataclass
class Fleet:
    """The product, the vendor, and how many keys."""

    spine: Spine
    meter: Meter
    system: Connected
    keys: int

    async def end_all(self, lane: WorkLane = WorkLane.REVOKE) -> None:
        """Make every key due, as the end of its grants does."""
        async with self.spine.services.database.transaction() as tx:
            await tx.execute("UPDATE key_work SET next_at = $1, lane = $2", self.spine.now, lane)

    async def left(self) -> int:
        """Return how many keys the vendor has not accepted as emptied."""
        (row,) = await self.spine.fetch(
            "SELECT count(*) AS n FROM key_target WHERE accepted_at IS NULL OR accepted_at = $1 OR desired->'rights' <> '[]'",
            START - timedelta(hours=1),
        )
        return int(row["n"])

    async def until_done(self) -> float:
        """Wait until the vendor has accepted all; returns the seconds it took."""
        begun = perf_counter()
        while await self.left():
            await asyncio.sleep(LOOK_SECONDS)
            if perf_counter() - begun > WAIT_SECONDS:
                raise AssertionError(f"{await self.left()} keys are not done")
        return perf_counter() - begun


@asynccontextmanager
async def fleet(
    dsns: RoleDsns, keys: int, seed: int, *, maker: str, a_second: float, emptied: bool = False
) -> AsyncIterator[Fleet]:
    """Set up product and vendor on a migrated, empty database; no loop runs yet.

    `emptied`: CLIQ keys that hold nothing any more, which is what they should hold.
    """
    site = _cliq_site(keys, emptied=emptied) if maker == "cliq" else _iloq_site(keys)
    with tempfile.TemporaryDirectory() as folder:
        world = World(seed, START, site=site.iloq, cliq=site.cliq)
        limits = Limits(per_second=a_second, burst=BURST)
        way = cliq.transport(world) if maker == "cliq" else transport(world)
        meter = Meter(way, Gateway("bench", world.iloq.gateway.rng, limits))
        calls = {"calls": {"a_second": a_second, "burst": BURST}} if a_second <= FASTEST else {}
        opening = open_spine(
            dsns,
            Path(folder),
            START,
            seed=seed,
            site=site,
            world=world,
            vendor=meter,
            prepared=True,
            wall=SystemClock(),
            iloq=calls if maker == "iloq" else {},
            cliq=calls if maker == "cliq" else {},
        )
        async with opening as spine:
            system = next(each for each in spine.installation.connected if each.name == maker)
            names = {"inventory:iloq", "inventory:cliq", "events:iloq", "events:cliq"}
            spine.installation.loops = [loop for loop in spine.installation.loops if loop.name not in names]
            await _fill(spine, system)
            yield Fleet(spine, meter, system, keys)


@asynccontextmanager
async def running(spine: Spine) -> AsyncIterator[Runtime]:
    """Run the loops in the background, woken by the log as in the product, and by whoever does an act."""
    runner = make_runner(spine.installation, spine.installation.loops, spine.clock)
    runtime = Runtime(runner, spine.services.database)
    async with listening(spine.services.database, runtime, SystemClock()):
        task = asyncio.create_task(runner.run())
        keep_what_was_loaded()
        try:
            yield runtime
        finally:
            runner.stop()
            await task


async def _fill(spine: Spine, system: Connected) -> None:
    services = spine.services
    found = await system.port.inventory()
    held = await system.port.read_key(found.keys[0].vendor_key)
    async with services.database.transaction() as tx:
        await services.registry.take_inventory(tx, system.system_id, found, spine.now)
    async with services.database.transaction() as tx:
        await _program_all(tx, spine, system, held)
    for connection in await services.database.transact(services.connections.all):
        await services.database.transact(
            lambda tx, c=connection: services.connections.switch(  # type: ignore[misc]
                tx, c.id, writes=True, reason="bench", actor="user:bench", at=spine.now
            )
        )


async def _program_all(tx: Connection, spine: Spine, system: Connected, held: KeyReading) -> None:
    """Store of every key that it was written, sent and proven an hour ago; all hold the same."""
    at = spine.now - timedelta(hours=1)
    entry = await spine.services.ledger.record(
        tx, Entry("keys:target:make", at, at, "system:bench", (f"key_system:{system.system_id}",), body={})
    )
    program: Any = program_json(held.planned) if held.planned is not None else None
    await tx.execute("UPDATE key_key SET adopted_at = $1, entry = $2", at, entry)
    await tx.execute(
        "INSERT INTO key_target (id, system_id, key_id, generation, desired, grants, cannot, asked_at, accepted_at, "
        "delivered_at, reading, read_at, entry) "
        "SELECT gen_random_uuid(), system_id, id, 1, $1, '{}', '{}', $2, $2, $2, $3, $2, $4 FROM key_key",
        program, at, reading_json(held), entry,
    )  # fmt: skip
    await tx.execute(
        "INSERT INTO key_program (id, key_id, program, origin, grants, written_at, ordered_at, proven_at, entry) "
        "SELECT gen_random_uuid(), id, $1, 'ours', '{}', $2, $2, $2, $3 FROM key_key",
        program, at, entry,
    )  # fmt: skip
    await tx.execute(
        "INSERT INTO key_work (target_id, next_at, lane) SELECT id, $2, $1 FROM key_target",
        WorkLane.GRANT,
        at + timedelta(days=365),
    )


def _iloq_site(keys: int) -> TinySite:
    site = tiny_site(keys)
    programmed = tuple(
        replace(
            key,
            security_access_ids=frozenset({twin_id("right C1")}),
            ends_lg=datetime(2026, 3, 3, 6, 0),  # noqa: DTZ001 - the vendor's local time
            offline_expiration_seconds=7200,
            programmed=True,
        )
        for key in site.iloq.keys
    )
    return replace(site, iloq=replace(site.iloq, keys=programmed))


def _cliq_site(keys: int, *, emptied: bool) -> TinySite:
    site = tiny_cliq_site(keys + 1)
    assert site.cliq is not None
    plan = KeyPlan(
        cylinder_ids=frozenset() if emptied else frozenset({twin_id("C1")}),
        validity=Validity(kind=ValidityKind.BETWEEN, ends_at=START + timedelta(hours=13)),
        revalidation_minutes=480,
    )
    specs = tuple(replace(key, plan=plan) for key in site.cliq.keys[:keys])
    return replace(site, cliq=replace(site.cliq, keys=specs))
