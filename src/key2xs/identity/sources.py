"""Which sources know a person: said to the person, without repeating what they say."""

from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.identity", "queries_sources.sql")


@dataclass(frozen=True, slots=True)
class SourceKnows:
    """One source, what kind of thing it says about a person, and since when it has said so."""

    source: str
    what: str
    since: datetime


async def sources_of_person(tx: Connection, person_id: PersonId) -> list[SourceKnows]:
    """Return what each source says something about, by source."""
    return [SourceKnows(**row) for row in await tx.fetch(_SQL["sources_of_person"], person_id)]
