"""Unblocking a found key: empty it first, then tell the locks, then it is blocked no longer.

The other way round, a lock would forget the block while the key still holds what it held when it was lost. So nothing is
taken away from any lock before the key is proven empty, and until all is done the key counts as blocked.

    one list that spreads      it comes off the list at the maker, is emptied, and only then the list is sent
    visits                     it is emptied, every cylinder that holds the block gets a visit, and it is reported found
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database

from .block_visits import BlockVisits, StoredProgrammingKey
from .blocking import FOLLOW, NOT_SENT, Writer, best_visits
from .calls import Calls, Claim
from .carriers import BlockVisit, VisitState
from .connected import Connected
from .custody import Custody
from .job import Job
from .openers import Openers
from .planner import Wanted
from .port import KeyReading, ProgrammingState
from .program import EMPTY_PROGRAM
from .targets import Targets, alike
from .types import StoredKey, Target

EMPTYING: Final = timedelta(
    seconds=20
)  # a phone acknowledges in seconds; other keys are brought to an updater

_NOT_EMPTY: Final = "it is not known to be empty yet: bring it to an updater or a lock with network, then it comes off the block list"
_HELD_BACK: Final = "not unblocked until a person has confirmed the log (see docs/how-to/restore-a-backup.md)"
_SENT = declare("keys.reconcile.after_vendor_unblock")


class Unblocking:
    """Takes found keys of one key system off the block list."""

    def __init__(
        self,
        database: Database,
        system: Connected,
        *,
        custody: Custody,
        targets: Targets,
        visits: BlockVisits,
        openers: Openers,
        calls: Calls,
        writer: Writer,
    ) -> None:
        """Unblock keys of `system`; `writer` empties them."""
        self._database, self._system, self._custody = database, system, custody
        self._targets, self._visits, self._openers = targets, visits, openers
        self._calls, self._writer = calls, writer

    async def step(
        self, claim: Claim, key: StoredKey, target: Target, wanted: Wanted, reading: KeyReading, now: datetime
    ) -> datetime:
        """Do what is next for a key that comes off the list; returns when to look again."""
        job = Job(claim, key, target, wanted, reading, now)
        if await self._database.transact(self._targets.narrow_only_why) is not None:
            return await self._wait(job, _HELD_BACK, FOLLOW)
        if self._system.port.capabilities(key.kind).block_by_visits:
            return await self._by_visits(job)
        if reading.blocked:
            # Off the list at the maker it can be written; no lock hears of it before the list is sent.
            await self._calls.carry_out(
                job.claim, "unblock", job.now, lambda: self._system.port.unblock(key.external_id)
            )
            _SENT.reach()
            return now
        if not _is_empty(reading):
            return await self._empty(job)
        await self._calls.carry_out(
            job.claim, "order_unblock", job.now, lambda: self._system.port.order_unblock(key.external_id)
        )
        return await self.finish(key, now)

    async def finish(self, key: StoredKey, now: datetime) -> datetime:
        """Note that the maker says so: the key is blocked no longer."""
        await self._database.transact(lambda tx: self._finish(tx, key, now))
        return now

    async def _finish(self, tx: Connection, key: StoredKey, now: datetime) -> None:
        if await self._custody.unblocked(tx, key, now):
            await self._openers.refresh(tx, key, now)

    async def _empty(self, job: Job) -> datetime:
        waits = EMPTYING
        if not alike(job.reading.planned, EMPTY_PROGRAM):
            await self._writer.write(job)
        elif job.reading.programming_state in NOT_SENT:
            await self._writer.send(job)
        else:
            waits = FOLLOW
        return await self._wait(job, _NOT_EMPTY, waits)

    async def _by_visits(self, job: Job) -> datetime:
        if not _is_empty(job.reading):
            return await self._empty(job)
        port, name = self._system.port, job.key.external_id
        carriers = await self._database.transact(
            lambda tx: self._visits.programming_keys(tx, job.key.system_id)
        )
        lost = {each.external_id for each in carriers if each.given_up_at is not None}
        known = await self._visits_of(job, lost)
        unplaced: frozenset[str] = frozenset()
        if any(_is_missing(visit, lost) for visit in known.values()):
            unplaced = await self._calls.carry_out(
                job.claim, "order_unblock", job.now, lambda: port.order_unblock(name, avoid=lost)
            )
            known = await self._visits_of(job, lost)
        blocks = best_visits(await self._calls.look(job.claim, lambda: port.read_block_visits(name)))
        await self._database.transact(
            lambda tx: self._store(tx, job, blocks.values(), known.values(), unplaced)
        )
        if any(visit.state is not VisitState.DONE for visit in known.values()):
            zone = ZoneInfo(port.capabilities(job.key.kind).time_zone)
            since = job.now - self._system.visit_patience
            return await self._wait(job, _problem(known.values(), unplaced, carriers, since, zone), FOLLOW)
        if job.reading.blocked:
            await self._calls.carry_out(job.claim, "unblock", job.now, lambda: port.unblock(name))
            _SENT.reach()
            return job.now
        return await self.finish(job.key, job.now)

    async def _visits_of(self, job: Job, lost: Collection[str]) -> dict[str, BlockVisit]:
        port, name = self._system.port, job.key.external_id
        visits = await self._calls.look(job.claim, lambda: port.read_unblock_visits(name, avoid=lost))
        return {visit.lock: visit for visit in visits}

    async def _store(
        self,
        tx: Connection,
        job: Job,
        blocks: Iterable[BlockVisit],
        visits: Iterable[BlockVisit],
        unplaced: Iterable[str],
    ) -> None:
        await self._visits.note(tx, job.key, visits, unplaced, job.now, "unblock")
        # A cylinder that forgot the block counts for what the key may open again.
        if await self._visits.note(tx, job.key, blocks, (), job.now):
            await self._openers.refresh(tx, job.key, job.now)

    async def _wait(self, job: Job, problem: str | None, how_long: timedelta) -> datetime:
        await self._database.transact(
            lambda tx: self._targets.note_problem(tx, job.key, job.target, problem, job.now)
        )
        return job.now + how_long


def _is_empty(reading: KeyReading) -> bool:
    """Tell whether the key is proven to hold nothing, and nothing is on its way to it."""
    if not alike(reading.planned, EMPTY_PROGRAM):
        return False
    if reading.on_device is None:
        return True  # never programmed
    settled = reading.programming_state is ProgrammingState.PROGRAMMED
    return settled and alike(reading.on_device, EMPTY_PROGRAM)


def _is_missing(visit: BlockVisit, lost: set[str]) -> bool:
    return visit.state is VisitState.FAILED or (
        visit.state is not VisitState.DONE and visit.programming_key in lost
    )


def _problem(
    visits: Iterable[BlockVisit],
    unplaced: frozenset[str],
    carriers: Iterable[StoredProgrammingKey],
    since: datetime,
    zone: ZoneInfo,
) -> str | None:
    """Say what keeps the block in cylinders longer than usual: programming keys that do not come back, or no room."""
    markings = {each.external_id: each.marking for each in carriers}
    old: dict[str, datetime] = {}
    for visit in visits:
        if visit.state in {VisitState.WAITING, VisitState.LOADED} and visit.made_at <= since:
            name = markings.get(visit.programming_key, visit.programming_key)
            old[name] = min(old.get(name, visit.made_at), visit.made_at)
    sentences = [
        f"programming key {name} has a round for this key since {made_at.astimezone(zone):%d %b %H:%M}; cylinders still "
        "refuse the key"
        for name, made_at in sorted(old.items())
    ]
    if unplaced:
        sentences.append(
            "no programming key has room for all cylinders that refuse the key: bring one back to an updater"
        )
    return "; ".join(sentences) or None
