"""Pseudonyms: who somebody is on a live page, without saying their name.

`P-7F3A` is a stable short form of the person's opaque id; the company stands beside it. Two people of a site may
share one (one in a million pairs), so a link always carries the whole id. Names belong to the page that asks for a
purpose and leaves a trace.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.identity.affiliations import companies_of
from key2xs.keys.retention import UNLINKED

# Digits and letters that nobody misreads on a radio: no I, L, O, U.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Alias:
    """A person on screen."""

    person_id: PersonId
    short: str
    company: str | None

    def __str__(self) -> str:
        """Write both parts."""
        return f"{self.short} \N{MIDDLE DOT} {self.company}" if self.company else self.short


class People:
    """The people of one page, looked up at once."""

    def __init__(self, companies: dict[PersonId, str]) -> None:
        """Know which company each person comes from."""
        self._companies = companies

    def of(self, person_id: PersonId | None) -> Alias | None:
        """Return how a person is shown."""
        if person_id is None or person_id == UNLINKED:
            return None
        return Alias(person_id, pseudonym(person_id), self._companies.get(person_id))


async def look_up(tx: Connection, people: Iterable[PersonId | None], at: datetime) -> People:
    """Look up everybody a page shows."""
    wanted = {person for person in people if person is not None}
    return People(await companies_of(tx, wanted, at) if wanted else {})


def pseudonym(person_id: UUID) -> str:
    """Return the short form of a person's id, made from its random end."""
    rest = person_id.int
    letters = []
    for _ in range(_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return "P-" + "".join(reversed(letters))
