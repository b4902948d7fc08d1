"""For pages: what was refused and why, and what could not be decided."""

from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.grants")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A wish that policy refused, with the sentences it gave."""

    person_id: PersonId
    step: str
    reasons: tuple[str, ...]
    refused_at: datetime


@dataclass(frozen=True, slots=True)
class Undecided:
    """A subject whose decision keeps failing; until it works, its grants give nothing."""

    subject: str
    failures: int
    problem: str
    next_at: datetime


async def refusals_of_basis(tx: Connection, basis_ref: str) -> list[Refusal]:
    """Return what was refused for one permit, duty or request, the newest first."""
    return [
        Refusal(
            person_id=PersonId(row["person_id"]),
            step=row["basis_step"],
            reasons=tuple(str(reason["text"]) for reason in row["reasons"]),
            refused_at=row["refused_at"],
        )
        for row in await tx.fetch(_SQL["refusals_of_basis"], basis_ref)
    ]


async def undecided(tx: Connection) -> list[Undecided]:
    """Return the subjects that could not be decided."""
    return [
        Undecided(row["subject"], row["failures"], row["problem"] or "", row["next_at"])
        for row in await tx.fetch(_SQL["problems"])
    ]
