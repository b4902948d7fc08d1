"""Legal holds: while one runs, retention unlinks nothing of the person it names (or of anybody)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import PersonId, UserId, new_id
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased, Vault
from key2xs.ledger import Entry, Ledger, typed

from .types import Principal

_SQL = load_queries("key2xs.access", "queries_privacy.sql")

LONGEST: Final = timedelta(days=730)  # a hold without an end is retention for ever; make it again instead
_SHORTEST_REASON: Final = 5
_LONGEST_REASON: Final = 500  # characters


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. `person_id` None: of everybody."""

    id: UUID
    person_id: PersonId | None
    reason: str | None = field(repr=False)
    made_by: UserId
    made_at: datetime
    until: datetime
    ended_at: datetime | None

    def runs_at(self, at: datetime) -> bool:
        """Tell whether it keeps data at an instant."""
        return self.made_at <= at < self.until and (self.ended_at is None or at < self.ended_at)


class Holds:
    """Making, ending and listing holds. That two people agreed is the matrix's business, and no matrix can drop it."""

    def __init__(self, ledger: Ledger, vault: Vault) -> None:
        """Record every change with `ledger`; reasons are sealed by `vault` under the key of whoever typed them."""
        self._ledger, self._vault = ledger, vault

    async def make(
        self,
        tx: Connection,
        by: Principal,
        *,
        person_id: PersonId | None,
        reason: str,
        until: datetime,
        at: datetime,
    ) -> UUID:
        """Make a hold and return its id.

        Raises:
            InvalidInput: no reason, or an end that is past or too far off.
        """
        text = check_hold(reason, until, at)
        hold_id = new_id()
        entry = await self._tell(tx, "make", hold_id, person_id, by, at, text, until=until.isoformat())
        sealed = await self._vault.seal(by.user_id, text)
        await tx.execute(_SQL["insert_hold"], hold_id, person_id, sealed, by.user_id, at, until, entry)
        return hold_id

    async def end(self, tx: Connection, by: Principal, hold_id: UUID, *, reason: str, at: datetime) -> None:
        """End a hold now.

        Raises:
            NotFound: there is none.
            Conflict: it is over already.
        """
        row = await tx.fetchrow(_SQL["lock_hold"], hold_id)
        if row is None:
            raise NotFound(f"there is no hold {hold_id}")
        if row["ended_at"] is not None or row["until"] <= at:
            raise Conflict("this hold is over already")
        entry = await self._tell(tx, "end", hold_id, row["person_id"], by, at, check_reason(reason))
        await tx.execute(_SQL["end_hold"], hold_id, at, entry)

    async def find_all(self, tx: Connection) -> list[Hold]:
        """Return all holds, the newest first."""
        return [await self._hold(row) for row in await tx.fetch(_SQL["list_holds"])]

    async def running(self, tx: Connection, at: datetime) -> tuple[bool, list[PersonId]]:
        """Return whether everybody's data is held at an instant, and else whose."""
        rows = await tx.fetch(_SQL["running_holds"], at)
        people = [PersonId(row["person_id"]) for row in rows if row["person_id"] is not None]
        return any(row["person_id"] is None for row in rows), people

    async def _hold(self, row: asyncpg.Record) -> Hold:
        reason = await self._vault.open(row["made_by"], row["reason"])
        return Hold(
            id=row["id"],
            person_id=row["person_id"],
            reason=None if isinstance(reason, Erased) else reason,
            made_by=UserId(row["made_by"]),
            made_at=row["made_at"],
            until=row["until"],
            ended_at=row["ended_at"],
        )

    async def _tell(
        self,
        tx: Connection,
        action: str,
        hold_id: UUID,
        person_id: PersonId | None,
        by: Principal,
        at: datetime,
        reason: str,
        **body: str,
    ) -> int:
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"identity:hold:{action}",
                occurred_at=at,
                recorded_at=at,
                actor=by.actor,
                subjects=(f"hold:{hold_id}", *((f"person:{person_id}",) if person_id else ())),
                body={"reason": typed(by.actor, reason), "everybody": person_id is None, **body},
            ),
        )


def check_hold(reason: str, until: datetime, at: datetime) -> str:
    """Return why a hold is made, without outer spaces.

    Raises:
        InvalidInput: no reason, or an end that is past or too far off.
    """
    if not at < until <= at + LONGEST:
        raise InvalidInput("until", f"must lie in the next {LONGEST.days} days")
    return check_reason(reason)


def check_reason(text: str) -> str:
    """Return a reason without outer spaces.

    Raises:
        InvalidInput: there is none.
    """
    reason = text.strip()
    if not _SHORTEST_REASON <= len(reason) <= _LONGEST_REASON:
        raise InvalidInput("reason", f"say why, in {_SHORTEST_REASON} to {_LONGEST_REASON} characters")
    return reason
