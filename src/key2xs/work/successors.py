"""Which permits replace others: a withdrawn set comes back as reissued permits, never as the old ones."""

from collections.abc import Sequence

from key2xs.core.database import Connection
from key2xs.core.ids import PermitId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.work", "queries_successors.sql")


async def reissued_as(
    tx: Connection, source: str, external_ids: Sequence[str]
) -> dict[str, list[tuple[PermitId, str]]]:
    """Return, for each permit of a source by its id there, the ids and numbers of those that replace it."""
    found: dict[str, list[tuple[PermitId, str]]] = {}
    for row in await tx.fetch(_SQL["reissued_as"], source, list(external_ids)):
        found.setdefault(row["parent"], []).append((PermitId(row["id"]), row["number"]))
    return found


async def numbers_of(tx: Connection, permits: Sequence[PermitId]) -> dict[PermitId, str]:
    """Return the numbers of permits, for links."""
    return {PermitId(row["id"]): row["number"] for row in await tx.fetch(_SQL["numbers_of"], list(permits))}
