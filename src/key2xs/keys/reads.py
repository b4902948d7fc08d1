"""What pages ask of the keys room beside one key's own answers: lists over all keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId, PersonId
from key2xs.core.sql import load_queries

from .openers import stored_end
from .registry import key_of
from .targets import target_of
from .types import StoredKey, Target

_SQL = load_queries("key2xs.keys")
_READS = load_queries("key2xs.keys", "queries_reads.sql")

MOST_ROWS = 200  # what one page shows at most; the API pages through the rest


@dataclass(frozen=True, slots=True)
class ExposedKey:
    """A key that may still open something it should not. `until` None: nothing ends that by itself."""

    key_id: KeyId
    stamp: str
    person_id: PersonId | None
    cylinders: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class StuckKey:
    """A key that is not yet what it should be."""

    stamp: str
    target: Target


@dataclass(frozen=True, slots=True)
class EditedKey:
    """A key that may hold what was put on it in the vendor's own tool."""

    key_id: KeyId
    stamp: str
    found_at: datetime


@dataclass(frozen=True, slots=True)
class StoppedWrites:
    """A key system at which programming of many keys at once was stopped, until a person lets it go on."""

    name: str
    vendor: str
    stopped_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class KeyOut:
    """A key that somebody has."""

    key: StoredKey
    person_id: PersonId
    since: datetime


@dataclass(frozen=True, slots=True)
class SystemAge:
    """How old what we know of a key system is."""

    name: str
    vendor: str
    log_read_at: datetime | None
    listed_at: datetime | None
    visibility_complete: bool
    interface: str = "documented"

    @property
    def simulated(self) -> bool:
        """Whether the wire to this system is our own invention."""
        return self.interface == "simulated"


async def exposed_keys(tx: Connection, at: datetime, *, limit: int = MOST_ROWS) -> list[ExposedKey]:
    """Return keys that may open something no grant covers any more, the longest first."""
    return [
        ExposedKey(
            key_id=KeyId(row["key_id"]),
            stamp=row["stamp"],
            person_id=row["person_id"],
            cylinders=row["cylinders"],
            until=stored_end(row["until"]),
        )
        for row in await tx.fetch(_SQL["exposed_keys"], at, limit)
    ]


async def unfinished_keys(tx: Connection, *, limit: int = MOST_ROWS) -> list[StuckKey]:
    """Return keys whose newest program is not proven on them, or that are stuck; the newest wish first."""
    rows = await tx.fetch(_SQL["list_targets"], limit)
    return [StuckKey(row["stamp"], target_of(row)) for row in rows]


async def edited_elsewhere(
    tx: Connection, *, key_id: KeyId | None = None, limit: int = MOST_ROWS
) -> list[EditedKey]:
    """Return keys that somebody changed in the vendor's own tool after us, until that is proven gone; newest first."""
    return [EditedKey(**row) for row in await tx.fetch(_READS["edited_elsewhere"], limit, key_id)]


async def stopped_writes(tx: Connection) -> list[StoppedWrites]:
    """Return the key systems at which the brake stands."""
    return [StoppedWrites(**row) for row in await tx.fetch(_READS["stopped_writes"])]


async def keys_out(tx: Connection, at: datetime) -> list[KeyOut]:
    """Return all keys that somebody has, the longest out first."""
    rows = await tx.fetch(_SQL["keys_out"], at)
    return [KeyOut(key_of(row), row["person_id"], row["since"]) for row in rows]


async def keys_of_people(
    tx: Connection, persons: Iterable[PersonId], at: datetime
) -> dict[PersonId, list[tuple[StoredKey, Target | None]]]:
    """Return which keys people have at an instant, each with how far its program is."""
    found: dict[PersonId, list[tuple[StoredKey, Target | None]]] = {}
    for row in await tx.fetch(_READS["keys_of_people"], list(set(persons)), at):
        key = key_of(row)
        target = await tx.fetchrow(_SQL["find_target"], key.id)
        found.setdefault(row["person_id"], []).append((key, target_of(target) if target else None))
    return found


async def openable_now(
    tx: Connection, cylinders: Iterable[CylinderId], at: datetime
) -> dict[CylinderId, int]:
    """Return how many keys could open each cylinder at an instant."""
    rows = await tx.fetch(_READS["count_openers"], list(set(cylinders)), at)
    return {row["cylinder_id"]: row["keys"] for row in rows}


async def system_ages(tx: Connection) -> list[SystemAge]:
    """Return when each key system was read last."""
    return [SystemAge(**row) for row in await tx.fetch(_READS["system_ages"])]
