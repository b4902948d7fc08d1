"""Lists over all grants, refusals and failing decisions, for the API and its pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, PersonId
from key2xs.core.sql import load_queries

from .store import lease_of
from .types import GrantState, Lease

_SQL = load_queries("key2xs.grants")
_LISTS = load_queries("key2xs.grants", "queries_lists.sql")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A wish that policy refused; `reasons` as they were told."""

    person_id: PersonId
    step: str
    reasons: list[dict[str, Any]]
    refused_at: datetime


@dataclass(frozen=True, slots=True)
class FailingDecision:
    """A subject that cannot be decided at the moment; its grants are not extended."""

    subject: str
    failures: int
    problem: str
    next_at: datetime


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
    rows = await tx.fetch(
        _LISTS["page_of_leases"], wanted, person_id, basis_ref, cylinder_id, after, limit
    )
    return [lease_of(row) for row in rows]


async def refusals_of_basis(tx: Connection, basis_ref: str) -> list[Refusal]:
    """Return what was refused for one basis, the newest first."""
    return [
        Refusal(row["person_id"], row["basis_step"], row["reasons"], row["refused_at"])
        for row in await tx.fetch(_SQL["refusals_of_basis"], basis_ref)
    ]


async def failing_decisions(tx: Connection) -> list[FailingDecision]:
    """Return the subjects whose decision keeps failing."""
    return [
        FailingDecision(row["subject"], row["failures"], row["problem"] or "", row["next_at"])
        for row in await tx.fetch(_SQL["problems"])
    ]
