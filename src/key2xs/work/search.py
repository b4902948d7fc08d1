"""Finding permits by their number."""

from dataclasses import dataclass

from key2xs.core.database import Connection
from key2xs.core.ids import PermitId
from key2xs.core.search import typed
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.work", "queries_search.sql")


@dataclass(frozen=True, slots=True)
class FoundPermit:
    """A permit that fits what was typed."""

    id: PermitId
    number: str
    source: str
    type: str
    area: str
    unit: str | None
    exact: bool


async def search_permits(tx: Connection, text: str, *, limit: int) -> list[FoundPermit]:
    """Return permits whose number is, begins with or contains a text, the nearest first."""
    wanted = typed(text)
    rows = await tx.fetch(
        _SQL["search_permits"], wanted.exact, wanted.begins_before, wanted.part, limit, text.strip()
    )
    return [
        FoundPermit(
            PermitId(row["id"]), row["number"], row["source"], row["type"], row["area"], row["unit"], row["place"] == 0
        )
        for row in rows
    ]  # fmt: skip
