"""Exposure over many keys, read from the stored answers."""

from collections.abc import Collection, Iterable
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId, PersonId
from key2xs.core.sql import load_queries

from .exposure_totals import OpenPair
from .exposure_types import ExposureKind
from .openers import stored_end
from .types import StoredKey

_SQL = load_queries("key2xs.keys", "queries_exposure.sql")


async def ended_pairs(
    tx: Connection,
    *,
    cylinders: Collection[CylinderId] | None = None,
    persons: Collection[PersonId] | None = None,
    key: KeyId | None = None,
) -> list[OpenPair]:
    """Return what is left of rights that were ended: of all keys, or only at some cylinders, of some people, of a key."""
    rows = await tx.fetch(
        _SQL["ended_pairs"],
        None if cylinders is None else list(cylinders),
        None if persons is None else list(persons),
        key,
    )
    return [
        OpenPair(
            row["key_id"],
            row["stamp"],
            row["person_id"],
            row["cylinder_id"],
            ExposureKind(row["kind"]),
            stored_end(row["exposed_until"]),
        )
        for row in rows
    ]


async def worst_keys_first(
    tx: Connection, keys: Iterable[StoredKey], *, cylinders: Collection[CylinderId] | None = None
) -> list[StoredKey]:
    """Return keys by what is stored of them: without bound first, then the latest end, then by stamp."""
    by_id = {key.id: key for key in keys}
    at = None if cylinders is None else list(cylinders)
    worst = {row["key_id"]: row for row in await tx.fetch(_SQL["worst_of_keys"], list(by_id), at)}

    def place(key: StoredKey) -> tuple[int, float, str]:
        row = worst.get(key.id)
        if row is None:
            return (2, 0.0, key.stamp)
        until = stored_end(row["until"]) if row["until"] is not None else None
        return (0 if row["endless"] else 1, -until.timestamp() if until is not None else 0.0, key.stamp)

    return sorted(by_id.values(), key=place)


async def keys_at(tx: Connection, cylinders: Collection[CylinderId], at: datetime) -> list[KeyId]:
    """Return the keys that may open any of some cylinders, ended or not."""
    return [KeyId(row["key_id"]) for row in await tx.fetch(_SQL["keys_at"], list(cylinders), at)]
