"""Calls to a vendor: the intent is in the database before the call is made, and how it ended after it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, Refused, Retry, Unknown
from key2xs.core.ids import TargetId, new_id
from key2xs.core.sql import load_queries

from .adoption.connections import require_writes
from .lanes import WorkLane
from .types import StoredKey

_SQL = load_queries("key2xs.keys")
_T = TypeVar("_T")

FIRST_RETRY = timedelta(seconds=5)


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

    def __init__(self, database: Database) -> None:
        """Keep intents in `database`."""
        self._database = database

    async def require_mine(self, tx: Connection, claim: Claim) -> None:
        """Refuse to go on for a target that another worker took over.

        Raises:
            Retry: it did.
        """
        if await tx.fetchval(_SQL["check_fence"], claim.target_id, claim.fence) is None:
            raise Retry(FIRST_RETRY, "another worker took this target over")

    async def intend(self, tx: Connection, claim: Claim, operation: str, now: datetime) -> UUID:
        """Write down that a call is about to be made; returns its id.

        Raises:
            Retry: another worker took the target over.
            NeedsPerson: the connection is read-only.
        """
        await self.require_mine(tx, claim)
        await require_writes(tx, claim.key.system_id)
        call = new_id()
        await tx.execute(_SQL["insert_call"], call, claim.target_id, claim.fence, operation, now)
        return call

    async def carry_out(
        self, claim: Claim, operation: str, now: datetime, act: Callable[[], Awaitable[_T]]
    ) -> _T:
        """Write the intent down, make the call, and write down how it ended."""
        call = await self._database.transact(lambda tx: self.intend(tx, claim, operation, now))
        return await self.make(call, now, act)

    async def make(self, call: UUID, now: datetime, act: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call and write down how it ended."""
        try:
            answer = await act()
        except Unknown:
            # The call stays open: until a later reading settles it, its program may still arrive.
            raise
        except CallFailed as error:
            await self._finish(call, now, type(error).__name__.lower())
            raise
        await self._finish(call, now, "ok")
        return answer

    async def _finish(self, call: UUID, now: datetime, outcome: str) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(_SQL["finish_call"], call, now, outcome)
