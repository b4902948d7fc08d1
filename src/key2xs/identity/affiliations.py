"""For pages: which company people come from, and how old each IAM's word is. No names, nothing personal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, datetime

from key2xs.core.database import Connection
from key2xs.core.ids import CompanyId, PersonId
from key2xs.core.sql import load_queries

from .types import Company

_SQL = load_queries("key2xs.identity", "queries_affiliations.sql")


async def companies_of(tx: Connection, people: Iterable[PersonId], at: datetime) -> dict[PersonId, str]:
    """Return the name of the company each person has a contract with at `at`, or had last; missing without any."""
    rows = await tx.fetch(_SQL["companies_of"], list(set(people)), at)
    return {PersonId(row["person"]): row["company"] for row in rows}


async def last_said(tx: Connection) -> dict[str, datetime]:
    """Return when each source last said something new about anybody. IAMs send changes only: old is not silent."""
    return {row["source"]: row["stated_at"] for row in await tx.fetch(_SQL["last_said"])}


async def search_companies(tx: Connection, text: str, *, limit: int) -> list[tuple[Company, bool]]:
    """Return companies whose code or name contains a text; true beside those that carry exactly this name or code."""
    wanted = text.strip().casefold()
    return [
        (
            Company(CompanyId(row["id"]), row["ref"], row["name"]),
            row["place"] == 0 or row["name"].casefold() == wanted,
        )
        for row in await tx.fetch(_SQL["search_companies"], wanted, limit)
    ]


@dataclass(frozen=True, slots=True)
class Size:
    """How many people a company has under contract, and until when the last of them; None: without an end."""

    people: int
    until: datetime | None


async def company_sizes(tx: Connection, at: datetime) -> dict[CompanyId, Size]:
    """Return the size of every company with anybody under contract at an instant."""
    return {
        CompanyId(row["company"]): Size(row["people"], _end(row["until"]))
        for row in await tx.fetch(_SQL["company_sizes"], at)
    }


async def contract_ends(
    tx: Connection, company_id: CompanyId, at: datetime
) -> list[tuple[datetime | None, int]]:
    """Return when contracts of a company end and for how many people, the earliest first; None: without an end."""
    rows = await tx.fetch(_SQL["contract_ends"], company_id, at)
    return [(_end(row["until"]), row["people"]) for row in rows]


async def company_ids_of(
    tx: Connection, people: Iterable[PersonId], at: datetime
) -> list[tuple[PersonId, CompanyId]]:
    """Return which companies people are under contract with at an instant; somebody may be with two."""
    wanted = list(set(people))
    rows = await tx.fetch(_SQL["company_ids_of"], wanted, at) if wanted else []
    return [(PersonId(row["person"]), CompanyId(row["company"])) for row in rows]


def _end(stored: datetime) -> datetime | None:
    # The driver reads infinity as the last instant there is.
    return None if stored.year == MAXYEAR else stored
