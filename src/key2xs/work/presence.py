"""Who is at work on permits now, and who has not reported: what the safety rules ask of permits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import PermitId, PersonId
from key2xs.core.sql import load_queries

from .facts import permit_facts
from .states import State

_SQL = load_queries("key2xs.work", "queries_presence.sql")

# Somebody signed on may be at the place in any of these, in a suspended permit too: they have to come out first.
AT_WORK: Final[tuple[State, ...]] = (
    "isolating", "isolated", "live", "suspended", "test", "handed_back", "deisolating", "expired",
)  # fmt: skip
# A check-in of yesterday is not found out about on a page about now.
_MISSED_SINCE: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SignedOn:
    """A permit that somebody is signed on to."""

    permit_id: PermitId
    number: str
    type: str


@dataclass(frozen=True, slots=True)
class MissedCheckIn:
    """A check-in that a permit asks for and that was not made. `person_id` None: nobody we know."""

    permit_id: PermitId
    number: str
    person_id: PersonId | None
    due_at: datetime


async def signed_on(
    tx: Connection, people: Iterable[PersonId], at: datetime
) -> dict[PersonId, list[SignedOn]]:
    """Return who of these people is signed on to what."""
    found: dict[PersonId, list[SignedOn]] = {}
    for row in await tx.fetch(_SQL["signed_on"], sorted(set(people)), at, list(AT_WORK)):
        line = SignedOn(PermitId(row["id"]), row["number"], row["type"])
        found.setdefault(PersonId(row["person_id"]), []).append(line)
    return found


async def signed_off_last(
    tx: Connection, people: Iterable[PersonId], at: datetime
) -> dict[PersonId, datetime]:
    """Return when these people signed off last."""
    rows = await tx.fetch(_SQL["last_turns"], sorted(set(people)), at)
    return {PersonId(row["person_id"]): row["at"] for row in rows}


async def missed_checkins(tx: Connection, at: datetime) -> list[MissedCheckIn]:
    """Return the check-ins of permits that are missed, the oldest first."""
    found = []
    for row in await tx.fetch(_SQL["missed_checkins"], at, at - _MISSED_SINCE):
        permit_id = PermitId(row["id"])
        try:
            facts = await permit_facts(tx, permit_id, at)
        except NotFound:
            continue
        found += [
            MissedCheckIn(permit_id, facts.number, each.person_id, each.due_at)
            for each in facts.checkins
            if each.due_at == row["due_at"] and each.at is None
        ]
    return found
