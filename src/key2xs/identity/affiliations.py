"""For pages: which company people come from, and how old each IAM's word is. No names, nothing personal."""

from collections.abc import Iterable
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.identity", "queries_affiliations.sql")


async def companies_of(tx: Connection, people: Iterable[PersonId], at: datetime) -> dict[PersonId, str]:
    """Return the name of the company each person has a contract with at `at`, or had last; missing without any."""
    rows = await tx.fetch(_SQL["companies_of"], list(set(people)), at)
    return {PersonId(row["person"]): row["company"] for row in rows}


async def last_said(tx: Connection) -> dict[str, datetime]:
    """Return when each source last said something new about anybody. IAMs send changes only: old is not silent."""
    return {row["source"]: row["stated_at"] for row in await tx.fetch(_SQL["last_said"])}
