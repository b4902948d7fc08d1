"""The calls that this process may make to one key system, out of what all processes share.

What was given out is counted in the database, a block at a time, so that several workers together keep within what the
vendor allows. A vendor that says *not now* is left alone for as long as it says; a kill or a stop asks after half a minute.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database, the_row
from key2xs.core.errors import Retry
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger

from .breaker import LONGEST_PAUSE
from .call_limits import CallLimits, Standing, Used, Wait, may_begin, take
from .lanes import WorkLane

_SQL = load_queries("key2xs.keys", "queries_pace.sql")

# A call waits no longer for its turn within the pace: it has a time limit of its own, and others wait behind it.
LONGEST_WAIT: Final = timedelta(seconds=5)

Sleep = Callable[[float], Awaitable[None]]


class OutOfCalls(Retry):
    """The key system takes no more calls of this kind now; nothing was sent."""


@dataclass(frozen=True, slots=True)
class _Caller:
    """For which work calls are made; no lane: reading in the background. `is_patient`: it may be kept waiting."""

    lane: WorkLane | None = None
    is_patient: bool = True


_READING: Final = _Caller()
_caller: ContextVar[_Caller] = ContextVar("who calls", default=_READING)


@contextmanager
def calling_for(lane: WorkLane | None) -> Iterator[None]:
    """Make calls for work that was let in; whoever does not say so reads in the background, and waits for its share."""
    before = _caller.set(_Caller(lane, is_patient=False))
    try:
        yield
    finally:
        _caller.reset(before)


def is_stopping() -> bool:
    """Tell whether calls are made now for work that stops somebody."""
    lane = _caller.get().lane
    return lane is not None and lane <= WorkLane.STOP


class Budget:
    """What one key system takes from this process."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        system_id: KeySystemId,
        name: str,
        limits: CallLimits,
        wall: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Share `limits` of a key system with all that work on `database`; `wall` gives the vendor's days and seconds."""
        self._database, self._ledger, self._system_id = database, ledger, system_id
        self._name, self._limits, self._wall, self._sleep = name, limits, wall, sleep
        self._own: deque[datetime] = deque()
        self._for_reading: deque[datetime] = deque()
        self._fetching = asyncio.Lock()
        self._reads_from: datetime | None = None
        self._held: tuple[datetime, datetime] | None = None
        self.problem: str | None = None

    async def open_to(self) -> tuple[WorkLane | None, timedelta | None]:
        """Return up to which lane work may begin (None: none at all), and after what time to ask again."""
        now = self._wall.now()
        if (told := self._told_to_wait(WorkLane.GRANT, now)) is not None:
            self.problem = told.why
            stops = self._told_to_wait(WorkLane.STOP, now)
            return (WorkLane.STOP if stops is None else None), (stops or told).until - now
        self.problem = None
        if self._limits.is_unlimited:
            return WorkLane.GRANT, None
        used = await self._used()
        wait = may_begin(self._limits, used, WorkLane.GRANT, now)
        if wait is None:
            return WorkLane.GRANT, None
        if wait.is_long:
            self.problem = f"{self._name}: {wait.why}, until {wait.until.isoformat()}"
        is_open = may_begin(self._limits, used, WorkLane.REVOKE, now) is None
        return (WorkLane.REVOKE if is_open else WorkLane.STOP), wait.until - now

    async def wait_to_read(self) -> timedelta | None:
        """Return how long reading in the background has to wait; None when it may go on."""
        wait = await self._wait_to_read()
        return None if wait is None else wait.until - self._wall.now()

    async def before_turn(self) -> None:
        """Keep reading in the background waiting before it takes a turn, so that nobody waits behind it.

        Not for longer than its share makes it wait: it is a step of a loop, which has a due time of its own.

        Raises:
            OutOfCalls: its share is used up, or would take long to come.
        """
        if not _caller.get().is_patient:
            return
        waited = timedelta(0)
        while (wait := await self._wait_to_read()) is not None:
            seconds = wait.until - self._wall.now()
            waited += seconds
            if wait.is_long or waited > LONGEST_WAIT + self._share:
                raise OutOfCalls(seconds, f"{self._name}: {wait.why}")
            await self._sleep(seconds.total_seconds())

    async def spend(self) -> None:
        """Count one call that is about to be made, waiting until the pace allows it.

        Raises:
            OutOfCalls: the day's quota is gone, or the pace of all workers together is too high. Nothing was sent.
        """
        if self._limits.is_unlimited:
            return
        lane = _caller.get().lane
        async with self._fetching:
            at = self._from_hand(lane)
            if at is None:
                self._keep(lane, await self._fetch(lane))
                at = self._from_hand(lane) or self._wall.now()
        now = self._wall.now()
        if lane is None:
            self._reads_from = max(self._reads_from or now, now) + self._share
        if at - now > LONGEST_WAIT:
            raise OutOfCalls(at - now, f"{self._name}: calls are paced")
        if at > now:
            await self._sleep((at - now).total_seconds())

    @property
    def _share(self) -> timedelta:
        """How long one call that reads in the background takes up of the part of the pace that is kept for such calls."""
        part = self._limits.background
        return self._limits.between / part if part > 0 else timedelta(0)

    @property
    def is_reading(self) -> bool:
        """Tell whether whoever calls reads in the background: it comes again by itself."""
        return _caller.get().lane is None

    async def rest(self, after: timedelta) -> None:
        """Wait in the middle of a call, as the vendor asks."""
        await self._sleep(after.total_seconds())

    def told_to_wait(self, after: timedelta) -> None:
        """Note that the vendor takes no calls for a while."""
        now = self._wall.now()
        self._held = now + after, now + min(after, LONGEST_PAUSE)

    def _told_to_wait(self, lane: WorkLane | None, at: datetime) -> Wait | None:
        if self._held is None:
            return None
        is_stop = lane is not None and lane <= WorkLane.STOP
        until = self._held[1] if is_stop else self._held[0]
        if until <= at:
            return None
        return Wait(until, f"{self._name} takes no calls until {until.isoformat()}", is_long=True)

    async def _wait_to_read(self) -> Wait | None:
        now = self._wall.now()
        if (told := self._told_to_wait(None, now)) is not None:
            return told
        if self._limits.is_unlimited:
            return None
        if (wait := may_begin(self._limits, await self._used(), None, now)) is not None:
            return wait
        if self._reads_from is not None and self._reads_from > now:
            return Wait(self._reads_from, "calls are paced")
        return None

    async def _used(self) -> Used:
        async with self._database.read() as tx:
            row = await tx.fetchrow(_SQL["pace"], self._system_id)
        return _used(row) if row is not None else Used(self._limits.day_of(self._wall.now()))

    def _from_hand(self, lane: WorkLane | None) -> datetime | None:
        """Return when a call of a block taken before may be made; what has gone stale would make a burst of two."""
        stale = self._wall.now() - self._limits.between * self._limits.burst
        hands = (self._for_reading,) if lane is None else (self._own, self._for_reading)
        for hand in hands:
            while hand:
                at = hand.popleft()
                if self._limits.a_second is not None and at < stale:
                    continue
                if self._limits.day_of(at) == self._limits.day_of(self._wall.now()):
                    return at
        return None

    def _keep(self, lane: WorkLane | None, times: Sequence[datetime]) -> None:
        (self._for_reading if lane is None else self._own).extend(times)

    async def _fetch(self, lane: WorkLane | None) -> Sequence[datetime]:
        now = self._wall.now()
        found = await self._database.transact(lambda tx: self._take(tx, lane, now))
        if isinstance(found, Wait):
            raise OutOfCalls(found.until - now, f"{self._name}: {found.why}")
        return found

    async def _take(self, tx: Connection, lane: WorkLane | None, now: datetime) -> Sequence[datetime] | Wait:
        row = await tx.fetchrow(_SQL["hold_pace"], self._system_id)
        if row is None:
            await tx.execute(_SQL["make_pace"], self._system_id, self._limits.day_of(now))
            row = await the_row(tx, _SQL["hold_pace"], self._system_id)
        found = take(self._limits, _used(row), lane, now)
        if isinstance(found, Wait):
            return found
        used, times = found
        standing = self._limits.standing(used.calls)
        if standing != row["standing"]:
            await self._tell(tx, standing, used, now)
        await tx.execute(
            _SQL["put_pace"], self._system_id, used.day, used.calls, used.in_background, used.next_call_at, standing
        )  # fmt: skip
        return times

    async def _tell(self, tx: Connection, standing: Standing, used: Used, now: datetime) -> None:
        body: dict[str, Any] = {
            "standing": standing.name.lower(),
            "calls": used.calls,
            "a_day": self._limits.a_day,
            "full_again_at": self._limits.day_ends(now).isoformat(),
        }
        await self._ledger.record(
            tx,
            Entry(
                kind="keys:system:quota",
                occurred_at=now,
                recorded_at=now,
                actor="system:keys",
                subjects=(f"key_system:{self._system_id}",),
                heads=(f"pace:{self._system_id}",),
                body=body,
            ),
        )


def _used(row: Any) -> Used:
    return Used(row["day"], row["used"], row["in_background"], row["next_call_at"])
