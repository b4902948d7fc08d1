"""Entries through writer and sequencer: four streams each, leaves, tiles, signed checkpoints, all of it durable.

The baseline does what any audit table does: the same entries, numbered and written in the same batches, with a
second process giving them their place, but no commitments, leaves, tree or signature.
"""

import asyncio
import json
import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

from benchmarks.support import command, fresh_database, machine, run_async
from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns
from key2xs.core.vault import Vault
from key2xs.ledger import Entry, Ledger
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.opening import open_log
from key2xs.ledger.sequencer import Sequencer

ENTRIES = 20_000
WRITE_BATCH = 250  # entries a transaction, as the lock event reader does it
ROUNDS = 3
AT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


def run(seed: int) -> dict[str, Any]:
    """Measure and return one `build/bench` record."""
    with fresh_database() as dsns, tempfile.TemporaryDirectory() as folder:
        ours, bare = run_async(_measure(dsns, Path(folder), seed))
    rate, baseline = ENTRIES / min(ours), ENTRIES / min(bare)
    return {
        "name": "entry_pipeline",
        "value": round(rate),
        "unit": "entries/s",
        "ratio": round(rate / baseline, 3),
        "baseline": round(baseline),
        "p50": None,
        "p99": None,
        "command": command("entry_pipeline", seed),
        "machine": machine(),
        "seed": seed,
        "rounds": ROUNDS,
        "streams": 4,
    }


async def _measure(dsns: RoleDsns, folder: Path, seed: int) -> tuple[list[float], list[float]]:
    app, log = await Database.open(dsns.app), await Database.open(dsns.log)
    owner, vault_database = await Database.open(dsns.owner), await Database.open(dsns.vault)
    vault = Vault(vault_database, bytes(32), ManualClock(AT))
    ledger, copy = Ledger(vault), CheckpointCopy(folder / "checkpoint")
    await open_log(log, origin="bench.example/log", seed=bytes(32), copy=copy, at=AT)
    await _make_plain_tables(owner)
    entries = _entries(seed)
    ours, bare = [], []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as second:
        await _in(second, sequence, dsns.log, str(folder), vault.stream_key, 0)  # imports and connects once
        for turn in range(1, ROUNDS + 1):  # in turn, so that a busy machine is busy for both
            goal = turn * ENTRIES
            bare.append(
                await _timed(_write_plain(owner, entries), _in(second, number_plain, dsns.owner, goal))
            )
            tail = _in(second, sequence, dsns.log, str(folder), vault.stream_key, goal)
            ours.append(await _timed(_write(app, ledger, entries), tail))
    for database in (app, log, owner, vault_database):
        await database.close()
    return ours, bare


async def _timed(*works: Any) -> float:
    start = perf_counter()
    await asyncio.gather(*works)
    return perf_counter() - start


def _in(pool: ProcessPoolExecutor, work: Any, *arguments: Any) -> Any:
    return asyncio.get_running_loop().run_in_executor(pool, work, *arguments)


async def _write(app: Database, ledger: Ledger, entries: list[Entry]) -> None:
    for start in range(0, len(entries), WRITE_BATCH):
        async with app.transaction() as tx:
            await ledger.record_many(tx, entries[start : start + WRITE_BATCH])


def sequence(dsn: str, folder: str, stream_key: bytes, goal: int) -> None:
    """Sequence until the log has `goal` entries; runs in a process of its own, as in production."""

    async def work() -> None:
        log = await Database.open(dsn)
        sequencer = Sequencer(log, bytes(32), stream_key, CheckpointCopy(Path(folder) / "checkpoint"))
        size = -1
        while size < goal:
            if await sequencer.step(AT) is None:
                await asyncio.sleep(0.001)
                async with log.transaction() as tx:
                    size = await tx.fetchval("SELECT size FROM log_head")
        await sequencer.close()
        await log.close()

    asyncio.run(work())


async def _make_plain_tables(owner: Database) -> None:
    async with owner.transaction() as tx:
        await tx.execute(
            "CREATE TABLE plain_pending (seq bigint PRIMARY KEY, recorded_at timestamptz, kind text, body jsonb);"
            "CREATE TABLE plain_entry (position bigint PRIMARY KEY, seq bigint);"
            "CREATE TABLE plain_body (LIKE plain_pending INCLUDING ALL);"
        )


async def _write_plain(owner: Database, entries: list[Entry]) -> None:
    for start in range(0, len(entries), WRITE_BATCH):
        batch = entries[start : start + WRITE_BATCH]
        async with owner.transaction() as tx:
            numbers = await tx.fetch(
                "SELECT nextval('log_entry_number') AS seq FROM generate_series(1, $1)", len(batch)
            )
            rows = [
                (
                    row["seq"],
                    entry.recorded_at,
                    entry.kind,
                    dict(entry.body) | {"subjects": list(entry.subjects)},
                )
                for row, entry in zip(numbers, batch, strict=True)
            ]
            await tx.copy_records_to_table("plain_pending", records=rows)
            await tx.copy_records_to_table("plain_body", records=rows)


def number_plain(dsn: str, goal: int) -> None:
    """Give plain entries their places until there are `goal` of them; in the same kind of second process."""

    async def work() -> None:
        owner = await Database.open(dsn)
        async with owner.transaction() as tx:
            position = await tx.fetchval("SELECT count(*) FROM plain_entry")
        while position < goal:
            async with owner.transaction() as tx:
                rows = await tx.fetch(
                    "SELECT seq, recorded_at, kind, body FROM plain_pending ORDER BY seq LIMIT 256"
                )
                places = [(position + place, row["seq"]) for place, row in enumerate(rows)]
                await tx.copy_records_to_table("plain_entry", records=places)
                await tx.execute(
                    "DELETE FROM plain_pending WHERE seq = ANY($1::bigint[])", [row["seq"] for row in rows]
                )
                position += len(rows)
            if not rows:
                await asyncio.sleep(0.001)
        await owner.close()

    asyncio.run(work())


def _entries(seed: int) -> list[Entry]:
    rng = random.Random(seed)
    ids = [str(UUID(int=rng.getrandbits(128))) for _ in range(400)]
    body: dict[str, Any] = {
        "class": "expected",
        "why": "its holder had a grant for it",
        "raw_type": 4,
        "person_certain": True,
    }
    assert len(json.dumps(body)) > 60
    return [
        Entry(
            kind="keys:opening:observe",
            occurred_at=AT,
            recorded_at=AT,
            actor="system:locks",
            subjects=(
                f"cylinder:{rng.choice(ids)}",
                f"key:{rng.choice(ids)}",
                f"zone:{rng.choice(ids[:20])}",
                f"key_system:{ids[0]}",
            ),
            body={**body, "n": number},
        )
        for number in range(ENTRIES)
    ]
