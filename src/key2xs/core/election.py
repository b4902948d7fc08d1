"""Leader election: one holder of an advisory lock, on a connection of its own.

The lock ends with its connection, so a dead holder is followed at once and a stalled one is fenced by the
compare-and-set of whatever it wanted to write.
"""

import asyncpg

from key2xs.core.database import Database


class Leadership:
    """One named office that at most one process holds."""

    def __init__(self, database: Database, name: str) -> None:
        """Name the office; nothing is asked for yet."""
        self._database, self.name = database, name
        self._connection: asyncpg.Connection | None = None

    async def hold(self) -> bool:
        """Return whether we hold the office now, taking it if it is free."""
        if self._connection is not None and not self._connection.is_closed():
            return True
        self._connection = None
        connection = await self._database.connect()
        if await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", self.name):
            self._connection = connection
            return True
        await connection.close()
        return False

    @property
    def connection(self) -> asyncpg.Connection:
        """The connection that carries the lock: work done on it ends when the office is lost.

        Raises:
            RuntimeError: we do not hold the office.
        """
        if self._connection is None or self._connection.is_closed():
            message = f"not the holder of {self.name}"
            raise RuntimeError(message)
        return self._connection

    async def resign(self) -> None:
        """Give the office up."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close()
        self._connection = None
