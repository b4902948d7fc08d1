"""How far everything was read, at 5,000 cylinders with a million numbered rows: the API's list, worst first.

200 rows a lock over 90 days, every fiftieth lock with a row missing. What a page asks: coverage of every cylinder, and when the
memories of the 200 that it shows are full. `loop_ms`: the same for all of them, as the hourly look at memories does. The
baseline is counting the same rows by lock in one statement.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import asyncpg

from benchmarks.support import command, fresh_database, machine, percentile, run_async
from benchmarks.who_can_open import load_rows
from key2xs.core import migrations
from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns
from key2xs.keys.coverage.forecast import Ring
from key2xs.keys.coverage.reads import CylinderCoverage, cylinders, foretold

CYLINDERS: Final = 5_000
ROWS_EACH: Final = 200
LOOKS: Final = 8
SHOWN: Final = 200
BAR_MS: Final = 300
_RINGS: Final = {"iloq-main": Ring(500)}
NOW: Final = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
_LOAD: Final = Path(__file__).with_suffix(".sql")
_COUNT: Final = "SELECT lock_external_id, count(*), max(counter_lock) FROM key_event GROUP BY 1"


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    with fresh_database() as dsns:
        return run_async(_run(dsns, seed))


def _summed() -> str:
    """Return the statements that sum up rows which are there already, as the migration does."""
    file = Path(migrations.__file__).with_name("versions") / "0027_memory_summary.sql"
    sql = file.read_text(encoding="utf-8")
    return f"{sql[sql.index('WITH counted') : sql.index('GRANT')]}; ANALYZE"


async def _run(dsns: RoleDsns, seed: int) -> dict[str, Any]:
    owner = await asyncpg.connect(dsns.owner)
    await load_rows(owner, cylinders=CYLINDERS, rows_each=1, open_each=1)
    sql = _LOAD.read_text(encoding="utf-8")
    for name, value in ((":cylinders", CYLINDERS), (":rows_each", ROWS_EACH), (":now", NOW.isoformat())):
        sql = sql.replace(name, str(value))
    await owner.execute(sql)
    await owner.execute(_summed())
    await owner.close()
    database = await Database.open(dsns.app)
    lines: list[CylinderCoverage] = []
    times, all_of_them, bare = [], [], []
    at = NOW + timedelta(hours=1)
    try:
        async with database.read() as tx:
            for _ in range(LOOKS):
                begun = perf_counter()
                await tx.fetch(_COUNT)
                bare.append((perf_counter() - begun) * 1000)
                begun = perf_counter()
                lines = await cylinders(tx, at)
                await foretold(tx, lines[:SHOWN], _RINGS, at)
                times.append((perf_counter() - begun) * 1000)
                begun = perf_counter()
                lines = await foretold(tx, await cylinders(tx, at), _RINGS, at)
                all_of_them.append((perf_counter() - begun) * 1000)
    finally:
        await database.close()
    missing = sum(line.coverage.rows_missing for line in lines)
    known = sum(line.forecast.expected_at is not None for line in lines)
    assert (len(lines), missing, known) == (CYLINDERS, CYLINDERS // 50, CYLINDERS)
    middle = percentile(times, 0.5)
    return {
        "name": "coverage_5000",
        "value": round(middle, 0),
        "unit": "ms",
        "p50": round(middle, 0),
        "p99": round(percentile(times, 0.99), 0),
        "ratio": round(middle / percentile(bare, 0.5), 2),
        "baseline": "counting the same rows by lock",
        "bar": BAR_MS,
        "held": percentile(times, 0.99) < BAR_MS,
        "loop_ms": round(percentile(all_of_them, 0.5), 0),
        "command": command("coverage_5000", seed),
        "machine": machine(),
        "seed": seed,
        "rows": CYLINDERS * ROWS_EACH,
    }
