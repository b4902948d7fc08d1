"""Three thousand keys to be emptied at once, against the time that the vendor's rate limit allows for the calls made.

iLOQ phones: each is read, written with both readings, and ordered. The vendor takes `RATE` calls a second and turns away
what is more. The ideal sends the same calls back to back at that rate.
"""

from time import process_time
from typing import Any, Final

from benchmarks.fleet import BURST, Fleet, fleet, running
from benchmarks.support import command, fresh_database, machine, run_async
from key2xs.core.postgres import RoleDsns

KEYS: Final = 3_000
RATE: Final = 200.0  # calls a second


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    return measure("mass_revoke_3000", KEYS, seed, maker="iloq", a_second=RATE)


def measure(name: str, keys: int, seed: int, *, maker: str, a_second: float) -> dict[str, Any]:
    """Empty a fleet and return the record."""
    with fresh_database() as dsns:
        return run_async(_measure(dsns, name, keys, seed, maker=maker, a_second=a_second))


async def _measure(
    dsns: RoleDsns, name: str, keys: int, seed: int, *, maker: str, a_second: float
) -> dict[str, Any]:
    async with fleet(dsns, keys, seed, maker=maker, a_second=a_second) as found, running(found.spine):
        before, used = found.meter.calls, process_time()
        await found.end_all()
        seconds = await found.until_done()
        measured = record(name, found, seconds, found.meter.calls - before, seed, a_second)
        return measured | {"cpu_ms_a_revocation": round((process_time() - used) / keys * 1000, 1)}


def record(name: str, found: Fleet, seconds: float, calls: int, seed: int, a_second: float) -> dict[str, Any]:
    """Return the record of one mass revocation."""
    ideal = max(calls - BURST, 1) / a_second
    return {
        "name": name,
        "value": round(seconds, 1),
        "unit": "s",
        "p50": None,
        "p99": None,
        "ratio": round(seconds / ideal, 3),
        "baseline": f"{round(ideal, 1)} s, as many calls at {a_second:g} a second",
        "calls_per_revocation": round(calls / found.keys, 2),
        "turned_away": found.meter.turned_away,
        "command": command(name, seed),
        "machine": machine(),
        "seed": seed,
    }
