"""From a permit's suspension arriving to the narrowed key being accepted at the vendor.

The whole way runs: signature, storage, log, sequencer, marks, decision, program, vendor calls. The vendor is the
twin in the same process, so its own time is measured apart and is the baseline: the same calls, made directly.
One permit is suspended after the other; nothing is waited for by sleeping.
"""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx2

from benchmarks.support import command, fresh_database, machine, percentile, run_async
from key2xs.app import listening, make_runner
from key2xs.core.clock import SystemClock
from key2xs.core.postgres import RoleDsns
from key2xs.runtime import Runtime
from key2xs_twin.iloq.edge import transport
from key2xs_twin.world import World
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import tiny_site

PERMITS = 60
WAIT_SECONDS = 20.0


def run(seed: int) -> dict[str, Any]:
    """Measure and return one `build/bench` record."""
    with fresh_database() as dsns, tempfile.TemporaryDirectory() as folder:
        times, vendor = run_async(_measure(dsns, Path(folder), seed))
    millis = [seconds * 1000 for seconds in times]
    twin = sum(vendor) / len(vendor) * 1000
    return {
        "name": "suspend_to_accepted",
        "value": round(percentile(millis, 0.5), 1),
        "unit": "ms",
        "p50": round(percentile(millis, 0.5), 1),
        "p99": round(percentile(millis, 0.99), 1),
        "ratio": round(percentile(millis, 0.5) / twin, 2),
        "baseline": round(twin, 2),
        "twin_ms": round(twin, 2),
        "samples": len(millis),
        "command": command("suspend_to_accepted", seed),
        "machine": machine(),
        "seed": seed,
    }


async def _measure(dsns: RoleDsns, folder: Path, seed: int) -> tuple[list[float], list[float]]:
    site = tiny_site(keys=PERMITS)
    world = World(seed, START, site=site.iloq)
    timed = _TimedTransport(transport(world))
    async with open_spine(dsns, folder, START, seed=seed, site=site, world=world, vendor=timed) as spine:
        permits = await _fill(spine)
        random.Random(seed).shuffle(permits)
        async with _running(spine):
            times, vendor = [], []
            for permit in permits:
                timed.seconds = 0.0
                times.append(await _suspend(spine, permit))
                vendor.append(timed.seconds)
    return times, vendor


async def _fill(spine: Spine) -> list[str]:
    permits = []
    for number in range(1, PERMITS + 1):
        await spine.person(f"u{number}")
        await spine.hand_out(f"K{number:03d}", f"u{number}")
        permits.append((await spine.live_permit("C1", crew=(f"u{number}",))).id)
    await spine.advance(timedelta(minutes=1))
    assert await spine.states() == ["active"] * PERMITS
    return permits


async def _suspend(spine: Spine, permit: str) -> float:
    spine.ptw.suspend(permit, code="other", at=spine.now)
    start = perf_counter()
    assert await spine.send() == [202]
    while perf_counter() - start < WAIT_SECONDS:
        rows = await spine.fetch(
            "SELECT count(*) AS open FROM key_target WHERE desired->'rights' <> '[]' OR accepted_at IS NULL"
        )
        left = PERMITS - sum(1 for p in spine.ptw.permits.values() if p.state == "suspended")
        if rows[0]["open"] == left:
            return perf_counter() - start
        await asyncio.sleep(0.001)
    message = "a suspension was not accepted in time"
    raise AssertionError(message)


@asynccontextmanager
async def _running(spine: Spine) -> AsyncIterator[None]:
    """Run the loops in the background, woken by the log as in the product."""
    runner = make_runner(spine.installation, spine.installation.loops, spine.clock)
    runtime = Runtime(runner, spine.services.database)
    async with listening(spine.services.database, runtime, SystemClock()):
        running = asyncio.create_task(runner.run())
        try:
            yield
        finally:
            runner.stop()
            await running


class _TimedTransport(httpx2.AsyncBaseTransport):
    """Counts the seconds spent inside the simulated vendor."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner, self.seconds = inner, 0.0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        start = perf_counter()
        try:
            return await self._inner.handle_async_request(request)
        finally:
            self.seconds += perf_counter() - start
