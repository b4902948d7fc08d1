"""Adopting 30,000 keys of an existing site, killed half-way and taken up again, against writing as many entries.

Thirty thousand keys with three standing rights each on 6,000 locks, listed and read. A run adopts them in batches of
500, each one transaction with a log entry a key. Half-way the worker is thrown away in the middle of a batch and
another one goes on; in the end every key must have been adopted once. The baseline writes the same number of entries
with the same subjects and heads, and nothing else, in the same batches on the same server.
"""

import random
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Final

from benchmarks.support import command, fresh_database, machine, run_async
from key2xs.core.clock import ManualClock
from key2xs.core.crash import SimulatedCrash, declared
from key2xs.core.database import Connection, Database
from key2xs.core.ids import KeySystemId
from key2xs.core.postgres import RoleDsns
from key2xs.core.vault import Vault
from key2xs.keys.adoption.loops import AdoptionLoop
from key2xs.keys.adoption.report import inventory_report
from key2xs.keys.adoption.runs import AdoptionRuns
from key2xs.keys.port import (
    Inventory,
    KeyKind,
    KeyReading,
    ProgrammingState,
    VendorKey,
    VendorLock,
    VendorRight,
)
from key2xs.keys.program import Program
from key2xs.keys.registry import Registry
from key2xs.keys.targets import reading_json
from key2xs.keys.wire import program_json
from key2xs.ledger import Entry, Ledger

KEYS: Final = 30_000
LOCKS: Final = 6_000
RIGHTS: Final = 600
RIGHTS_A_KEY: Final = 3
BATCH: Final = 500
AT: Final = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    with fresh_database() as dsns:
        return run_async(_run(dsns, seed))


async def _run(dsns: RoleDsns, seed: int) -> dict[str, Any]:
    database, vault_database = await Database.open(dsns.app), await Database.open(dsns.vault)
    try:
        ledger = Ledger(Vault(vault_database, bytes(32), ManualClock(AT)))
        system = await fill(database, ledger, seed)
        baseline = await _baseline(database, ledger)
        runs = AdoptionRuns(ledger)
        begun = perf_counter()
        async with database.transaction() as tx:
            await runs.start(
                tx, system, None, started_by="user:a", confirmed_by="user:b", reason="take over", at=AT
            )
        started = perf_counter() - begun
        longest, deaths = await _adopt(database, runs)
        took = perf_counter() - begun
        async with database.read() as tx:
            found = await tx.fetch(
                "SELECT count(*) AS adopted, (SELECT count(*) FROM log_body WHERE kind = 'keys:adoption:take') AS told, "
                "(SELECT count(*) FROM key_standing) AS rights FROM key_key WHERE adopted_at IS NOT NULL"
            )
            counts = found[0]
            begun = perf_counter()
            await inventory_report(tx, AT, unused_days=90)
            report = perf_counter() - begun
        assert tuple(counts) == (KEYS, KEYS, KEYS * RIGHTS_A_KEY), dict(counts)
        assert deaths == 1, deaths
    finally:
        await database.close()
        await vault_database.close()
    return {
        "name": "adopt_30000_keys",
        "value": round(KEYS / took),
        "unit": "keys/s",
        "p50": None,
        "p99": None,
        "ratio": round(took / baseline, 2),
        "baseline": "writing as many log entries and nothing else",
        "seconds": round(took, 1),
        "seconds_to_start": round(started, 2),
        "longest_batch_ms": round(longest * 1000),
        "inventory_report_seconds": round(report, 2),
        "killed_half_way": deaths,
        "command": command("adopt_30000_keys", seed),
        "machine": machine(),
        "seed": seed,
    }


async def fill(database: Database, ledger: Ledger, seed: int) -> KeySystemId:
    """List the site and store a reading of each key, as the first days of a connection would."""
    draw, registry = random.Random(seed), Registry(ledger)
    rights = [f"r{n}" for n in range(RIGHTS)]
    of_lock: dict[str, set[str]] = {f"l{n}": {draw.choice(rights)} for n in range(LOCKS)}
    locks = tuple(
        VendorLock(lock, lock.upper(), rights=frozenset(accepts)) for lock, accepts in of_lock.items()
    )
    opened: dict[str, set[str]] = {right: set() for right in rights}
    for lock, accepts in of_lock.items():
        for right in accepts:
            opened[right].add(lock)
    found = Inventory(
        keys=tuple(
            VendorKey(f"v{n}", f"{n:05d}", KeyKind.FOB, ProgrammingState.PROGRAMMED) for n in range(KEYS)
        ),
        locks=locks,
        rights=tuple(VendorRight(right, right, frozenset(opened[right]), writable=True) for right in rights),
        as_of=AT,
        visibility_complete=True,
    )
    async with database.transaction() as tx:
        system = await registry.ensure_system(tx, "iloq", "iloq", AT)
        await registry.take_inventory(tx, system.id, found, AT)
        await _read_all(tx, ledger, system.id, draw, rights)
    return system.id


async def _read_all(
    tx: Connection, ledger: Ledger, system_id: KeySystemId, draw: random.Random, rights: list[str]
) -> None:
    entry = await ledger.record(
        tx,
        Entry("keys:target:make", AT, AT, "system:bench", (f"key_system:{system_id}",), body={"keys": KEYS}),
    )
    keys = await tx.fetch("SELECT id, external_id FROM key_key ORDER BY external_id")
    rows = []
    for row in keys:
        held = Program(rights=frozenset(draw.sample(rights, RIGHTS_A_KEY)))
        reading = KeyReading(
            row["external_id"], KeyKind.FOB, held, held, ProgrammingState.PROGRAMMED, False, True, AT, "1"
        )
        rows.append(
            (row["id"], system_id, row["id"], program_json(Program()), reading_json(reading), AT, entry)
        )
    await tx.executemany(
        "INSERT INTO key_target (id, system_id, key_id, generation, desired, grants, cannot, asked_at, reading, read_at, "
        "entry) VALUES ($1, $2, $3, 0, $4, '{}', '{}', $6, $5, $6, $7)",
        rows,
    )


async def _adopt(database: Database, runs: AdoptionRuns) -> tuple[float, int]:
    """Step to the end, dying once half-way; returns the longest batch and how often a worker died."""
    loop, longest, deaths = AdoptionLoop(database, runs, BATCH), 0.0, 0
    with declared()["adoption.run.after_batch"].armed(KEYS // BATCH // 2):
        while True:
            begun = perf_counter()
            try:
                due = await loop.step(AT)
            except SimulatedCrash:
                deaths += 1
                loop = AdoptionLoop(database, runs, BATCH)
                continue
            longest = max(longest, perf_counter() - begun)
            if due != AT:
                return longest, deaths


async def _baseline(database: Database, ledger: Ledger) -> float:
    async with database.read() as tx:
        keys = [row["id"] for row in await tx.fetch("SELECT id FROM key_key")]
    begun = perf_counter()
    for first in range(0, len(keys), BATCH):
        entries = [
            Entry(
                "keys:bench:note",
                AT,
                AT,
                "system:bench",
                (f"key:{key}",),
                heads=(f"bench:{key}", f"bench2:{key}"),
                body={"stamp": "00000", "kept": {"rights": ["r1", "r2", "r3"]}},
            )
            for key in keys[first : first + BATCH]
        ]
        async with database.transaction() as tx:
            await ledger.record_many(tx, entries)
    return perf_counter() - begun
