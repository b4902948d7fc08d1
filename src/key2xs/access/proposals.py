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
from key2xs.core.vault import Erased, Vault
from key2xs.ledger import Entry, Lane, Ledger, typed
from key2xs.policy.acts import EVERYWHERE, Place
from key2xs.policy.acts.types import Part

from .authority import Authority
from .permissions import Permission
from .types import Principal, Proposal, ProposalKind
from .users import Users

_SQL = load_queries("key2xs.access")

VALID_FOR: Final = timedelta(hours=1)  # what was looked at before proposing is not true for ever
_PAGE: Final = 200


class Proposals:
    """Proposing and deciding."""

    def __init__(self, ledger: Ledger, vault: Vault, users: Users, authority: Authority) -> None:
        """Record every act with `ledger`; reasons are sealed by `vault` under the key of whoever typed them."""
        self._ledger, self._vault, self._users, self._authority = ledger, vault, users, authority

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
            tx,
            "propose",
            proposal_id,
            subject,
            by,
            at,
            act=kind,
            reason=typed(by.actor, reason.strip()),
            payload=payload,
        )
        await tx.execute(
            _SQL["insert_proposal"],
            proposal_id,
            kind,
            subject,
            payload,
            await self._vault.seal(by.user_id, reason.strip()),
            by.user_id,
            at,
            at + VALID_FOR,
            entry,
        )
        return await self.get(tx, proposal_id, at)

    async def decide(
        self,
        tx: Connection,
        proposal_id: UUID,
        by: Principal,
        *,
        confirm: bool,
        at: datetime,
        permission: Permission | None = None,
        reason: str = "",
    ) -> Proposal:
        """Confirm or refuse. The caller does the act in the same transaction after a confirmation.

        Whoever proposed may take it back, but never confirm it. `permission` is what confirming this kind takes;
        `reason` is why it is refused: confirming has none of its own.

        Raises:
            NotFound: no such proposal.
            Conflict: it was decided or has expired.
            NotAllowed: not a second person.
        """
        row = await tx.fetchrow(_SQL["lock_proposal"], proposal_id)
        if row is None:
            raise NotFound(f"there is no proposal {proposal_id}")
        proposal = await self._read(row, at)
        if proposal.state != "open":
            raise Conflict(f"the proposal is {proposal.state} already")
        if confirm:
            await self.require_second(tx, proposal.proposed_by, by, at, permission=permission)
        action = "confirm" if confirm else "refuse"
        why = {"reason": typed(by.actor, reason)} if reason else {}
        entry = await self._tell(tx, action, proposal_id, proposal.subject, by, at, act=proposal.kind, **why)
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
        return await self._read(row, at)

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
        await self._vault.prepare([row["proposed_by"] for row in rows])
        return [await self._read(row, at) for row in rows]

    async def require_second(
        self,
        tx: Connection,
        first: UserId | None,
        by: Principal,
        at: datetime,
        *,
        permission: Permission | None = None,
        part: Part = "second",
        place: Place = EVERYWHERE,
    ) -> None:
        """Refuse somebody who may not be the second person beside `first`; see `Authority.require_second`.

        Raises:
            NotAllowed: says why.
        """
        if by.kind != "session":
            raise NotAllowed("a second person signs in; a token is nobody")
        held = permission or min(by.permissions, default=None)
        if held is None:
            raise NotAllowed("your role confirms nothing")
        proposer = await self._users.get(tx, first) if first is not None else None
        await self._authority.require_second(
            tx, by, await self._users.get(tx, by.user_id), proposer, held, at, part=part, place=place
        )

    async def find_act(self, tx: Connection, by: Principal, digest: str, at: datetime) -> Proposal | None:
        """Return the proposal of this user's very request: one that waits, or that was confirmed and not done."""
        row = await tx.fetchrow(_SQL["find_act"], by.user_id, digest, at)
        return await self._read(row, at) if row is not None else None

    async def use(self, tx: Connection, proposal: Proposal, by: Principal, at: datetime) -> None:
        """Note that a confirmed act is being done; it is done once."""
        entry = await self._tell(tx, "use", proposal.id, proposal.subject, by, at, act=proposal.kind)
        await tx.execute(_SQL["use_act"], proposal.id, at, entry)

    async def _read(self, row: asyncpg.Record, at: datetime) -> Proposal:
        """Read a proposal from its row, as it stands at an instant."""
        expired = row["state"] == "open" and row["expires_at"] <= at
        reason = row["reason"]
        if reason is None:
            opened = await self._vault.open(row["proposed_by"], row["reason_sealed"])
            reason = "(erased)" if isinstance(opened, Erased) else opened
        return Proposal(
            id=row["id"],
            kind=row["kind"],
            subject=row["subject"],
            payload=row["payload"],
            reason=reason,
            proposed_by=UserId(row["proposed_by"]),
            proposed_at=row["proposed_at"],
            expires_at=row["expires_at"],
            state="expired" if expired else row["state"],
            decided_by=row["decided_by"],
            decided_at=row["decided_at"],
            used_at=row["used_at"],
        )

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
