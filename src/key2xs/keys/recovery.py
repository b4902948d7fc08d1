"""After a restore of an old database: reading every key again before anything may widen."""

from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.keys", "queries_recovery.sql")


async def read_all_again(tx: Connection, at: datetime) -> None:
    """Make every key that is known due now, whatever it was waiting for."""
    await tx.execute(_SQL["read_all_again"], at)


async def keys_not_read_since(tx: Connection, since: datetime) -> list[str]:
    """Return the stamps of keys in use that were not read since an instant."""
    return [row["stamp"] for row in await tx.fetch(_SQL["not_read_since"], since)]


async def systems_not_listed_since(tx: Connection, since: datetime) -> list[str]:
    """Return the key systems whose keys were not listed since an instant."""
    return [row["name"] for row in await tx.fetch(_SQL["not_listed_since"], since)]
