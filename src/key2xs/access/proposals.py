"""Acts that need a second person: one proposes, another confirms, and only then it happens.

For ending many grants at once and for putting a policy bundle in force. Never for a stop, one key or one person:
those must not wait. Two users count as two people only if both are linked to a person, and to different ones.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import UserId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger

from .types import Principal, Proposal, ProposalKind
from .users import Users

_SQL = load_queries("key2xs.access")

VALID_FOR: Final = timedelta(hours=1)  # what was looked at before proposing is not true for ever
_PAGE: Final = 200


class Proposals:
    """Proposing and deciding."""

    def __init__(self, ledger: Ledger, users: Users) -> None:
        """Record every act with `ledger`."""
        self._ledger, self._users = ledger, users

    async def propose(
        self,
        tx: Connection,
        by: Principal,
        kind: ProposalKind,
        *,
        subject: str,
        payload: dict[str, Any],
        reason: str,
        at: datetime,
    ) -> Proposal:
        """Store an act that waits; `payload` is all that is needed to do it.

        Raises:
            InvalidInput: no reason.
        """
        if not reason.strip():
            raise InvalidInput("reason", "say why")
        proposal_id = new_id()
        entry = await self._tell(
            tx, "propose", proposal_id, subject, by, at, act=kind, reason=reason.strip(), payload=payload
        )
        await tx.execute(
            _SQL["insert_proposal"],
            proposal_id,
            kind,
            subject,
            payload,
            reason.strip(),
            by.user_id,
            at,
            at + VALID_FOR,
            entry,
        )
        return await self.get(tx, proposal_id, at)

    async def decide(
        self, tx: Connection, proposal_id: UUID, by: Principal, *, confirm: bool, at: datetime
    ) -> Proposal:
        """Confirm or refuse. The caller does the act in the same transaction after a confirmation.

        Whoever proposed may take it back, but never confirm it.

        Raises:
            NotFound: no such proposal.
            Conflict: it was decided or has expired.
            NotAllowed: not a second person.
        """
        row = await tx.fetchrow(_SQL["lock_proposal"], proposal_id)
        if row is None:
            raise NotFound(f"there is no proposal {proposal_id}")
        proposal = proposal_of(row, at)
        if proposal.state != "open":
            raise Conflict(f"the proposal is {proposal.state} already")
        if confirm:
            await self._require_second(tx, proposal.proposed_by, by)
        action = "confirm" if confirm else "refuse"
        entry = await self._tell(tx, action, proposal_id, proposal.subject, by, at, act=proposal.kind)
        state = "confirmed" if confirm else "refused"
        await tx.execute(_SQL["decide_proposal"], proposal_id, state, by.user_id, at, entry)
        return await self.get(tx, proposal_id, at)

    async def get(self, tx: Connection, proposal_id: UUID, at: datetime) -> Proposal:
        """Return one proposal as it stands at an instant.

        Raises:
            NotFound: no such proposal.
        """
        row = await tx.fetchrow(_SQL["get_proposal"], proposal_id)
        if row is None:
            raise NotFound(f"there is no proposal {proposal_id}")
        return proposal_of(row, at)

    async def list(
        self,
        tx: Connection,
        at: datetime,
        *,
        only_open: bool = False,
        after: UUID | None = None,
        limit: int = _PAGE,
    ) -> list[Proposal]:
        """Return proposals, the newest first."""
        rows = await tx.fetch(_SQL["list_proposals"], at if only_open else None, after, limit)
        return [proposal_of(row, at) for row in rows]

    async def _require_second(self, tx: Connection, proposed_by: UserId, by: Principal) -> None:
        if by.kind != "session":
            raise NotAllowed("a second person signs in; a token is nobody")
        proposer = await self._users.get(tx, proposed_by)
        if by.user_id == proposed_by:
            raise NotAllowed("whoever proposes does not confirm; ask a second person")
        if by.person_id is None or proposer.person_id is None:
            raise NotAllowed("both users must be linked to a person, so that they surely are two")
        if by.person_id == proposer.person_id:
            raise NotAllowed("both users are the same person; ask a second one")

    async def _tell(
        self,
        tx: Connection,
        action: str,
        proposal_id: UUID,
        subject: str,
        by: Principal,
        at: datetime,
        **body: Any,
    ) -> int:
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"access:proposal:{action}",
                occurred_at=at,
                recorded_at=at,
                actor=by.actor,
                subjects=(f"proposal:{proposal_id}", subject),
                body=body,
                lane=Lane.CONTROL,
            ),
        )


def proposal_of(row: asyncpg.Record, at: datetime) -> Proposal:
    """Read a proposal from its row, as it stands at an instant."""
    expired = row["state"] == "open" and row["expires_at"] <= at
    return Proposal(
        id=row["id"],
        kind=row["kind"],
        subject=row["subject"],
        payload=row["payload"],
        reason=row["reason"],
        proposed_by=UserId(row["proposed_by"]),
        proposed_at=row["proposed_at"],
        expires_at=row["expires_at"],
        state="expired" if expired else row["state"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
    )
