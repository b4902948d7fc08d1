"""A key for a named crew: its leader answers for it, and openings say that it is one of several who opened."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import KeyId, PersonId
from key2xs.keys.custody import CrewOf

from .parts import SQL

LONGEST_NAME: Final = 60
MOST_MEMBERS: Final = 60  # as many as a permit names (facts/work-management 4)


@dataclass(frozen=True, slots=True)
class Crew:
    """A crew that has, or had, a key. `members` has the leader in it."""

    id: UUID
    key_id: KeyId
    leader_id: PersonId
    name: str
    members: tuple[PersonId, ...]


def make_crew(name: str, leader: PersonId, members: Iterable[PersonId]) -> CrewOf:
    """Check a crew.

    Raises:
        InvalidInput: no name, nobody beside the leader, or more than any permit names.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(
            "crew", f"must have 1 to {LONGEST_NAME} characters; say what the crew does, no names"
        )
    everybody = frozenset(members) | {leader}
    if len(everybody) == 1:
        raise InvalidInput("members", "a crew has somebody beside its leader")
    if len(everybody) > MOST_MEMBERS:
        raise InvalidInput("members", f"at most {MOST_MEMBERS}")
    return CrewOf(name, everybody)


async def crews_by_id(tx: Connection, wanted: Iterable[UUID | None]) -> dict[UUID, Crew]:
    """Return some crews."""
    ids = sorted({crew_id for crew_id in wanted if crew_id is not None})
    rows = await tx.fetch(SQL["crews"], ids) if ids else []
    return {
        row["id"]: Crew(row["id"], row["key_id"], row["leader_id"], row["name"], tuple(row["members"]))
        for row in rows
    }
