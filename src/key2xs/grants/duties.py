"""Grants by duty and by permit: who has what on shift, and which permit's access runs out first."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import GrantId, PermitId, PersonId, UnitId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.grants", "queries_duties.sql")


@dataclass(frozen=True, slots=True)
class DutyLease:
    """A running grant that a duty gives."""

    grant_id: GrantId
    person_id: PersonId
    role: str
    unit_id: UnitId
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class PermitEnds:
    """A permit with running grants, and when the first of them ends."""

    permit_id: PermitId
    reference: str
    people: int
    until: datetime


async def duty_leases(tx: Connection, at: datetime) -> list[DutyLease]:
    """Return the running grants of everybody on duty."""
    found = []
    for row in await tx.fetch(_SQL["duty_grants"], at):
        _, role, unit = row["basis_ref"].split(":", 2)
        found.append(
            DutyLease(
                GrantId(row["id"]), PersonId(row["person_id"]), role, UnitId(UUID(unit)), row["ends_at"]
            )
        )
    return found


async def permits_ending(tx: Connection, at: datetime, *, limit: int = 50) -> list[PermitEnds]:
    """Return permits under which somebody has access now, the first to run out first."""
    return [
        PermitEnds(
            PermitId(UUID(row["basis_ref"].partition(":")[2])), row["reference"], row["people"], row["until"]
        )
        for row in await tx.fetch(_SQL["permits_ending"], at, limit)
    ]
