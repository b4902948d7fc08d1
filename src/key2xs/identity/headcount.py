"""How many people there are and who has left: asked of many at once, for reports."""

from collections.abc import Iterable
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.identity", "queries_headcount.sql")


async def who_left(tx: Connection, people: Iterable[PersonId], at: datetime) -> frozenset[PersonId]:
    """Return those who are not active any more, or without a contract in force, at an instant."""
    rows = await tx.fetch(_SQL["who_left"], sorted(set(people)), at)
    return frozenset(PersonId(row["person"]) for row in rows)


async def count_people(tx: Connection) -> int:
    """Return how many people are known."""
    number: int = await tx.fetchval(_SQL["count_people"])
    return number
