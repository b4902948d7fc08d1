"""The database: one pool per role, transactions that retry what PostgreSQL asks to retry.

Domain code gets a transaction as an argument and never opens its own, so that a change and its entry cannot
be torn apart.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

Connection = asyncpg.Connection | PoolConnectionProxy
"""What domain functions call `tx`: a connection with an open transaction."""

T = TypeVar("T")

# Deadlocks and serialisation failures are PostgreSQL's request to run the transaction again. Three times is
# enough for locks taken in sorted order; a fourth failure is a fault to be seen.
TRANSACTION_ATTEMPTS = 4

_ROLES_MAX_POOL = 10

# A process that stops in the middle of a transaction keeps its rows locked, and others pass over locked work. The
# server ends such a transaction; the longest we leave one idle on purpose is a delivery to a slow log receiver (11 s).
_LONGEST_IDLE_IN_TRANSACTION = "60s"


class Database:
    """A pool of connections of one role."""

    def __init__(self, pool: asyncpg.Pool, dsn: str) -> None:
        """Wrap an open pool; use `Database.open` to make one."""
        self._pool = pool
        self.dsn = dsn

    @classmethod
    async def open(cls, dsn: str, *, max_size: int = _ROLES_MAX_POOL, name: str = "key2xs") -> "Database":
        """Connect.

        Args:
            dsn: where, and as whom.
            max_size: most connections of this process.
            name: shown in pg_stat_activity.
        """
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=max_size,
            init=_prepare_connection,
            reset=_leave_as_it_is,
            server_settings={
                "application_name": name,
                "timezone": "UTC",
                "jit": "off",
                "idle_in_transaction_session_timeout": _LONGEST_IDLE_IN_TRANSACTION,
            },
        )
        return cls(pool, dsn)

    async def close(self) -> None:
        """Give all connections back; a call still running gets ten seconds and is then cut."""
        import asyncio

        try:
            await asyncio.wait_for(self._pool.close(), 10)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a read-committed transaction; commit at the end, roll back on any error."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Open a read-only, repeatable-read transaction: one consistent picture for a page or an answer."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Connection]:
        """Lend a connection for one statement, which is a transaction by itself: one round trip instead of three."""
        async with self._pool.acquire() as connection:
            yield connection

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction, again if PostgreSQL asks for it.

        `work` must have no effect outside its transaction, because it may run more than once.
        """
        for attempt in range(1, TRANSACTION_ATTEMPTS + 1):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                if attempt == TRANSACTION_ATTEMPTS:
                    raise
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def connect(self) -> asyncpg.Connection:
        """Open a connection outside the pool, for advisory locks and LISTEN; the caller closes it."""
        settings = {"timezone": "UTC", "idle_in_transaction_session_timeout": _LONGEST_IDLE_IN_TRANSACTION}
        connection = await asyncpg.connect(self.dsn, server_settings=settings)
        await _prepare_connection(connection)
        return connection


async def _prepare_connection(connection: asyncpg.Connection) -> None:
    encoder = msgspec.json.Encoder()
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + encoder.encode(value),
        decoder=_decode_jsonb,
    )


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Spare a round trip after each transaction: nothing we do on a pooled connection outlives its transaction.

    asyncpg would ask the server to forget settings, locks, cursors and channels; what needs those has a connection
    of its own (`Database.connect`). A transaction still open is rolled back by the pool before this is called.
    """


def _decode_jsonb(data: bytes) -> Any:
    return msgspec.json.decode(data[1:])


async def the_row(tx: Connection, query: str, *arguments: object) -> asyncpg.Record:
    """Return the row of a statement that always has one.

    Raises:
        LookupError: it has none, so the statement is not what it was taken for.
    """
    row = await tx.fetchrow(query, *arguments)
    if row is None:
        raise LookupError(query)
    return row
