"""How far ahead people's facts are known: what an outage of the IAM or the roster lets a site run on."""

from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.identity", "queries_horizon.sql")


async def shifts_known_until(tx: Connection) -> datetime | None:
    """Return the end of the last duty that is known; None when none is."""
    until: datetime | None = await tx.fetchval(_SQL["shifts_known_until"])
    return until
