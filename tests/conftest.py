"""What every test may ask for.

`async def test_...` and async fixtures run on an asyncio loop (anyio's pytest plugin, `anyio_mode = "auto"`).
A test that asks for a database gets one of its own, migrated and empty.
"""

import gc
import os
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns
from key2xs.core.vault import Vault
from tests.support import drifts
from tests.support.database import DatabaseServer, database_server
from tests.support.revocations import (  # noqa: F401 - hooks: what was tried is printed at the end
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

# A start before a night shift, on a Monday without a change of summer time near it.
START = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)

# `make test`: the same examples each time, few of them. `make test-long`: new ones, many.
settings.register_profile(
    "default",
    deadline=None,  # two busy cores; a slow example is not a wrong one
    derandomize=True,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long",
    settings.get_profile("default"),
    derandomize=False,
    max_examples=1000,
    print_blob=True,
)
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    """Make the machine's own settings matter to no test."""
    config.pluginmanager.register(drifts)  # prints what was injected and found at the end
    # An odd zone: code that uses the machine's local time by mistake is seen at once.
    os.environ["TZ"] = "Pacific/Chatham"
    time.tzset()
    for name in list(os.environ):
        if name == "PORT" or (name.startswith("KEY2XS_") and name != "KEY2XS_REQUIRE_PEERS"):
            del os.environ[name]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Take everything imported so far out of the garbage collector's rounds: it lives as long as the run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests on asyncio, with the loop the product runs on: asyncpg and uvicorn know nothing else."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """The run's server: `with databases.fresh() as dsns:` for a test that needs several databases."""
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"pid{os.getpid()}"
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with database_server(run_id, worker) as server:
        yield server


@pytest.fixture
def db_dsns(databases: DatabaseServer) -> Iterator[RoleDsns]:
    """A fresh database: `.owner .app .log .read .vault` are DSNs for the roles."""
    with databases.fresh() as dsns:
        yield dsns


@pytest.fixture
async def db(db_dsns: RoleDsns) -> AsyncIterator[Database]:
    """The fresh database, as the app role sees it."""
    database = await Database.open(db_dsns.app)
    yield database
    await database.close()


@pytest.fixture
async def log_db(db_dsns: RoleDsns) -> AsyncIterator[Database]:
    """The same database, as the sequencer's role sees it."""
    database = await Database.open(db_dsns.log)
    yield database
    await database.close()


@pytest.fixture
async def read_db(db_dsns: RoleDsns) -> AsyncIterator[Database]:
    """The same database, as the read-only role sees it."""
    database = await Database.open(db_dsns.read)
    yield database
    await database.close()


@pytest.fixture
def clock() -> ManualClock:
    """Domain time, standing still at `START`."""
    return ManualClock(START)


@pytest.fixture
async def vault(db_dsns: RoleDsns, clock: ManualClock) -> AsyncIterator[Vault]:
    """The vault beside the fresh database, with a master key that is the same each time."""
    database = await Database.open(db_dsns.vault)
    yield Vault(database, bytes(range(32)), clock)
    await database.close()
