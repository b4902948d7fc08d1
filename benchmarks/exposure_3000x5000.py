"""Exposure of 3,000 keys at 5,000 locks: every pair answered, with terms and assumptions.

Each key opens a mix of single locks and groups, has up to three programs that may be in it, and a third of the keys keep
grants at some locks. The rules alone, in memory, as they are asked when everything is answered anew; against the same
questions asked pair by pair, timed on a sample of keys. 15 million pairs; what a key cannot open costs nothing.
"""

import gc
import random
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Final

from benchmarks.support import command, machine, percentile
from key2xs.core.tri import Tri
from key2xs.keys.exposure_map import ExposureMap
from key2xs.keys.exposure_types import KeyOnRecord
from key2xs.keys.port import KeyKind, ProgrammingState, VendorLock
from key2xs.keys.program import EMPTY_PROGRAM, Program, ProgramOnDevice, ProgramState

KEYS: Final = 3_000
LOCKS: Final = 5_000
GROUPS: Final = 60
RUNS: Final = 5
SAMPLE: Final = 10
BAR_SECONDS: Final = 2.0
NOW: Final = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
_TRI: Final[tuple[Tri, ...]] = ("yes", "no", "unknown")
_KINDS: Final = (KeyKind.PHONE, KeyKind.FOB, KeyKind.METAL, KeyKind.DYNAMIC)


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    draw = random.Random(seed)
    locks = [_lock(draw, number) for number in range(LOCKS)]
    keys = [_key(draw, number) for number in range(KEYS)]
    times, opened, groups = [], 0, 0
    for _ in range(RUNS):
        gc.collect()
        places = ExposureMap(locks)
        begun = perf_counter()
        opened = groups = 0
        for key, allowed in keys:
            answers = places.of_key(key, allowed=allowed)
            groups += len(answers)
            opened += sum(answer.count for answer in answers)
        times.append(perf_counter() - begun)
    assert opened > KEYS * 100, opened
    value = percentile(times, 0.5)
    one_by_one = _pair_by_pair(locks, keys)
    return {
        "name": "exposure_3000x5000",
        "value": round(value, 3),
        "unit": "s",
        "p50": round(value, 3),
        "p99": round(max(times), 3),
        "ratio": round(value / one_by_one, 4),
        "baseline": f"{one_by_one:.0f} s, pair by pair ({SAMPLE} keys measured)",
        "command": command("exposure_3000x5000", seed),
        "machine": machine(),
        "seed": seed,
        "bar": BAR_SECONDS,
        "held": max(times) < BAR_SECONDS,
        "pairs": KEYS * LOCKS,
        "open_pairs": opened,
        "groups": groups,
    }


def _pair_by_pair(locks: list[VendorLock], keys: list[tuple[KeyOnRecord, dict[str, str]]]) -> float:
    """Return how long it would take to ask every pair alone."""
    places = ExposureMap(locks)
    begun = perf_counter()
    for key, allowed in keys[:SAMPLE]:
        for lock in locks:
            places.of_pair(key, lock.vendor_lock, allowed_by=allowed.get(lock.vendor_lock))
    return (perf_counter() - begun) * len(keys) / SAMPLE


def _lock(draw: random.Random, number: int) -> VendorLock:
    return VendorLock(
        f"lock-{number}",
        f"L{number}",
        rights=frozenset({f"lock-{number}", f"group-{draw.randrange(GROUPS)}"}),
        has_clock=draw.choice(_TRI),
        clock_set_at=NOW - timedelta(days=draw.randrange(300)),
        honours_limits=draw.choice(_TRI),
        online_required=draw.choice(_TRI),
    )


def _key(draw: random.Random, number: int) -> tuple[KeyOnRecord, dict[str, str]]:
    begun = NOW - timedelta(hours=draw.randrange(1, 40))
    programs = [
        ProgramOnDevice(_program(draw), ProgramState.PROVEN, begun, ordered_at=begun, proven_at=begun)
    ]
    for step in range(draw.randrange(3)):
        at = begun + timedelta(minutes=10 * (step + 1))
        program = draw.choice((EMPTY_PROGRAM, _program(draw)))
        programs.append(ProgramOnDevice(program, ProgramState.POSSIBLE, at, ordered_at=at))
    allowed = {f"lock-{draw.randrange(LOCKS)}": f"grant-{n % 3}" for n in range(20 if number % 3 == 0 else 0)}
    record = KeyOnRecord(
        f"key-{number}", draw.choice(_KINDS), tuple(programs), ProgrammingState.ORDERED, as_of=NOW
    )
    return record, allowed


def _program(draw: random.Random) -> Program:
    return Program(
        rights=frozenset(
            {f"group-{draw.randrange(GROUPS)}" for _ in range(3)}
            | {f"lock-{draw.randrange(LOCKS)}" for _ in range(20)}
        ),
        ends_at=NOW + timedelta(hours=draw.randrange(1, 30)) if draw.random() < 0.7 else None,
        offline_expires_after=timedelta(hours=draw.randrange(1, 12)) if draw.random() < 0.7 else None,
    )
