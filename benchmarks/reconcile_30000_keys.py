"""One look at each of 30,000 CLIQ keys that hold what they should, against the vendor's own time for the same readings.

Every key is due: each is planned, read and found in order. No rate limit; nothing is written. After three minutes the rest is
left: one key is like the other, and the record says how many were looked at.
"""

import asyncio
from time import perf_counter
from typing import Any, Final

from benchmarks.fleet import Fleet, fleet, running
from benchmarks.support import command, fresh_database, machine, run_async
from key2xs.core.postgres import RoleDsns
from key2xs.keys.lanes import WorkLane

KEYS: Final = 30_000
LONGEST_SECONDS: Final = 180.0
SAMPLE: Final = 2_000  # readings of the baseline


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    with fresh_database() as dsns:
        seconds, looked_at, baseline = run_async(_measure(dsns, seed))
    return {
        "name": "reconcile_30000_keys",
        "value": round(looked_at / seconds, 1),
        "unit": "keys/s",
        "p50": None,
        "p99": None,
        "ratio": round(seconds / looked_at / baseline, 2),
        "baseline": f"{round(baseline * 1000, 2)} ms, the vendor's own time for a reading",
        "seconds": round(seconds, 1),
        "looked_at": looked_at,
        "command": command("reconcile_30000_keys", seed),
        "machine": machine(),
        "seed": seed,
    }


async def _measure(dsns: RoleDsns, seed: int) -> tuple[float, int, float]:
    async with fleet(dsns, KEYS, seed, maker="cliq", a_second=1e6, emptied=True) as found:
        baseline = await _baseline(found)
        async with running(found.spine):
            begun = perf_counter()
            await found.end_all(WorkLane.GRANT)
            left = await _left_when_done_or_late(found, begun)
            return perf_counter() - begun, KEYS - left, baseline


async def _left_when_done_or_late(found: Fleet, begun: float) -> int:
    while True:
        (row,) = await found.spine.fetch(
            "SELECT count(*) AS n FROM key_work WHERE next_at <= $1 OR leased_until IS NOT NULL",
            found.spine.now,
        )
        if not row["n"] or perf_counter() - begun > LONGEST_SECONDS:
            return int(row["n"])
        await asyncio.sleep(0.1)


async def _baseline(found: Fleet) -> float:
    """Read keys over the same connection, and nothing else; returns the seconds for one of them."""
    rows = await found.spine.fetch("SELECT external_id FROM key_key ORDER BY external_id LIMIT $1", SAMPLE)
    begun = perf_counter()
    for row in rows:
        await found.system.port.read_key(row["external_id"])
    return (perf_counter() - begun) / SAMPLE
