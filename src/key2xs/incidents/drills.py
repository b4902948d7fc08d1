"""Exercises: running without a system is learnt before it is needed, and what came of it stands on the log."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import new_id
from key2xs.core.settings import Continuity
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger

_SQL = load_queries("key2xs.incidents", "queries_outage.sql")

SCENARIOS: Final = ("people", "permits", "keys", "siem", "network", "this", "sealed_key", "other")
_LONGEST: Final = 2_000
_MOST_PEOPLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Drill:
    """One exercise that was held."""

    id: UUID
    scenario: str
    held_at: datetime
    people: int
    passed: bool
    outcome: str
    next_due_at: datetime | None

    def is_overdue(self, at: datetime) -> bool:
        """Tell whether the next one should have been held."""
        return self.next_due_at is not None and self.next_due_at <= at


async def record_drill(
    tx: Connection,
    ledger: Ledger,
    settings: Continuity,
    *,
    scenario: str,
    held_at: datetime,
    people: int,
    passed: bool,
    outcome: str,
    actor: str,
    at: datetime,
) -> Drill:
    """Record an exercise.

    Raises:
        InvalidInput: names the field and what is wrong with it.
    """
    if scenario not in SCENARIOS:
        raise InvalidInput("scenario", f"is none of {', '.join(SCENARIOS)}")
    if held_at > at:
        raise InvalidInput("held_at", "lies ahead; record an exercise when it was held")
    if not 0 < people <= _MOST_PEOPLE:
        raise InvalidInput("people", f"must be 1 to {_MOST_PEOPLE}")
    if not 0 < len(outcome.strip()) <= _LONGEST:
        raise InvalidInput("outcome", f"say what was learnt, in at most {_LONGEST} characters")
    made = Drill(
        new_id(),
        scenario,
        held_at,
        people,
        passed,
        outcome.strip(),
        held_at + timedelta(days=settings.drill_days),
    )
    entry = await ledger.record(
        tx,
        Entry(
            kind="incidents:drill:record",
            occurred_at=held_at,
            recorded_at=at,
            actor=actor,
            subjects=(f"drill:{made.id}",),
            body={"scenario": scenario, "people": people, "passed": passed, "note": made.outcome},
        ),
    )
    await tx.execute(
        _SQL["add_drill"], made.id, scenario, held_at, people, passed, made.outcome, made.next_due_at, actor, entry
    )  # fmt: skip
    return made


async def list_drills(tx: Connection, *, limit: int = 50) -> list[Drill]:
    """Return exercises, the newest first."""
    return [_drill(row) for row in await tx.fetch(_SQL["list_drills"], limit)]


def _drill(row: Any) -> Drill:
    return Drill(
        row["id"],
        row["scenario"],
        row["held_at"],
        row["people"],
        row["passed"],
        row["outcome"],
        row["next_due_at"],
    )
