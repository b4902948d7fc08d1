"""A PostgreSQL server for a test run, and a fresh database for a test.

One server per run, shared by all workers: the first to come starts it, the last to leave stops it and removes
its data. Databases are copies of a template that is migrated once. The data lies in memory where /dev/shm is
large enough: a copy then takes 15 ms instead of 40.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, TypeVar

import asyncpg

from key2xs.core.migrations import upgrade, upgrade_vault
from key2xs.core.postgres import (
    Binaries,
    Provider,
    RoleDsns,
    create_roles,
    embedded_binaries,
    local_passwords,
    start_cluster,
)
from key2xs.core.postgres.layout import shared_memory_size
from key2xs.core.postgres.roles import role_dsns

# A run of the whole suite keeps a few hundred megabytes at most: databases are dropped after each test.
_ENOUGH_SHARED_MEMORY = 1024 * 1024 * 1024

_TEMPLATE = "template_key2xs"

_SETTINGS = {
    "max_connections": "200",
    # Nothing outlives its test, and nobody waits for a checkpoint of it.
    "autovacuum": "off",
    "full_page_writes": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "4GB",
}

T = TypeVar("T")


class DatabaseServer:
    """This run's server, seen from one worker."""

    def __init__(self, provider: Provider, worker: str) -> None:
        """Wrap a started server; `worker` keeps the names of this worker's databases apart."""
        self.superuser_dsn = provider.server.dsn
        self._provider, self._worker, self._count = provider, worker, 0
        self._passwords = local_passwords(provider.data_dir)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-databases", daemon=True)
        self._thread.start()
        self._drops: list[Future[None]] = []
        self._admin = self._run(asyncpg.connect(self.superuser_dsn))
        self._one_at_a_time = asyncio.Lock()

    def create(self, template: str = _TEMPLATE) -> tuple[str, RoleDsns]:
        """Make a fresh database with its vault; returns its name and the roles' DSNs.

        Args:
            template: what to copy, migrated and empty if not given; a database from `create` that nobody is
                connected to will do.
        """
        self._count += 1
        name = f"t_{self._worker}_{self._count}"
        self._run(self._create(name, template))
        return name, role_dsns(self.superuser_dsn, passwords=self._passwords, database=name)

    def drop(self, name: str) -> None:
        """Drop a database and its vault in the background, whoever is still connected."""
        self._drops.append(asyncio.run_coroutine_threadsafe(self._drop(name), self._loop))

    @contextlib.contextmanager
    def fresh(self, template: str = _TEMPLATE) -> Iterator[RoleDsns]:
        """Hold a fresh database for the length of the block; for property tests, one per history."""
        name, dsns = self.create(template)
        try:
            yield dsns
        finally:
            self.drop(name)

    def close(self) -> None:
        """Finish the drops, raising what they raised, and disconnect."""
        try:
            for dropped in self._drops:
                dropped.result(timeout=30)
            self._run(self._admin.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _create(self, name: str, template: str) -> None:
        for database, source, owner in (
            (name, template, "key2xs_owner"),
            (f"{name}_vault", f"{template}_vault", "key2xs_vault"),
        ):
            await self._execute(
                f"CREATE DATABASE {database} OWNER {owner} TEMPLATE {source} STRATEGY wal_log"
            )
        # A copy has its template's contents, not its privileges.
        await self._execute(
            f"REVOKE ALL ON DATABASE {name}, {name}_vault FROM PUBLIC;"
            f"GRANT CONNECT ON DATABASE {name} TO key2xs_app, key2xs_log, key2xs_read"
        )

    async def _drop(self, name: str) -> None:
        for database in (name, f"{name}_vault"):
            await self._execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        async with self._one_at_a_time:
            await self._admin.execute(statement)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)


@contextlib.contextmanager
def database_server(run_id: str, worker: str) -> Iterator[DatabaseServer]:
    """Share the run's server for the length of the block.

    Args:
        run_id: the same for all workers of one run.
        worker: this one's name.
    """
    base = _base_folder()
    folder = base / f"key2xs-test-{os.geteuid()}-{run_id}"
    provider = Provider(
        data_dir=folder / "pg", binaries=_chosen_binaries(), settings=_SETTINGS, durable=False
    )
    try:
        with contextlib.ExitStack() as use:
            with _locked(base / f"key2xs-test-{os.geteuid()}.lock", fcntl.LOCK_EX):
                _remove_leftovers(base, keep=folder)
                folder.mkdir(mode=0o755, exist_ok=True)
                # Held shared by every worker, until it needs the server no more.
                use.enter_context(_locked(folder / "users.lock", fcntl.LOCK_SH))
                provider.start()
                _make_template(provider)
            server = DatabaseServer(provider, worker)
            use.callback(server.close)
            yield server
    finally:
        if provider.owns_server:
            with _locked(folder / "users.lock", fcntl.LOCK_EX):  # the other workers have left
                provider.stop()
                shutil.rmtree(folder)


def _make_template(provider: Provider) -> None:
    """Migrate the template, once per run; the caller holds the lock."""
    done = provider.data_dir / "template.made"
    if done.exists():
        return
    dsn = provider.server.dsn
    dsns = create_roles(dsn, passwords=local_passwords(provider.data_dir), database=_TEMPLATE)
    upgrade(dsns.owner)
    upgrade_vault(dsns.vault)

    async def close_to_sessions() -> None:
        # A template with a session cannot be copied.
        connection = await asyncpg.connect(dsn)
        for database in (_TEMPLATE, f"{_TEMPLATE}_vault"):
            await connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        await connection.close()

    asyncio.run(close_to_sessions())
    done.touch()


def _remove_leftovers(base: Path, *, keep: Path) -> None:
    """Stop and remove what runs that were killed left behind; the caller holds the lock."""
    for folder in base.glob(f"key2xs-test-{os.geteuid()}-*"):
        if folder == keep or not folder.is_dir():
            continue
        try:
            lock = _open_locked(folder / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # a run of somebody beside us
        with lock:
            if (folder / "pg" / "cluster" / "postmaster.pid").exists():
                start_cluster(data_dir=folder / "pg").stop()
            shutil.rmtree(folder)


def _chosen_binaries() -> Binaries | None:
    """Return the programs that TEST_POSTGRES=embedded asks for; None for the provider's own choice."""
    return embedded_binaries() if os.environ.get("TEST_POSTGRES") == "embedded" else None


def _base_folder() -> Path:
    if shared_memory_size() >= _ENOUGH_SHARED_MEMORY and os.access("/dev/shm", os.W_OK):
        return Path("/dev/shm")
    return Path(tempfile.gettempdir())


def _open_locked(path: Path, kind: int) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        file.close()
        raise
    return file


@contextlib.contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    with _open_locked(path, kind):
        yield
