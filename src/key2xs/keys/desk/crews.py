"""A key for a named crew: its leader answers for it, and openings say that it is one of several who opened."""

from collections.abc import Iterable
from typing import Final

from key2xs.core.errors import InvalidInput
from key2xs.core.ids import PersonId
from key2xs.keys.custody import CrewOf

LONGEST_NAME: Final = 60
MOST_MEMBERS: Final = 60  # as many as a permit names (facts/work-management 4)


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
