"""Standing access counted: per key, person and zone, beside access given just in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId, PersonId, ZoneId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.keys.adoption")


@dataclass(frozen=True, slots=True)
class Share:
    """Pairs of a key and a lock that it may open, by why. `other`: a grant ended and the key was not told yet."""

    standing: int
    just_in_time: int
    other: int

    @property
    def of_standing(self) -> float | None:
        """The share of standing access, 0 to 1; None where nothing opens."""
        total = self.standing + self.just_in_time + self.other
        return self.standing / total if total else None


@dataclass(frozen=True, slots=True)
class ZoneShare:
    """The share in one zone. `zone_id` None: locks that nobody mapped."""

    zone_id: ZoneId
    zone: str
    mode: str
    keys: int
    share: Share


@dataclass(frozen=True, slots=True)
class KeyShare:
    """How many locks one key opens by rights from before. `person_id`: who was handed it."""

    key_id: KeyId
    stamp: str
    person_id: PersonId | None
    adopted: bool
    locks: int


@dataclass(frozen=True, slots=True)
class PersonShare:
    """How many locks one person's keys open by rights from before."""

    person_id: PersonId
    keys: int
    locks: int


async def share(tx: Connection, at: datetime) -> Share:
    """Return the share of standing access on the whole site."""
    rows = await tx.fetch(_SQL["share"], at)
    return Share(**rows[0])


async def share_by_zone(tx: Connection, at: datetime) -> list[ZoneShare]:
    """Return the share in each zone."""
    return [
        ZoneShare(
            row["zone_id"], row["zone"], row["mode"], row["keys"],
            Share(row["standing"], row["just_in_time"], row["other"]),
        )
        for row in await tx.fetch(_SQL["share_by_zone"], at)
    ]  # fmt: skip


async def standing_by_key(tx: Connection, at: datetime, *, limit: int = 200) -> list[KeyShare]:
    """Return the keys that open most by rights from before."""
    return [KeyShare(**row) for row in await tx.fetch(_SQL["standing_by_key"], at, limit)]


async def standing_by_person(tx: Connection, at: datetime, *, limit: int = 200) -> list[PersonShare]:
    """Return the people whose keys open most by rights from before."""
    return [PersonShare(**row) for row in await tx.fetch(_SQL["standing_by_person"], at, limit)]


async def kept_when(
    tx: Connection, asked: Sequence[tuple[KeyId, CylinderId, datetime]]
) -> list[tuple[bool, datetime | None]]:
    """Tell whether each key kept a right that opens a cylinder at an instant, and if not, when the last one ended."""
    if not asked:
        return []
    keys, cylinders, instants = zip(*asked, strict=True)
    rows = await tx.fetch(_SQL["kept_when"], keys, cylinders, instants)
    return [(bool(row["kept"]), row["ended_at"]) for row in rows]
