"""What becomes of a target when its step failed: how long it waits, who is told, and when the whole system rests."""

import contextlib
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, Key2XSError, NeedsPerson, Refused, Retry, Unknown
from key2xs.core.sql import load_queries

from .breaker import LONGEST_PAUSE, Breaker
from .calls import FIRST_RETRY, Claim, PlanChanged
from .lanes import WorkLane
from .port import BaseChanged
from .registry import Registry
from .targets import Targets

_SQL = load_queries("key2xs.keys")

WAIT_FOR_PERSON: Final = timedelta(minutes=10)
FAILURES_SHOWN: Final = 2  # in a row before people are told: one lost call is nothing to look at
LONGEST_RETRY: Final = timedelta(minutes=5)
_CHANGED: Final = (BaseChanged, PlanChanged)  # nothing failed: it has to be looked at again


class Setbacks:
    """Keeps the failures of one reconciler."""

    def __init__(self, database: Database, registry: Registry, targets: Targets, system: str) -> None:
        """Tell of trouble at targets of `system`."""
        self._database, self._registry, self._targets, self._system = database, registry, targets, system
        self._breaker = Breaker()
        self.problem: str | None = None

    def wait_until(self, now: datetime) -> datetime | None:
        """Return until when nobody asks the system; None when somebody may."""
        return self._breaker.wait_until(now)

    def answered(self) -> None:
        """Note that the system answered."""
        self._breaker.answered()
        self.problem = None

    async def call_failed(self, claim: Claim, error: CallFailed, now: datetime) -> timedelta:
        """Say how long a target waits, and show the trouble where a person must act or it lasts."""
        if not isinstance(error, Retry | Unknown):
            self.answered()  # the answer is no, but it is one
            if isinstance(error, _CHANGED):
                return timedelta(0)
            if isinstance(error, NeedsPerson | Refused):
                await self._database.transact(lambda tx: self._show(tx, claim, str(error), now))
            return WAIT_FOR_PERSON
        self._breaker.failed(claim.target_id, now)
        if self._breaker.is_open:
            self.problem = f"{self._system} does not answer; it is asked again every half minute: {error}"
        if isinstance(error, Unknown):
            return FIRST_RETRY
        if claim.failures >= FAILURES_SHOWN:
            await self._database.transact(lambda tx: self._show(tx, claim, str(error), now))
        # A vendor's *not now* may be long; whoever takes away in an emergency asks again within the breaker's pause.
        after = min(error.after, LONGEST_PAUSE) if claim.lane <= WorkLane.STOP else error.after
        return max(after, _backed_off(claim))

    async def broke_off(self, claim: Claim, error: Exception, now: datetime) -> None:
        """Let go of a target that we failed at, so that others come first; without a database the lease stays ours."""
        known = isinstance(error, Key2XSError)
        problem = str(error) if known else f"a fault of Key2XS ({type(error).__name__})"

        async def let_go(tx: Connection) -> None:
            await release(tx, claim, now + _backed_off(claim), claim.failures + 1, claim.lane)
            if claim.failures >= FAILURES_SHOWN:
                await self._show(tx, claim, problem, now)

        with contextlib.suppress(Exception):
            await self._database.transact(let_go)

    async def _show(self, tx: Connection, claim: Claim, problem: str, now: datetime) -> None:
        key = await self._registry.get_key(tx, claim.key.id)
        target = await self._targets.ensure(tx, key, now)
        await self._targets.note_problem(tx, key, target, problem, now)


async def release(tx: Connection, claim: Claim, next_at: datetime, failures: int, lane: WorkLane) -> None:
    """Let go of a target until `next_at`; a mark that came meanwhile keeps it due, in the mark's lane."""
    await tx.execute(_SQL["release_work"], claim.target_id, claim.fence, next_at, failures, claim.marks, lane)


def _backed_off(claim: Claim) -> timedelta:
    """Return how long a target rests, up to a fifth shorter, so that targets that failed together do not return together."""
    longest = LONGEST_PAUSE if claim.lane <= WorkLane.STOP else LONGEST_RETRY
    share = crc32(claim.target_id.bytes + bytes([claim.failures % 256])) / 2**32
    return min(longest, FIRST_RETRY * int(2 ** min(claim.failures, 6))) * (1 - share / 5)
