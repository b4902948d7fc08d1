"""Work packages: permits that the work order system counts as one piece of work."""

from key2xs.core.database import Connection
from key2xs.core.ids import PermitId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.work", "queries_packages.sql")


async def permits_of_package(tx: Connection, package: str) -> list[PermitId]:
    """Return the permits whose newest state names a package."""
    return [PermitId(row["permit_id"]) for row in await tx.fetch(_SQL["permits_of_package"], package)]
