"""Finding keys by what is printed on them. A stamp may exist in two key systems; both are found."""

from dataclasses import dataclass

from key2xs.core.database import Connection
from key2xs.core.search import typed
from key2xs.core.sql import load_queries

from .registry import key_of
from .types import StoredKey

_SQL = load_queries("key2xs.keys", "queries_search.sql")


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key that fits what was typed."""

    key: StoredKey
    system: str
    vendor: str
    exact: bool


async def search_keys(tx: Connection, text: str, *, limit: int) -> list[FoundKey]:
    """Return keys whose stamp is, begins with or contains a text, the nearest first."""
    wanted = typed(text)
    rows = await tx.fetch(_SQL["search_keys"], wanted.exact, wanted.begins_before, wanted.part, limit)
    return [FoundKey(key_of(row), row["system_name"], row["vendor"], row["place"] == 0) for row in rows]
