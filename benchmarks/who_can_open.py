"""Who can open this cylinder, over a projection of a million rows: in the database, and through the API.

5,000 cylinders with 200 rows each, of which 10 hold at any instant, as after years of renewed leases. Asked for random
cylinders, half of them about now and half about a past instant. The database's part is `Openers.may_open` from call to
Python objects, against a bare `SELECT 1` on the same connection; the API's part is the whole request with token,
permission, look-up by stamp and JSON, without a network, against the database's part.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx2

from benchmarks.support import command, fresh_database, machine, percentile, run_async
from key2xs.access import Access, Permission
from key2xs.api import create_app
from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.ids import CylinderId
from key2xs.core.postgres import RoleDsns
from key2xs.core.settings import Settings
from key2xs.core.vault import Vault
from key2xs.runtime import Runtime
from key2xs.services import Services, build_services

CYLINDERS: Final = 5_000
ROWS_EACH: Final = 200
OPEN_EACH: Final = 10
QUESTIONS: Final = 3_000
WARM_UP: Final = 200
NOW: Final = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)

# Domain tables refuse rows without their entry; the owner loads a million of them at once.
_LOAD: Final = Path(__file__).with_suffix(".sql")


def run(seed: int) -> list[dict[str, Any]]:
    """Measure and return two `build/bench` records."""
    with fresh_database() as dsns:
        return run_async(_run(dsns, seed))


async def load_rows(owner: asyncpg.Connection, *, cylinders: int, rows_each: int, open_each: int) -> None:
    """Fill plant and projection: each cylinder has `rows_each` rows, `open_each` of which hold at any instant."""
    sql = _LOAD.read_text(encoding="utf-8")
    filled = {
        ":cylinders": str(cylinders),
        ":generations": str(rows_each // open_each),
        ":open_each": str(open_each),
        ":now": NOW.isoformat(),
    }
    for name, value in filled.items():
        sql = sql.replace(name, value)
    await owner.execute(sql)


async def _run(dsns: RoleDsns, seed: int) -> list[dict[str, Any]]:
    owner = await asyncpg.connect(dsns.owner)
    await load_rows(owner, cylinders=CYLINDERS, rows_each=ROWS_EACH, open_each=OPEN_EACH)
    rows = await owner.fetchval("SELECT count(*) FROM key_may_open")
    await owner.close()
    assert rows > 0.99 * CYLINDERS * ROWS_EACH, rows
    database, vault_database = await Database.open(dsns.app), await Database.open(dsns.vault)
    clock = ManualClock(NOW)
    services = build_services(Settings(), database, Vault(vault_database, bytes(32), clock), clock, clock)
    questions = _questions(seed)
    try:
        async with database.read() as tx:
            bare = await _measure(questions, lambda _n, _at: tx.fetchval("SELECT 1"))
            answered = 0

            async def ask(number: int, at: datetime) -> None:
                nonlocal answered
                answered += len(await services.openers.may_open(tx, _cylinder(number), at))

            asked = await _measure(questions, ask)
        assert answered > QUESTIONS, answered
        served = await _through_api(services, questions)
    finally:
        await database.close()
        await vault_database.close()
    return [
        _record("who_can_open_db", asked, bare, "SELECT 1 on the same connection", seed, rows=rows),
        _record("who_can_open_api", served, asked, "the same question in the database", seed, rows=rows),
    ]


async def _through_api(services: Services, questions: list[tuple[int, datetime]]) -> list[float]:
    access = Access(services.database, services.ledger, services.vault, services.clock, services.wall)
    async with services.database.transaction() as tx:
        user = await access.users.make(tx, login="bench", roles=["soc"], actor="system:bench", at=NOW)
        _, secret = await access.tokens.make(
            tx,
            owner_id=user,
            label="bench",
            permissions=[Permission.KEYS_EXPOSURE_READ],
            valid_for=timedelta(days=1),
            actor="system:bench",
        )
    app: Any = create_app(services, Runtime(runner=None, database=services.database), access)
    transport = httpx2.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://bench.test", headers=headers
    ) as client:

        async def ask(number: int, at: datetime) -> None:
            answer = await client.get(
                f"/api/v1/cylinders/C-{number}/who-can-open", params={"at": at.isoformat()}
            )
            assert answer.status_code == 200, answer.text
            assert b'"key"' in answer.content

        return await _measure(questions, ask)


async def _measure(
    questions: list[tuple[int, datetime]], ask: Callable[[int, datetime], Awaitable[object]]
) -> list[float]:
    """Ask everything and return milliseconds."""
    for number, at in questions[:WARM_UP]:
        await ask(number, at)
    times = []
    for number, at in questions:
        begun = perf_counter()
        await ask(number, at)
        times.append((perf_counter() - begun) * 1000)
    return times


def _questions(seed: int) -> list[tuple[int, datetime]]:
    draw = random.Random(seed)
    return [
        (
            draw.randint(1, CYLINDERS),
            NOW if n % 2 else NOW - timedelta(minutes=draw.randint(1, 60 * 24 * 5)),
        )
        for n in range(QUESTIONS)
    ]


def _record(
    name: str, times: list[float], against: list[float], baseline: str, seed: int, *, rows: int
) -> dict[str, Any]:
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    return {
        "name": name,
        "value": round(p99, 3),
        "unit": "ms (p99)",
        "p50": round(p50, 3),
        "p99": round(p99, 3),
        "ratio": round(p50 / percentile(against, 0.5), 2),
        "baseline": f"p50 of {baseline}",
        "command": command("who_can_open", seed),
        "machine": machine(),
        "seed": seed,
        "rows": rows,
        "questions": QUESTIONS,
    }


def _cylinder(number: int) -> CylinderId:
    return CylinderId(UUID(f"00000000-0000-7000-8004-{number:012x}"))
