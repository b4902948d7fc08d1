"""Search by what is printed on keys and locks, over 40,000 cylinders and 30,000 keys (`site_l.sql`).

Asked for in the same shares: whole stamps of keys (some of which exist in two key systems), whole stamps of locks,
beginnings, middles of four characters, and what nothing carries. Each is everything the search box does: keys, locks,
access points, permits and companies, from call to Python objects. The baseline is the bare look-up of one key by its
whole stamp on the same connection.
"""

import random
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

from benchmarks.my_area_page import NOW, load_site
from benchmarks.support import command, fresh_database, machine, percentile, run_async
from key2xs.access import Permission, Principal
from key2xs.console.views.search import find
from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.ids import UserId
from key2xs.core.postgres import RoleDsns
from key2xs.core.settings import Settings
from key2xs.core.vault import Vault
from key2xs.services import build_services

QUESTIONS: Final = 1_000
WARM_UP: Final = 50
KEYS: Final = 30_000
CYLINDERS: Final = 40_000


def run(seed: int) -> dict[str, Any]:
    """Measure and return the `build/bench` record."""
    with fresh_database() as dsns:
        return run_async(_run(dsns, seed))


async def _run(dsns: RoleDsns, seed: int) -> dict[str, Any]:
    await load_site(dsns)
    database, vault_database = await Database.open(dsns.app), await Database.open(dsns.vault)
    clock = ManualClock(NOW)
    services = build_services(Settings(), database, Vault(vault_database, bytes(32), clock), clock, clock)
    reader = _reader()
    questions = _questions(seed)
    found = 0
    try:
        async with database.read() as tx:
            times, bare = [], []
            for number, text in enumerate(questions):
                begun = perf_counter()
                await services.registry.find_key(tx, text)
                between = perf_counter()
                hits = await find(tx, reader, text)
                done = perf_counter()
                found += bool(hits)
                if number >= WARM_UP:
                    bare.append((between - begun) * 1000)
                    times.append((done - between) * 1000)
    finally:
        await database.close()
        await vault_database.close()
    assert found > 0.7 * len(questions), found
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    return {
        "name": "search_by_stamp",
        "value": round(p99, 2),
        "unit": "ms (p99)",
        "p50": round(p50, 2),
        "p99": round(p99, 2),
        "ratio": round(p50 / percentile(bare, 0.5), 2),
        "baseline": "p50 of the bare look-up of a key",
        "command": command("search_by_stamp", seed),
        "machine": machine(),
        "seed": seed,
        "questions": QUESTIONS,
    }


def _reader() -> Principal:
    return Principal(
        kind="session",
        user_id=UserId(uuid4()),
        person_id=None,
        roles=("shift_leader",),
        permissions=frozenset(Permission),
        actor="user:bench",
    )


def _questions(seed: int) -> list[str]:
    draw = random.Random(seed)
    kinds = (
        lambda: f"{draw.randint(1, KEYS):05}",
        lambda: f"c{draw.randint(1, CYLINDERS):05}",
        lambda: f"C{draw.randint(1, CYLINDERS):05}"[: draw.randint(3, 5)],
        lambda: f"{draw.randint(1, CYLINDERS):05}"[1:],
        lambda: f"none-{draw.randint(1, 999)}",
    )
    return [kinds[number % len(kinds)]() for number in range(WARM_UP + QUESTIONS)]
