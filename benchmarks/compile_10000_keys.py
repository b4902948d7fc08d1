"""Compiling 10,000 keys at once: what each should carry, what changes, and what stays out, in one core.

8,000 people, of whom 2,000 have two keys, with three grants each (crews ask for the same locks) on 5,000 locks behind
600 rights. Three keys in four have what they should have already, so they must not be touched. Compiled twice: from
nothing remembered, and again as after a small change. The baseline only goes through the same grants and looks up the
rights of each of their locks.
"""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Final
from zoneinfo import ZoneInfo

from benchmarks.support import command, machine
from key2xs.keys.carry import Covers, GrantToCarry, KeyLimits
from key2xs.keys.compile.compiler import Compiled, KeyNow, WantedGrant, compile_keys
from key2xs.keys.compile.limits import most, slots_of
from key2xs.keys.port import VendorRight

KEYS: Final = 10_000
PEOPLE: Final = 8_000
GRANTS_EACH: Final = 3
LOCKS: Final = 5_000
RIGHTS: Final = 600
JOBS: Final = 1_500
AT: Final = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
LIMITS: Final = KeyLimits(
    grid=timedelta(minutes=15),
    zone=ZoneInfo("Europe/Amsterdam"),
    free_slots=most("iloq-slots"),
    max_rights=12,
)


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    draw = random.Random(seed)
    catalogue = _catalogue(draw)
    keys, wants = _site(draw, catalogue)
    at_rest = compile_keys(keys, wants, Covers(catalogue), at=AT)
    held = [
        KeyNow(key.key, key.stamp, LIMITS, at_rest.plans[key.key].program if number % 4 else None, key.by_air)
        for number, key in enumerate(keys)
    ]
    begun = perf_counter()
    covers = Covers(catalogue)
    found = compile_keys(held, wants, covers, at=AT)
    took = perf_counter() - begun
    begun = perf_counter()
    again = compile_keys(held, wants, covers, at=AT)
    warm = perf_counter() - begun
    baseline = _baseline(catalogue, wants)
    _judge(found, wants)
    assert found == again
    return {
        "name": "compile_10000_keys",
        "value": round(took, 2),
        "unit": "s",
        "p50": None,
        "p99": None,
        "ratio": round(took / baseline, 1),
        "baseline": "looking up the rights of every granted lock",
        "seconds_again": round(warm, 2),
        "grants": len(wants),
        "carried": len(found.carried),
        "cannot": len(found.cannot),
        "changes": len(found.changes),
        "visits": found.visits,
        "command": command("compile_10000_keys", seed),
        "machine": machine(),
        "seed": seed,
    }


def _catalogue(draw: random.Random) -> list[VendorRight]:
    """Each lock has a right of its own area, and some areas nest in larger ones."""
    areas = RIGHTS - 100
    of_area: dict[int, set[str]] = defaultdict(set)
    for number in range(LOCKS):
        of_area[number % areas].add(f"l{number}")
    rights = [VendorRight(f"r{n}", f"r{n}", frozenset(locks), writable=True) for n, locks in of_area.items()]
    for number in range(100):
        some = draw.sample(range(areas), 3)
        locks = frozenset[str]().union(*(of_area[area] for area in some))
        rights.append(VendorRight(f"w{number}", f"w{number}", locks, writable=True))
    return rights


def _site(draw: random.Random, catalogue: list[VendorRight]) -> tuple[list[KeyNow], list[WantedGrant]]:
    jobs = []
    for number in range(JOBS):
        locks = set[str]().union(*(right.locks for right in draw.sample(catalogue, draw.randint(1, 3))))
        if number % 50 == 0:
            locks.remove(min(locks))  # no right opens exactly these: it has to be said
        ends = AT + timedelta(hours=draw.choice([2, 4, 8, 12]))
        jobs.append((frozenset(locks), AT - timedelta(hours=draw.randint(1, 8)), ends))
    keys = [KeyNow(f"k{n:05d}", f"{n:05d}", LIMITS, by_air=n % 3 == 0) for n in range(KEYS)]
    wants = []
    for person in range(PEOPLE):
        mine = {f"k{person:05d}"} | ({f"k{PEOPLE + person:05d}"} if PEOPLE + person < KEYS else set())
        for number, job in enumerate(draw.sample(jobs, GRANTS_EACH)):
            wants.append(WantedGrant(GrantToCarry(f"g{person}-{number}", *job), frozenset(mine)))
    return keys, wants


def _baseline(catalogue: list[VendorRight], wants: list[WantedGrant]) -> float:
    of_lock: dict[str, list[str]] = defaultdict(list)
    for right in catalogue:
        for lock in right.locks:
            of_lock[lock].append(right.right)
    begun, seen = perf_counter(), 0
    for want in wants:
        seen += sum(len(of_lock[lock]) for lock in want.ask.locks)
    assert seen > len(wants)
    return perf_counter() - begun


def _judge(found: Compiled, wants: list[WantedGrant]) -> None:
    """Stop unless nothing is over a limit, every grant is accounted for, and most keys stay as they are."""
    assert all(slots_of(plan.program) <= LIMITS.free_slots for plan in found.plans.values())
    assert all(len(plan.program.rights) <= (LIMITS.max_rights or 0) for plan in found.plans.values())
    assert len(found.carried) + len(found.cannot) + len(found.waiting) == len(wants)
    assert len(found.carried) > 0.9 * len(wants)
    assert len(found.changes) <= KEYS // 4
