"""What the live pages ask of the grants room: only what is open now."""

from collections.abc import Iterable
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.core.sql import load_queries

from .store import lease_of
from .types import Lease

_SQL = load_queries("key2xs.grants", "queries_live.sql")


async def open_counts(tx: Connection) -> dict[str, int]:
    """Return how many open grants stand in which state."""
    return {row["state"]: row["leases"] for row in await tx.fetch(_SQL["open_counts"])}


async def ends_between(tx: Connection, after: datetime, until: datetime, *, limit: int) -> list[Lease]:
    """Return grants that run and end between two instants, the earliest first."""
    return [lease_of(row) for row in await tx.fetch(_SQL["ends_between"], after, until, limit)]


async def open_of_people(tx: Connection, persons: Iterable[PersonId]) -> list[Lease]:
    """Return the open grants of some people, by basis."""
    return [lease_of(row) for row in await tx.fetch(_SQL["open_of_people"], list(set(persons)))]


async def open_by_person(tx: Connection) -> dict[PersonId, int]:
    """Return how many running grants each person has who has any."""
    return {PersonId(row["person_id"]): row["leases"] for row in await tx.fetch(_SQL["open_by_person"])}
