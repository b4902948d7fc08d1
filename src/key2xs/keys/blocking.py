"""Blocking a lost key: narrow it first, then block it, then follow the block to every cylinder.

Blocking alone gives no bound: nobody knows when a lock hears of it. A narrower program that waits at every updater does,
because the key's own limits then run out. So the key is narrowed first. Where that fails, it is blocked all the same.

    one list that spreads      the window is closed and the rights stay: an emptied key is not taken on the list
    visits                     the key is emptied, reported lost, and every cylinder that a program possibly in it
                               opens gets a visit; *blocked with access* until the last visit is done
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry

from .block_visits import BlockVisits, StoredProgrammingKey
from .calls import Calls, Claim, PlanChanged
from .carriers import BlockVisit, VisitState
from .compile.block_lists import BlockListNow, compile_block_list
from .connected import Connected
from .job import Job
from .narrowing import closed
from .openers import Openers
from .planner import Wanted
from .port import BaseChanged, KeyCapabilities, KeyReading, ProgrammingState
from .program import EMPTY_PROGRAM
from .targets import Targets, alike
from .types import StoredKey, Target

NARROW_TRIES = 2  # a vendor that is busy is asked again so often; then the block does not wait any longer
FOLLOW = timedelta(minutes=2)
_NAMED = 5  # names in one sentence

# A plan that is in none of the other states is on its way or in the key.
NOT_SENT = frozenset(
    {ProgrammingState.PLANNING, ProgrammingState.ERROR, ProgrammingState.CANCELLED, ProgrammingState.OBSOLETE}
)

_BLOCKED = declare("keys.reconcile.after_vendor_block")


class Writer(Protocol):
    """How the reconciler writes; each write is recorded before and read back after."""

    async def write(self, job: Job) -> None:
        """Write the program that is wanted and send it."""
        ...

    async def send(self, job: Job) -> None:
        """Send what is planned."""
        ...


class Blocking:
    """Blocks the keys of one key system."""

    def __init__(
        self,
        database: Database,
        system: Connected,
        *,
        targets: Targets,
        visits: BlockVisits,
        openers: Openers,
        calls: Calls,
        writer: Writer,
    ) -> None:
        """Block keys of `system`; `writer` narrows them."""
        self._database, self._system = database, system
        self._targets, self._visits, self._openers = targets, visits, openers
        self._calls, self._writer = calls, writer

    def applies(self, key: StoredKey, reading: KeyReading) -> bool:
        """Tell whether there is something to block; else emptying the key is all that can be done.

        A list that spreads takes no key without rights: then the empty plan is what has to arrive.
        """
        by_visits = self._can(key).block_by_visits
        return by_visits or reading.blocked or not alike(reading.planned, EMPTY_PROGRAM)

    async def step(
        self, claim: Claim, key: StoredKey, target: Target, wanted: Wanted, reading: KeyReading, now: datetime
    ) -> datetime:
        """Do what is next for a blocked key; returns when to look again."""
        job = Job(claim, key, target, wanted, reading, now)
        by_visits = self._can(key).block_by_visits
        if not reading.blocked:
            await self._narrow(job)
            await self._block(job)
        elif by_visits and reading.programming_state in NOT_SENT:
            await self._send_again(job)
        return await (self._follow_visits(job) if by_visits else self._spread(job))

    def _can(self, key: StoredKey) -> KeyCapabilities:
        return self._system.port.capabilities(key.kind)

    async def _narrow(self, job: Job) -> None:
        """Take away what can be taken away. A failure is no reason to leave the key unblocked."""
        capabilities = self._can(job.key)
        wanted: Wanted | None = None
        if capabilities.block_by_visits:
            wanted = None if alike(job.reading.planned, EMPTY_PROGRAM) else job.wanted
        elif job.reading.planned is not None:
            over = closed(job.reading.planned, capabilities, at=job.now)
            wanted = replace(job.wanted, at_most=over) if over is not None else None
        try:
            if wanted is not None:
                await self._writer.write(replace(job, wanted=wanted))
            elif job.reading.programming_state in NOT_SENT and job.reading.on_device is not None:
                await self._writer.send(job)
        except (BaseChanged, PlanChanged):
            raise
        except Retry:
            if job.claim.failures < NARROW_TRIES:
                raise
        except CallFailed:
            pass  # the next reading shows how far it came

    async def _block(self, job: Job) -> None:
        # One key too many, and the maker sends the list to no lock any more: then all that are on it stay unheard of.
        no_room = await self._database.transact(lambda tx: self._no_room(tx, job))
        if no_room is not None:
            raise NeedsPerson("key administrator", no_room)
        await self._calls.carry_out(
            job.claim, "block", job.now, lambda: self._system.port.block(job.key.external_id)
        )
        _BLOCKED.reach()

    async def _no_room(self, tx: Connection, job: Job) -> str | None:
        """Say what to do if the list that spreads is full; None if it is not, by what was read of other keys."""
        capabilities = self._can(job.key)
        if capabilities.block_by_visits or capabilities.max_blocked is None:
            return None
        rows = await self._visits.blocked_keys(tx, job.key.system_id)
        listed = compile_block_list(
            BlockListNow(self._system.name, frozenset(rows), most=capabilities.max_blocked),
            block=[job.key.external_id],
            proven_empty=[key for key, (_stamp, is_empty) in rows.items() if is_empty],
        )
        if not listed.no_room:
            return None
        away = [rows[key][0] for key in listed.could_leave[:_NAMED]]
        helps = (
            f"take found keys off it, {', '.join(away)} open nothing any more"
            if away
            else "take found keys off it"
        )
        return (
            f"the block list of {self._system.name} is full ({len(rows)} keys), so this key is not on it; {helps}. "
            "until then it stops only by its own time or at an updater. Where each zone has a list of its own, block it in "
            "the maker's tool"
        )

    async def _send_again(self, job: Job) -> None:
        try:
            await self._writer.send(job)
        except Refused as refused:
            if isinstance(refused, PlanChanged):
                raise

    async def _spread(self, job: Job) -> datetime:
        if job.target.block_ordered_at is None:
            key = job.key.external_id
            await self._calls.carry_out(
                job.claim, "order_block_list", job.now, lambda: self._system.port.order_block_list(key, ())
            )
            await self._database.transact(
                lambda tx: self._targets.note_block_order(tx, job.key, job.target, job.now)
            )
        await self._say(job, None)
        return job.now + (FOLLOW if job.reading.programming_state.is_waiting else self._system.reread)

    async def _follow_visits(self, job: Job) -> datetime:
        port, name = self._system.port, job.key.external_id
        known = best_visits(await self._calls.look(job.claim, lambda: port.read_block_visits(name)))
        locks, programming_keys = await self._database.transact(lambda tx: self._needed(tx, job))
        given_up = {each.external_id for each in programming_keys if each.given_up_at is not None}
        full = await self._database.transact(lambda tx: self._full_locks(tx, job, locks))
        missing = {lock for lock in locks - full.keys() if _is_missing(known.get(lock), given_up)}
        unplaced: frozenset[str] = frozenset()
        if missing:
            unplaced = await self._calls.carry_out(
                job.claim,
                "order_block_list",
                job.now,
                lambda: port.order_block_list(name, missing, avoid=given_up),
            )
            known = best_visits(await self._calls.look(job.claim, lambda: port.read_block_visits(name)))
        if job.target.block_ordered_at is None:
            await self._database.transact(
                lambda tx: self._targets.note_block_order(tx, job.key, job.target, job.now)
            )
        await self._database.transact(lambda tx: self._store(tx, job, known, unplaced))
        problem = _problem(known, unplaced, programming_keys, self._limit(job))
        await self._say(job, "; ".join(filter(None, [_no_room_in(full.values()), problem])) or None)
        return job.now + (FOLLOW if job.target.delivered_at is None else self._system.reread)

    async def _full_locks(self, tx: Connection, job: Job, locks: Iterable[str]) -> dict[str, str]:
        most = self._can(job.key).max_blocked
        return {} if most is None else await self._visits.full_locks(tx, job.key, locks, most)

    async def _needed(self, tx: Connection, job: Job) -> tuple[frozenset[str], list[StoredProgrammingKey]]:
        """Return every lock that a program possibly in the key opens, and every lock that was found so before."""
        locks = await self._openers.locks_of(tx, job.key, job.now)
        stored = {visit.lock for visit in await self._visits.of_key(tx, job.key.id) if visit.state != "done"}
        # Proven empty, the key opens nothing, and visits that were not made yet are not needed any more.
        needed = locks | stored if locks else frozenset[str]()
        return needed, await self._visits.programming_keys(tx, job.key.system_id)

    async def _store(
        self, tx: Connection, job: Job, known: Mapping[str, BlockVisit], unplaced: frozenset[str]
    ) -> None:
        if await self._visits.note(tx, job.key, known.values(), unplaced, job.now):
            await self._openers.refresh(tx, job.key, job.now)

    async def _say(self, job: Job, problem: str | None) -> None:
        await self._database.transact(
            lambda tx: self._targets.note_problem(tx, job.key, job.target, problem, job.now)
        )

    def _limit(self, job: Job) -> "_Patience":
        zone = ZoneInfo(self._can(job.key).time_zone)
        return _Patience(job.now - self._system.visit_patience, zone)


@dataclass(frozen=True, slots=True)
class _Patience:
    """Since when a visit may be open at most before people are told, and in which zone they read times."""

    since: datetime
    zone: ZoneInfo

    def words(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%d %b %H:%M}"


def best_visits(visits: Iterable[BlockVisit]) -> dict[str, BlockVisit]:
    """Return one visit a lock: the one that was done, else the newest."""
    best: dict[str, BlockVisit] = {}
    for visit in visits:  # newest first
        before = best.get(visit.lock)
        if before is None or (visit.state is VisitState.DONE and before.state is not VisitState.DONE):
            best[visit.lock] = visit
    return best


def _is_missing(visit: BlockVisit | None, given_up: set[str]) -> bool:
    if visit is None or visit.state is VisitState.FAILED:
        return True
    return visit.state is not VisitState.DONE and visit.programming_key in given_up


def _problem(
    known: Mapping[str, BlockVisit],
    unplaced: frozenset[str],
    programming_keys: Iterable[StoredProgrammingKey],
    patience: _Patience,
) -> str | None:
    """Say what keeps cylinders open: programming keys that do not come back, or none with room."""
    sentences = []
    for each in programming_keys:
        open_here = [
            visit
            for visit in known.values()
            if visit.programming_key == each.external_id
            and visit.state in {VisitState.WAITING, VisitState.LOADED}
        ]
        if not open_here:
            continue
        made = min(visit.made_at for visit in open_here)
        is_out = any(visit.state is VisitState.LOADED for visit in open_here)
        since = max(made, each.last_seen_at or made) if is_out else made
        if since <= patience.since:
            verb = "has been out since" if is_out else "has not fetched its round since"
            sentences.append(
                f"programming key {each.marking} {verb} {patience.words(since)}; "
                f"{_cylinders(len(open_here))} still open to this key"
            )
    if unplaced:
        sentences.append(
            f"no programming key has room for {_cylinders(len(unplaced))}: bring one back to an updater"
        )
    return "; ".join(sentences) or None


def _no_room_in(markings: Collection[str]) -> str | None:
    if not markings:
        return None
    return (
        f"the block list of {', '.join(sorted(markings)[:_NAMED])} is full, so this key is not blocked there; "
        "take found keys off it, or exchange the cylinder"
    )


def _cylinders(count: int) -> str:
    return "1 cylinder" if count == 1 else f"{count} cylinders"
