"""The nouns of a person's kill, and who is told first about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import PersonId
from key2xs.grants.holding import Kept
from key2xs.grants.mass import Affected
from key2xs.identity.facts import people_on_duty
from key2xs.work.presence import SignedOn, signed_on

What: TypeAlias = Literal["grant", "key", "person", "company", "mass"]
State: TypeAlias = Literal["waiting", "holding", "done", "withdrawn"]


Ending: TypeAlias = Literal["person", "contract"]
"""What ends beside access: the person here, or their contract."""


@dataclass(frozen=True, slots=True)
class By:
    """Who asks or decides: the actor for the log, and the user behind it."""

    actor: str
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AtWork:
    """Why the shift leader is told first about somebody."""

    person_id: PersonId
    permits: tuple[SignedOn, ...]
    on_duty: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A kill as it stands. *holding*: everything ended but the block of the key, which another rule holds."""

    id: UUID
    what: What
    subject: str
    people: tuple[PersonId, ...]
    reason: str
    two_people: bool
    asked_by: str
    asked_user: UUID | None
    asked_at: datetime
    proceeds_at: datetime
    state: State
    decided_by: str | None
    decided_at: datetime | None
    ending: Ending | None = None
    """What it ends beside access; the end of access follows from it."""
    contract_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of asking: who loses something, who waits, and what a rule keeps."""

    affected: Affected
    at_work: tuple[AtWork, ...]
    waiting: Waiting | None
    kept: tuple[Kept, ...]
    about: tuple[PersonId, ...] = ()
    """Whose access it is, where that is one person."""


async def at_work(tx: Connection, people: Iterable[PersonId], at: datetime) -> list[AtWork]:
    """Return who of these people is signed on to a permit or on duty."""
    wanted = set(people)
    if not wanted:
        return []
    permits = await signed_on(tx, wanted, at)
    on_duty = {person for person, _ in await people_on_duty(tx, at)}
    return [
        AtWork(person, tuple(permits.get(person, ())), person in on_duty)
        for person in sorted(wanted)
        if person in permits or person in on_duty
    ]


def waiting_of(row: asyncpg.Record, reason: str) -> Waiting:
    """Read a kill from its row; its reason is sealed there, so it is read before."""
    values = {name: row[name] for name in Waiting.__dataclass_fields__}
    return Waiting(
        **{**values, "reason": reason, "people": tuple(PersonId(person) for person in row["people"])}
    )


def id_of(name: str) -> UUID:
    """Read the id of a subject.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return UUID(name)
    except ValueError as error:
        raise InvalidInput("subject", "ends in an id") from error
