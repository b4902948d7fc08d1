"""How long keys go on working when nothing further reaches them: over many keys, from stored answers.

The other side of exposure. `works_until` answers for one key from everything that may be in it; every answer is stored
beside the exposure bound, so that thousands of keys are read at once during an outage.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, KeyId, KeySystemId, PersonId
from key2xs.core.sql import load_queries

from .openers import stored_end

_SQL = load_queries("key2xs.keys", "queries_lasting.sql")
MOST_KEYS = 200


@dataclass(frozen=True, slots=True)
class KeyLasts:
    """One key that somebody has. `until`: the first of its locks is lost then; None: none of them is sure."""

    key_id: KeyId
    stamp: str
    system_id: KeySystemId
    person_id: PersonId
    cylinders: int
    unsure: int
    until: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class DutyGrant:
    """A grant that somebody on duty has, and the place (a role in a unit) it serves."""

    grant_id: GrantId
    person_id: PersonId
    place: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class PlaceLasts:
    """One role in one unit. `sure` of `cylinders` surely open now, all of them until `until`."""

    place: str
    cylinders: int
    sure: int
    until: datetime | None
    first_lost: CylinderId | None


@dataclass(frozen=True, slots=True)
class StandingLasts:
    """A key with rights of its own (under seal). `until` None with `is_sure`: nothing known stops it."""

    cylinders: int
    is_sure: bool
    until: datetime | None


async def lasting_keys(
    tx: Connection, down: Collection[KeySystemId], at: datetime, *, limit: int = MOST_KEYS
) -> list[KeyLasts]:
    """Return keys that are out, the first to run out first, if these key systems are down."""
    return [
        KeyLasts(
            key_id=KeyId(row["key_id"]),
            stamp=row["stamp"],
            system_id=KeySystemId(row["system_id"]),
            person_id=PersonId(row["person_id"]),
            cylinders=row["cylinders"],
            unsure=row["unsure"],
            until=_end(row["until"]),
            last=_end(row["last"]),
        )
        for row in await tx.fetch(_SQL["lasting_keys"], list(down), at, limit)
    ]


async def lasting_places(
    tx: Connection, duties: Sequence[DutyGrant], down: Collection[KeySystemId], at: datetime
) -> dict[str, PlaceLasts]:
    """Return how long each place goes on being served by the keys of those on duty there."""
    if not duties:
        return {}
    rows = await tx.fetch(
        _SQL["lasting_places"],
        [duty.grant_id for duty in duties],
        [duty.place for duty in duties],
        [duty.ends_at for duty in duties],
        list(down),
        [duty.person_id for duty in duties],
        at,
    )
    return {
        row["place"]: PlaceLasts(
            row["place"], row["cylinders"], row["sure"], _end(row["until"]), row["first_lost"]
        )
        for row in rows
    }


async def lasting_standing(tx: Connection, keys: Collection[KeyId]) -> dict[KeyId, StandingLasts]:
    """Return how long keys surely work by rights that nobody has to renew."""
    return {
        KeyId(row["key_id"]): StandingLasts(
            row["cylinders"], row["unsure"] == 0 and row["cylinders"] > 0, _end(row["until"])
        )
        for row in await tx.fetch(_SQL["standing_keys"], list(keys))
    }


async def key_systems(tx: Connection) -> dict[KeySystemId, str]:
    """Return the names of all key systems."""
    return {KeySystemId(row["id"]): row["name"] for row in await tx.fetch(_SQL["systems"])}


def _end(until: datetime | None) -> datetime | None:
    return None if until is None else stored_end(until)
