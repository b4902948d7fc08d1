"""Lists over all grants, a page at a time."""

from collections.abc import Sequence

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, PersonId
from key2xs.core.sql import load_queries

from .store import lease_of
from .types import GrantState, Lease

_SQL = load_queries("key2xs.grants", "queries_lists.sql")


async def list_leases(
    tx: Connection,
    *,
    states: Sequence[GrantState] | None = None,
    person_id: PersonId | None = None,
    basis_ref: str | None = None,
    cylinder_id: CylinderId | None = None,
    after: GrantId | None = None,
    limit: int = 100,
) -> list[Lease]:
    """Return leases, the newest first, a page at a time."""
    wanted = list(states) if states is not None else None
    rows = await tx.fetch(_SQL["page_of_leases"], wanted, person_id, basis_ref, cylinder_id, after, limit)
    return [lease_of(row) for row in rows]


async def states_of(tx: Connection, grants: Sequence[GrantId]) -> dict[GrantId, GrantState]:
    """Return how some leases stand."""
    rows = await tx.fetch(_SQL["states_of"], list(grants)) if grants else []
    return {GrantId(row["id"]): row["state"] for row in rows}


async def people_at(tx: Connection, cylinders: Sequence[CylinderId]) -> dict[PersonId, int]:
    """Return who has grants for any of some cylinders that have not ended, each with how many."""
    rows = await tx.fetch(_SQL["people_at"], list(cylinders))
    return {row["person_id"]: row["grants"] for row in rows}
