"""Calls to a vendor: the intent is in the database before the call is made, and how it ended after it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry, Unknown
from key2xs.core.ids import TargetId, new_id
from key2xs.core.sql import load_queries

from .adoption.connections import READ_ONLY
from .lanes import WorkLane
from .types import StoredKey

_SQL = load_queries("key2xs.keys")
_T = TypeVar("_T")

FIRST_RETRY = timedelta(seconds=5)
# Longer than the longest call of a connector (90 s): a lease that ends during a call would let two workers write. Each call
# begins with a whole one, so that a step of several slow calls keeps its target, and one that stalls still loses it.
LEASE = timedelta(seconds=150)


class PlanChanged(Refused):
    """What the key should hold changed while it was read; plan again, nothing was written."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A target that this worker holds."""

    target_id: TargetId
    key: StoredKey
    fence: int
    marks: int
    took_over: bool
    failures: int
    lane: WorkLane


class Calls:
    """Makes calls for targets that this worker holds."""

    def __init__(self, database: Database, wall: Clock) -> None:
        """Keep intents in `database`; `wall` gives the real time that leases between workers need."""
        self._database, self._wall = database, wall

    async def require_mine(self, tx: Connection, claim: Claim) -> None:
        """Renew the lease, and refuse to go on for a target that another worker took over.

        Raises:
            Retry: it did.
        """
        await self._renew(tx, claim)

    async def require(self, tx: Connection, claim: Claim, key: StoredKey) -> None:
        """Renew the lease, and refuse to write what may not be written any more.

        Raises:
            Retry: another worker took the target over.
            NeedsPerson: the connection is read-only.
            PlanChanged: the key was blocked, or no longer is, since it was planned.
        """
        row = await self._renew(tx, claim)
        if not row["writes"]:
            raise NeedsPerson("security manager", READ_ONLY)
        if row["blocked"] != (key.blocked_at is not None):
            raise PlanChanged("the key was blocked or unblocked while it was read")

    async def _renew(self, tx: Connection, claim: Claim) -> Any:
        until = self._wall.now() + LEASE
        row = await tx.fetchrow(_SQL["renew_lease"], claim.target_id, claim.fence, until)
        if row is None:
            raise Retry(FIRST_RETRY, "another worker took this target over")
        return row

    async def intend(self, tx: Connection, claim: Claim, operation: str, now: datetime) -> UUID:
        """Write down that a call is about to be made; returns its id.

        Raises:
            Retry: another worker took the target over.
            NeedsPerson: the connection is read-only.
        """
        await self.require(tx, claim, claim.key)
        return await self.begin(tx, claim, operation, now)

    async def begin(self, tx: Connection, claim: Claim, operation: str, now: datetime) -> UUID:
        """Write down that a call is about to be made, which `require` allowed in this transaction; returns its id."""
        call = new_id()
        await tx.execute(_SQL["insert_call"], call, claim.target_id, claim.fence, operation, now)
        return call

    async def carry_out(
        self, claim: Claim, operation: str, now: datetime, act: Callable[[], Awaitable[_T]]
    ) -> _T:
        """Write the intent down, make the call, and write down how it ended."""
        call = await self._database.transact(lambda tx: self.intend(tx, claim, operation, now))
        return await self.make(call, now, act)

    async def look(self, claim: Claim, act: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call that changes nothing.

        Raises:
            Retry: another worker took the target over.
        """
        await self._database.transact(lambda tx: self.require_mine(tx, claim))
        return await act()

    async def make(self, call: UUID, now: datetime, act: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call and write down how it ended."""
        answer = await self.attempt(call, now, act)
        async with self._database.alone() as tx:
            await self.succeeded(tx, call, now)
        return answer

    async def attempt(self, call: UUID, now: datetime, act: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call, and write down how it ended if it failed; `succeeded` is for the caller's next transaction."""
        try:
            return await act()
        except Unknown:
            # The call stays open: until a later reading settles it, its program may still arrive.
            raise
        except CallFailed as error:
            async with self._database.alone() as tx:
                await tx.execute(_SQL["finish_call"], call, now, type(error).__name__.lower())
            raise

    @staticmethod
    async def succeeded(tx: Connection, call: UUID, now: datetime) -> None:
        """Write down that a call was answered as hoped."""
        await tx.execute(_SQL["finish_call"], call, now, "ok")
