"""A permit system that two people declare down: it counts as silent until somebody says that it is back.

For a system that gives signs of life and no permits, or that was never heard. Declaring allows nothing by itself; it
lets two people write a permit on paper, and it keeps whatever the system still sends from giving anything new.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane

from .desk import Desk

_SQL = load_queries("key2xs.work", "queries_paper.sql")


@dataclass(frozen=True, slots=True)
class DeclaredDown:
    """What two people said of a permit system."""

    source: str
    since: datetime
    until: datetime
    reason: str


async def declare_down(
    tx: Connection,
    desk: Desk,
    source: str,
    *,
    reason: str,
    declared_by: str,
    confirmed_by: str,
    lasts: timedelta,
    at: datetime,
) -> None:
    """Declare a permit system down, for `lasts` at most.

    Raises:
        InvalidInput: no reason.
        Conflict: it is declared down already.
    """
    if not reason.strip():
        raise InvalidInput("reason", "say why")
    await desk.ledger.lock_heads(tx, [f"work_source:{source}"])
    if await tx.fetchrow(_SQL["source_down"], source, at):
        raise Conflict(f"{source} is declared down already")
    entry = await _tell(
        tx, desk, "declare_down", source, confirmed_by, at, reason=reason, declared_by=declared_by,
        until=(at + lasts).isoformat(),
    )  # fmt: skip
    await tx.execute(
        _SQL["put_source_down"], source, at, at + lasts, reason, declared_by, confirmed_by, entry
    )


async def declare_back(
    tx: Connection, desk: Desk, source: str, *, actor: str, at: datetime, reason: str = ""
) -> None:
    """Say that a permit system is back. Nothing comes back by that: every permit is decided on its own.

    Raises:
        Conflict: it is not declared down.
    """
    await desk.ledger.lock_heads(tx, [f"work_source:{source}"])
    if not await tx.fetchrow(_SQL["source_down"], source, at):
        raise Conflict(f"{source} is not declared down")
    why = {"reason": reason} if reason else {}
    entry = await _tell(tx, desk, "declare_back", source, actor, at, **why)
    await tx.execute(_SQL["end_source_down"], source, at, entry)


async def sources_declared_down(tx: Connection, at: datetime) -> dict[str, DeclaredDown]:
    """Return the permit systems that are declared down, by name."""
    return {
        row["source"]: DeclaredDown(row["source"], row["since"], row["until"], row["reason"])
        for row in await tx.fetch(_SQL["sources_down"], at)
    }


async def _tell(
    tx: Connection, desk: Desk, action: str, source: str, actor: str, at: datetime, **body: Any
) -> int:
    subject = f"work_source:{source}"
    entry = Entry(
        kind=f"work:source:{action}",
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=(subject,),
        heads=(subject,),
        body=body,
        lane=Lane.CONTROL,
    )
    return await desk.ledger.record(tx, entry)
