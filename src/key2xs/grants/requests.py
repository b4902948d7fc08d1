"""Access that no permit and no duty gives: a request somebody approves, or an emergency two people stand for."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import CylinderId, PersonId, RequestId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger, typed

from .types import Request

_SQL = load_queries("key2xs.grants")

LONGEST_EMERGENCY = timedelta(minutes=60)  # facts/work-management 6.2 row 25
EMERGENCY_APPROVERS = 2
MOST_CYLINDERS = 10  # one entry tells a request whole; larger sets are permits


class Requests:
    """Asking, approving and refusing."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every act with `ledger`."""
        self._ledger = ledger

    async def ask(
        self,
        tx: Connection,
        *,
        kind: Literal["approved_request", "emergency"],
        person_id: PersonId,
        requester_id: PersonId,
        cylinders: Iterable[CylinderId],
        access_points: int,
        starts_at: datetime,
        ends_at: datetime,
        reason: str,
        actor: str,
        at: datetime,
    ) -> RequestId:
        """Store a request.

        Args:
            access_points: how many access points the cylinders belong to; an emergency opens one.

        Raises:
            InvalidInput: an empty or too large set, an empty window, or an emergency that is too wide or too long.
        """
        wanted = sorted(set(cylinders))
        _check(kind, wanted, access_points, starts_at, ends_at, reason, at)
        request_id = RequestId(new_id())
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="grants:request:ask",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"request:{request_id}", f"person:{person_id}", *(f"cylinder:{c}" for c in wanted)),
                heads=(f"request:{request_id}",),
                body={
                    "kind": kind,
                    "starts_at": starts_at.isoformat(),
                    "ends_at": ends_at.isoformat(),
                    "reason": typed(actor, reason),
                },
                lane=Lane.CONTROL if kind == "emergency" else Lane.BULK,
            ),
        )
        await tx.execute(
            _SQL["insert_request"],
            request_id,
            kind,
            person_id,
            requester_id,
            starts_at,
            ends_at,
            await self._ledger.seal_words(actor, reason),
            at,
            entry,
        )
        await tx.execute(_SQL["insert_request_cylinders"], request_id, wanted, entry)
        return request_id

    async def decide(
        self,
        tx: Connection,
        request_id: RequestId,
        *,
        approver_id: PersonId,
        approve: bool,
        reason: str,
        actor: str,
        at: datetime,
    ) -> Request:
        """Approve or refuse a request.

        Raises:
            NotFound: there is no such request.
            Conflict: it is decided already, or this person decided on it before.
            NotAllowed: the approver asked for it, or would hold the key.
        """
        # The lock comes first: two approvers at once must not each see the other missing.
        await self._ledger.lock_heads(tx, [f"request:{request_id}"])
        request = await self.find(tx, request_id)
        _check_approver(request, approver_id)
        state = _state_after(request, approver_id, approve=approve)
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="grants:request:approve" if approve else "grants:request:refuse",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"request:{request_id}", f"person:{request.person_id}"),
                heads=(f"request:{request_id}",),
                body={"state": state, "reason": typed(actor, reason)},
                lane=Lane.CONTROL if request.kind == "emergency" else Lane.BULK,
            ),
        )
        decision = "approve" if approve else "refuse"
        words = await self._ledger.seal_words(actor, reason) if reason else None
        await tx.execute(_SQL["insert_approval"], request_id, approver_id, decision, words, at, entry)
        await tx.execute(_SQL["set_request_state"], request_id, state, entry)
        return await self.find(tx, request_id)

    async def find(self, tx: Connection, request_id: RequestId) -> Request:
        """Return a request.

        Raises:
            NotFound: there is no such request.
        """
        row = await tx.fetchrow(_SQL["find_request"], request_id)
        if row is None:
            message = f"there is no request {request_id}"
            raise NotFound(message)
        return await self._said(row)

    async def waiting(self, tx: Connection) -> list[Request]:
        """Return the requests that wait for somebody, oldest first."""
        return [await self._said(row) for row in await tx.fetch(_SQL["open_requests"])]

    async def _said(self, row: asyncpg.Record) -> Request:
        return replace(request_of(row), reason=await self._ledger.read_words(row["reason"]))


def request_of(row: asyncpg.Record) -> Request:
    """Read a request from its row, without its reason: that is sealed, and decides nothing."""
    return Request(
        id=row["id"],
        kind=row["kind"],
        person_id=row["person_id"],
        requester_id=row["requester_id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        reason="",
        state=row["state"],
        asked_at=row["asked_at"],
        cylinders=frozenset(row["cylinders"]),
        approvers=frozenset(row["approvers"]),
    )


def _check(
    kind: str,
    cylinders: list[CylinderId],
    access_points: int,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    at: datetime,
) -> None:
    if not cylinders or len(cylinders) > MOST_CYLINDERS:
        raise InvalidInput("cylinders", f"ask for 1 to {MOST_CYLINDERS}")
    if not reason.strip():
        raise InvalidInput("reason", "say why")
    if ends_at <= starts_at or ends_at <= at:
        raise InvalidInput("ends_at", "must lie after the start and ahead of now")
    if kind == "emergency":
        if access_points != 1:
            raise InvalidInput("cylinders", "an emergency opens one access point")
        if ends_at - starts_at > LONGEST_EMERGENCY:
            raise InvalidInput("ends_at", "an emergency lasts at most 60 minutes")


def _check_approver(request: Request, approver_id: PersonId) -> None:
    if request.state != "requested":
        message = f"the request is {request.state} already"
        raise Conflict(message)
    if approver_id in request.approvers:
        message = "you approved this already; somebody else is needed"
        raise Conflict(message)
    if approver_id == request.requester_id:
        message = "whoever asks does not approve"
        raise NotAllowed(message)
    if approver_id == request.person_id:
        message = "whoever would hold the key does not approve"
        raise NotAllowed(message)


def _state_after(request: Request, approver_id: PersonId, *, approve: bool) -> str:
    if not approve:
        return "refused"
    needed = EMERGENCY_APPROVERS if request.kind == "emergency" else 1
    return "approved" if len(request.approvers | {approver_id}) >= needed else "requested"
