"""Ninety days in the life of the synthetic site of size L in the twin, then again: the same bytes must come out.

Every key that people carry is programmed at the beginning of each of its holder's shifts, and held to three to nine locks
on each; phones lose the network, locks are read. The baseline is the bare decision of a lock about a key, without the walk,
the rows, the block lists and the vendor's server.
"""

from time import perf_counter, process_time
from typing import Any, Final

from benchmarks.support import command, machine
from key2xs_twin.devices.decision import decide
from key2xs_twin.life import live_days
from key2xs_twin.site.model import Sizes
from key2xs_twin.world import World

DAYS: Final = 90


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    return measure("L", seed)


def measure(size: str, seed: int, sizes: Sizes | None = None) -> dict[str, Any]:
    """Live twice on a site of this size, or of sizes of its own."""
    begun, begun_cpu = perf_counter(), process_time()
    world = live_days(sizes or size, seed, DAYS)
    took, cpu = perf_counter() - begun, process_time() - begun_cpu
    digest, attempts = world.digest(), len(world.openings)
    record = {
        "name": f"twin_90_days_{size.lower()}",
        "value": round(took, 1),
        "unit": "s",
        "p50": None,
        "p99": None,
        "ratio": round(took / (attempts * _decision(world)), 1),
        "baseline": "as many bare decisions of a lock about a key",
        "cpu_seconds": round(cpu, 1),
        "attempts": attempts,
        "per_second": round(attempts / took),
        "locks": len(world.locks) + len(world.cliq_field.cylinders),
        "keys": len(world.keys) + len(world.cliq_field.keys),
        "log_rows": len(world.iloq.state.log) + len(world.cliq.state.events),
        "digest": digest,
        "command": command(f"twin_90_days_{size.lower()}", seed),
        "machine": machine(),
        "seed": seed,
    }
    del world
    assert live_days(sizes or size, seed, DAYS).digest() == digest, "the same seed gives the same bytes"
    return record


def _decision(world: World) -> float:
    """Seconds that one bare decision takes."""
    keys, locks = list(world.keys.values())[:100], list(world.locks.values())[:100]
    begun = perf_counter()
    for key in keys:
        for lock in locks:
            decide(
                key,
                lock,
                world.now,
                physics=world.physics,
                zone=world.iloq.zone,
                ask_server=world.iloq.permits,
            )
    return (perf_counter() - begun) / (len(keys) * len(locks))
