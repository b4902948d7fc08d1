"""Findings that break assumptions, as they are kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId, KeySystemId
from key2xs.core.sql import load_queries

from .rules import BREAKS, Broken, Cause

_SQL = load_queries("key2xs.keys.reopening")
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class StoredBroken:
    """One finding. `before` and `after`: the worst answer of what was ended, and its end; None with none."""

    id: UUID
    system_id: KeySystemId
    system: str
    key_id: KeyId | None
    stamp: str | None
    lock: str | None
    """The vendor's id of a lock; None: it is about the key at all locks."""
    marking: str | None
    access_point: str | None
    cause: Cause
    because: str
    found_at: datetime
    before_kind: str | None
    before_until: datetime | None
    after_kind: str | None
    after_until: datetime | None
    closed_at: datetime | None
    closed_by: str | None

    @property
    def assumptions(self) -> list[str]:
        """What it breaks; every one of a key that opened after its bound."""
        return sorted(BREAKS[self.cause])


async def broken_of(tx: Connection, system_id: KeySystemId, key_id: KeyId) -> tuple[Broken, ...]:
    """Return what stands about a key: its own findings, and those of its system's locks."""
    return tuple(
        Broken(Cause(row["cause"]), row["because"], row["found_at"], row["lock_external_id"])
        for row in await tx.fetch(_SQL["broken_of"], system_id, key_id)
    )


async def list_broken(
    tx: Connection,
    *,
    also_closed: bool = False,
    key_id: KeyId | None = None,
    only: UUID | None = None,
    limit: int = MOST_LISTED,
) -> list[StoredBroken]:
    """Return findings, what stands first, then the newest."""
    return [
        StoredBroken(
            id=row["id"],
            system_id=row["system_id"],
            system=row["system"],
            key_id=row["key_id"],
            stamp=row["stamp"],
            lock=row["lock_external_id"],
            marking=row["marking"],
            access_point=row["access_point"],
            cause=Cause(row["cause"]),
            because=row["because"],
            found_at=row["found_at"],
            before_kind=row["before_kind"],
            before_until=row["before_until"],
            after_kind=row["after_kind"],
            after_until=row["after_until"],
            closed_at=row["closed_at"],
            closed_by=row["closed_by"],
        )
        for row in await tx.fetch(_SQL["list_broken"], also_closed, key_id, only, limit)
    ]
