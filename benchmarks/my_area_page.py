"""The first page at size L: the server's time from request to the last byte, whole site and one area.

490 permits in force with five people each, 30,000 keys, 40,000 cylinders, 150 keys that were ended and can still open,
60 openings to explain (`site_l.sql`). The whole request: session, one consistent reading, template; without a network.
The baseline is a page with nothing on it but the frame around every page, in the same run.
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import asyncpg
import httpx2
from argon2 import PasswordHasher

from benchmarks.support import command, fresh_database, machine, percentile, run_async
from key2xs.access import Access
from key2xs.api import create_app
from key2xs.app import keep_what_was_loaded
from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns
from key2xs.core.settings import Settings
from key2xs.core.vault import Vault
from key2xs.keys.program import EMPTY_PROGRAM
from key2xs.keys.wire import program_json
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.opening import open_log
from key2xs.runtime import Runtime
from key2xs.services import build_services

NOW: Final = datetime(2026, 3, 2, 13, 7, tzinfo=UTC)
LOADS: Final = 60
WARM_UP: Final = 8
PASSWORD: Final = "a sentence that is long enough"  # noqa: S105 - of an account that is gone with the run
_LOAD: Final = Path(__file__).with_name("site_l.sql")


def run(seed: int) -> list[dict[str, Any]]:
    """Measure and return two `build/bench` records."""
    with fresh_database() as dsns:
        return run_async(_run(dsns, seed))


async def load_site(dsns: RoleDsns) -> None:
    """Fill a database with the site."""
    owner = await asyncpg.connect(dsns.owner)
    try:
        program = json.dumps(program_json(EMPTY_PROGRAM), default=str)
        sql = _LOAD.read_text(encoding="utf-8").replace(":now", NOW.isoformat())
        await owner.execute(sql.replace(":program", program))
    finally:
        await owner.close()


async def _run(dsns: RoleDsns, seed: int) -> list[dict[str, Any]]:
    await load_site(dsns)
    await _open_log(dsns)
    database, vault_database = await Database.open(dsns.app), await Database.open(dsns.vault)
    clock = ManualClock(NOW)
    services = build_services(Settings(), database, Vault(vault_database, bytes(32), clock), clock, clock)
    access = Access(
        services.database, services.ledger, services.vault, services.clock, services.wall,
        hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
    )  # fmt: skip
    try:
        async with database.transaction() as tx:
            await access.users.make(
                tx, login="leader", roles=["shift_leader"], actor="system:bench", at=NOW, password=PASSWORD
            )
        app: Any = create_app(services, Runtime(runner=None, database=database), access)
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url="http://bench.test",
            headers={"accept": "text/html"},
        ) as client:
            signed = await client.post(
                "/sign-in", data={"login": "leader", "password": PASSWORD, "next": "/"}
            )
            assert signed.status_code == 303, signed.text
            frame = await _load(client, "/account", "Your password")
            keep_what_was_loaded()  # as the service does once it runs
            whole = await _load(client, "/", "490 permits in force")
            user = client.cookies["key2xs"] and await _user_of(database)
            client.cookies.set("key2xs-places", f"{user}/area%3AA2")
            area = await _load(client, "/", "permits in force here")
    finally:
        await database.close()
        await vault_database.close()
    return [
        _record("my_area_page", whole, frame, seed),
        _record("my_area_page_one_area", area, frame, seed),
    ]


async def _open_log(dsns: RoleDsns) -> None:
    """Every page says whether the log is whole, so there has to be one."""
    database = await Database.open(dsns.log)
    with tempfile.TemporaryDirectory() as folder:
        copy = CheckpointCopy(Path(folder) / "checkpoint")
        await open_log(database, origin="bench.test/log", seed=bytes(32), copy=copy, at=NOW)
    await database.close()


async def _user_of(database: Database) -> str:
    async with database.read() as tx:
        found = await tx.fetchval("SELECT id FROM access_user")
    return str(found.hex)


async def _load(client: httpx2.AsyncClient, path: str, expected: str) -> list[float]:
    """Load a page again and again; returns milliseconds."""
    times = []
    for number in range(WARM_UP + LOADS):
        begun = perf_counter()
        answer = await client.get(path)
        took = (perf_counter() - begun) * 1000
        assert answer.status_code == 200, answer.text
        assert expected in answer.text, answer.text
        if number >= WARM_UP:
            times.append(took)
    return times


def _record(name: str, times: list[float], frame: list[float], seed: int) -> dict[str, Any]:
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    return {
        "name": name,
        "value": round(p99, 1),
        "unit": "ms (p99)",
        "p50": round(p50, 1),
        "p99": round(p99, 1),
        "ratio": round(p50 / percentile(frame, 0.5), 2),
        "baseline": "p50 of a page with nothing but the frame",
        "command": command("my_area_page", seed),
        "machine": machine(),
        "seed": seed,
        "loads": LOADS,
    }
