"""What other rooms read about grants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, PersonId
from key2xs.core.sql import load_queries

from .mass import is_emergency
from .store import lease_of
from .types import Lease

_SQL = load_queries("key2xs.grants")
_HOLDING = load_queries("key2xs.grants", "queries_holding.sql")


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A grant that may have to be on its holder's key.

    `stale` grants rest on facts that changed since they were decided: they are not effective until `unit` is
    decided again.
    """

    id: GrantId
    cylinders: frozenset[CylinderId]
    starts_at: datetime
    ends_at: datetime
    stale: bool
    unit: str
    held: bool
    basis_at: datetime
    """When what it is for arose, or was last renewed."""
    emergency: bool = False
    """One that no act on many touches (S1)."""


@dataclass(frozen=True, slots=True)
class LeasesAt:
    """What a person's leases say of a cylinder at an instant. `ended`: the newest that had ended, and when."""

    covered_by: GrantId | None
    ended: tuple[GrantId, datetime] | None


async def grants_of_holder(
    tx: Connection, person_id: PersonId, at: datetime, ahead: datetime
) -> list[HeldGrant]:
    """Return the open grants of a person that run at `at` or start by `ahead`."""
    rows = await tx.fetch(_SQL["effective_of_person"], person_id, at, ahead)
    return [
        HeldGrant(
            id=row["id"],
            cylinders=frozenset(row["cylinders"]),
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            # Held grants wait for a rule, not for facts: a changed fact is why they are held.
            stale=not row["unchanged"] and row["state"] != "held",
            unit=f"person:{person_id}" if row["basis_ref"].startswith("duty:") else row["basis_ref"],
            held=row["state"] == "held",
            basis_at=row["basis_at"],
            emergency=is_emergency(lease_of(row)),
        )
        for row in rows
    ]


async def get_lease(tx: Connection, grant_id: UUID) -> Lease | None:
    """Return one lease, open or ended."""
    row = await tx.fetchrow(_SQL["find_lease"], grant_id)
    return lease_of(row) if row is not None else None


async def leases_of_basis(tx: Connection, basis_ref: str) -> list[Lease]:
    """Return the newest leases of one basis."""
    return [lease_of(row) for row in await tx.fetch(_SQL["leases_of_basis"], basis_ref)]


async def leases_of_person(tx: Connection, person_id: PersonId) -> list[Lease]:
    """Return the newest leases of one person."""
    return [lease_of(row) for row in await tx.fetch(_SQL["leases_of_person"], person_id)]


async def leases_at(tx: Connection, asked: Sequence[tuple[PersonId, CylinderId, datetime]]) -> list[LeasesAt]:
    """Tell, for each person, cylinder and instant, what covered it then and what had stopped doing so."""
    if not asked:
        return []
    persons, cylinders, instants = zip(*asked, strict=True)
    return [
        LeasesAt(row["covered_by"], (row["ended_id"], row["over_at"]) if row["ended_id"] else None)
        for row in await tx.fetch(_SQL["leases_at"], persons, cylinders, instants)
    ]


async def ended_lease_before(
    tx: Connection, person_id: PersonId, cylinder_id: CylinderId, at: datetime
) -> tuple[Lease, datetime] | None:
    """Return the newest lease of a person that had stopped covering a cylinder by an instant, and since when."""
    row = await tx.fetchrow(_SQL["ended_before"], person_id, cylinder_id, at)
    return (lease_of(row), row["over_at"]) if row is not None else None


async def leases_ending_before(tx: Connection, at: datetime, limit: int) -> list[Lease]:
    """Return open leases that end by an instant, the earliest first."""
    return [lease_of(row) for row in await tx.fetch(_SQL["ending_before"], at, limit)]


async def leases_ended_since(tx: Connection, since: datetime, limit: int) -> list[Lease]:
    """Return leases that ended since an instant, with every cylinder they ever had."""
    return [lease_of(row) for row in await tx.fetch(_HOLDING["ended_since"], since, limit)]


async def count_states(tx: Connection) -> dict[str, int]:
    """Return how many leases stand in which state."""
    return {row["state"]: row["leases"] for row in await tx.fetch(_SQL["count_states"])}
