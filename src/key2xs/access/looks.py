"""Looking at a person's data: only for a stated purpose, and the person can see who did and why."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import PersonId, UserId, new_id
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased, Vault
from key2xs.ledger import Entry, Ledger, typed

from .types import Principal

_SQL = load_queries("key2xs.access", "queries_privacy.sql")

PURPOSES: Final = (
    "incident",
    "safety_investigation",
    "audit",
    "request_by_the_person",
    "works_council_agreed",
)
"""What a history may be opened for. Performance, attendance and curiosity are not among them."""
LONGEST_RANGE: Final = timedelta(days=31)
_SHORTEST_REASON: Final = 5
_LONGEST_REASON: Final = 500
_LONGEST_CASE: Final = 60
_PAGE: Final = 200
_CODE_GIVEN: Final = "a one-time code for your page was given out at the key desk"

What: TypeAlias = Literal["name", "history"]


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why somebody's history is opened, and which part of it."""

    purpose: str
    reason: str = field(repr=False)
    begins: datetime
    ends: datetime
    case_no: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One trace: who looked at what, when and why. `reason` None: erased."""

    id: UUID
    person_id: PersonId
    user_id: UserId
    what: What
    purpose: str
    reason: str | None = field(repr=False)
    case_no: str | None
    begins: datetime | None
    ends: datetime | None
    at: datetime


class Looks:
    """Leaves traces, and shows them."""

    def __init__(self, ledger: Ledger, vault: Vault) -> None:
        """Record every look with `ledger`; reasons are sealed by `vault` under the looker's key."""
        self._ledger, self._vault = ledger, vault

    async def history(
        self, tx: Connection, person_id: PersonId, by: Principal, asked: Purpose, *, at: datetime
    ) -> Look:
        """Leave the trace of opening a history. The caller reads it in the same transaction.

        Raises:
            InvalidInput: names what is missing or too wide.
        """
        if asked.purpose not in PURPOSES:
            raise InvalidInput("purpose", f"must be one of {', '.join(PURPOSES)}")
        if not asked.begins < asked.ends:
            raise InvalidInput("ends", "must lie after begins")
        if asked.ends - asked.begins > LONGEST_RANGE:
            raise InvalidInput("ends", f"at most {LONGEST_RANGE.days} days may be looked at once")
        if asked.begins > at:
            raise InvalidInput("begins", "lies in the future")
        case = (asked.case_no or "").strip()
        if len(case) > _LONGEST_CASE or not case.isprintable():
            raise InvalidInput("case_no", f"must have at most {_LONGEST_CASE} printable characters")
        return await self._leave(
            tx, person_id, by, "history", asked.purpose, _reason(asked.reason), at,
            case=case or None, begins=asked.begins, ends=asked.ends,
        )  # fmt: skip

    async def name(
        self, tx: Connection, person_id: PersonId, by: Principal, reason: str, *, at: datetime
    ) -> Look:
        """Leave the trace of showing a name.

        Raises:
            InvalidInput: no reason.
        """
        return await self._leave(tx, person_id, by, "name", "name_shown", _reason(reason, "purpose"), at)

    async def code(self, tx: Connection, person_id: PersonId, by: Principal, *, at: datetime) -> Look:
        """Leave the trace of giving out a code for a person's own page: whoever takes it sees that person's openings."""
        return await self._leave(tx, person_id, by, "history", "request_by_the_person", _CODE_GIVEN, at)

    async def of_person(self, tx: Connection, person_id: PersonId, *, limit: int = _PAGE) -> list[Look]:
        """Return who looked at a person's data, the newest first."""
        rows = await tx.fetch(_SQL["looks_of"], person_id, limit)
        await self._vault.prepare([row["user_id"] for row in rows])
        return [await self._look(row) for row in rows]

    async def _leave(
        self,
        tx: Connection,
        person_id: PersonId,
        by: Principal,
        what: What,
        purpose: str,
        reason: str,
        at: datetime,
        *,
        case: str | None = None,
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> Look:
        look_id = new_id()
        kind = "identity:person:reveal" if what == "name" else "identity:history:open"
        entry = await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor=by.actor,
                subjects=(f"person:{person_id}",),
                body={
                    "purpose": purpose,
                    "reason": typed(by.actor, reason),
                    "case": typed(by.actor, case) if case else None,
                    "begins": begins.isoformat() if begins else None,
                    "ends": ends.isoformat() if ends else None,
                },
            ),
        )
        await tx.execute(
            _SQL["insert_look"], look_id, person_id, by.user_id, what, purpose,
            await self._vault.seal(by.user_id, reason), case, begins, ends, at, entry,
        )  # fmt: skip
        return Look(look_id, person_id, by.user_id, what, purpose, reason, case, begins, ends, at)

    async def _look(self, row: asyncpg.Record) -> Look:
        reason = await self._vault.open(row["user_id"], row["reason"])
        return Look(
            id=row["id"],
            person_id=PersonId(row["person_id"]),
            user_id=UserId(row["user_id"]),
            what=row["what"],
            purpose=row["purpose"],
            reason=None if isinstance(reason, Erased) else reason,
            case_no=row["case_no"],
            begins=row["begins"],
            ends=row["ends"],
            at=row["at"],
        )


def _reason(text: str, name: str = "reason") -> str:
    reason = text.strip()
    if not _SHORTEST_REASON <= len(reason) <= _LONGEST_REASON:
        raise InvalidInput(name, f"say why, in {_SHORTEST_REASON} to {_LONGEST_REASON} characters")
    return reason
