"""Where many locks lie: area and unit by their codes."""

from collections.abc import Iterable

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.plant", "queries_places.sql")


async def places_of(
    tx: Connection, cylinders: Iterable[CylinderId]
) -> dict[CylinderId, tuple[str, str | None]]:
    """Return area and unit, by code, of some cylinders; without a unit, None in its place."""
    wanted = list(set(cylinders))
    rows = await tx.fetch(_SQL["places_of"], wanted) if wanted else []
    return {CylinderId(row["cylinder_id"]): (row["area"], row["unit"]) for row in rows}
