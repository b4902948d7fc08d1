"""What the live pages ask of the work room: how many permits are in force where, and which were just stopped."""

from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PermitId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.work", "queries_live.sql")
_STOPPED = ("suspended", "cancelled", "expired", "unknown")


@dataclass(frozen=True, slots=True)
class InForce:
    """How many permits are in force in one place. `area` is normalised, as areas are compared."""

    area: str
    unit: str | None
    permits: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A permit that was stopped. `reason` is the code that its source gave."""

    id: PermitId
    number: str
    source: str
    area: str
    unit: str | None
    type: str
    state: str
    cause: str
    since: datetime
    reason: str | None


async def count_in_force(tx: Connection, at: datetime) -> list[InForce]:
    """Return how many permits are in force at an instant, by area and unit."""
    rows = await tx.fetch(_SQL["count_in_force"], at)
    return [InForce(row["area_norm"], row["unit"], row["permits"]) for row in rows]


async def stopped_since(tx: Connection, since: datetime, at: datetime, *, limit: int) -> list[Stopped]:
    """Return permits that were stopped after an instant and still are at `at`, the newest first."""
    return [Stopped(**row) for row in await tx.fetch(_SQL["stopped_since"], since, list(_STOPPED), at, limit)]
