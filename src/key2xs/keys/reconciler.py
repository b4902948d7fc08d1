"""The reconciler: brings what vendors hold in line with what grants allow, one target a step.

Level-triggered: every step reads the key first, so it does not matter what a crash, a lost response or another
administrator left behind. A worker holds a lease on the target that outlives its longest call. Whoever takes a
lease over from a stalled worker ends that worker's vendor session before anything else, and reads again once no
request of it can still be under way.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, Protocol
from uuid import UUID

import asyncpg

from key2xs.core.clock import Clock
from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed
from key2xs.core.haste import hurry
from key2xs.core.sql import load_queries

from .adoption.adopting import waiting_why
from .block_visits import BlockVisits
from .blocking import NOT_SENT, Blocking
from .brake import Brake, NoBrake
from .budget import OutOfCalls, calling_for
from .calls import LEASE, Calls, Claim, PlanChanged
from .connected import Connected
from .custody import Custody
from .drift.watch import Drift
from .job import Job
from .lanes import WorkLane
from .narrowing import narrowest
from .openers import Openers
from .planner import Planner, Wanted
from .port import KeyReading, ProgrammingState
from .registry import Registry, key_of
from .sessions import this_worker
from .setbacks import Setbacks, release
from .targets import Targets, alike, is_same, program_row
from .types import StoredKey, Target
from .unblocking import Unblocking
from .wire import program_of

_SQL = load_queries("key2xs.keys")

# A request of a stalled worker can be under way no longer than this; then the key is read once more.
LONGEST_STALL = timedelta(seconds=120)
POLL = timedelta(
    seconds=20
)  # a phone acknowledges in seconds to minutes; a webhook or a visit may come any time
SLOW_POLL = timedelta(minutes=2)  # after the first minutes without acknowledgement
FAST_POLLS_FOR = timedelta(minutes=5)

_READ_ONLY = "a key of this kind is only read at this level"
_HELD_BACK = "not given back until a person has confirmed the log (see docs/how-to/restore-a-backup.md)"

_CLAIMED = declare("keys.reconcile.after_claim")
_READ = declare("keys.reconcile.after_read")
_INTENT = declare("keys.reconcile.after_intent")
_WRITTEN = declare("keys.reconcile.after_vendor_write")
_BEFORE_ORDER = declare("keys.reconcile.before_order")
_ORDERED = declare("keys.reconcile.after_vendor_order")
_TOOK_OVER = declare("keys.takeover.after_end_sessions")


class GrantDecider(Protocol):
    """What the reconciler asks before it writes: decide grants whose facts changed."""

    async def evaluate(self, tx: Connection, subject: str, at: datetime) -> None:
        """Decide everything that one subject stands for."""
        ...


class _Then(Enum):
    """What follows from a reading; nothing more to do where the target was let go of."""

    NOTHING = auto()
    UNBLOCKED = auto()
    UNBLOCK = auto()
    BLOCK = auto()
    WRITE = auto()
    SEND = auto()


@dataclass(frozen=True, slots=True)
class _Found:
    """The target after a reading, and what is next: with `call`, its intent is stored. `refused`: why there is nothing."""

    target: Target
    then: _Then = _Then.NOTHING
    call: UUID | None = None
    wanted: Wanted | None = None
    refused: CallFailed | None = None


class Reconciler:
    """Works on the targets of one key system."""

    # It follows the reader that marks targets; of these, targets are made due by whoever writes the entry.
    heeds: Final = (
        "incidents:",
        "keys:adoption",
        "keys:block",
        "keys:brake",
        "keys:drift",
        "keys:key",
        "keys:programming_key",
        "keys:standing",
        "keys:system",
        "ledger:",
    )

    def __init__(
        self,
        database: Database,
        system: Connected,
        *,
        registry: Registry,
        custody: Custody,
        targets: Targets,
        planner: Planner,
        openers: Openers,
        visits: BlockVisits,
        grants: GrantDecider,
        clock: Clock,
        wall: Clock,
        worker: str | None = None,
        brake: Brake | None = None,
        drift: Drift,
        up_to: WorkLane = WorkLane.GRANT,
        setbacks: Setbacks | None = None,
    ) -> None:
        """Reconcile `system`; `wall` gives the real time that leases between workers need.

        `up_to` is the last lane that is worked off; `setbacks` are shared by several workers of one process.
        """
        self._database, self._system = database, system
        self._registry, self._targets, self._planner, self._openers = registry, targets, planner, openers
        self._visits, self._grants, self._clock, self._wall = visits, grants, clock, wall
        self._calls, self._brake = Calls(database, wall), brake or NoBrake()
        self._drift = drift
        self._blocking = Blocking(
            database, system, targets=targets, visits=visits, openers=openers, calls=self._calls, writer=self
        )
        self._unblocking = Unblocking(
            database, system, custody=custody, targets=targets, visits=visits, openers=openers, calls=self._calls,
            writer=self,
        )  # fmt: skip
        # A lease of this very reconciler is of a step that broke off; of an earlier process with our number it is not.
        self._worker = worker or this_worker(secrets.token_hex(4))
        self.name = f"reconciler:{system.name}"
        self.idle = False
        self._up_to = up_to
        self.setbacks = setbacks or Setbacks(database, registry, targets, system.name)
        self.last_read = timedelta(0)

    @property
    def problem(self) -> str | None:
        """Why the key system is asked only now and then, while it is."""
        return self.setbacks.problem or self._system.budget.problem

    async def step(self, now: datetime) -> datetime | None:
        """Work on the most urgent due target; `now` when there was one, else when the next is due."""
        pause = self.setbacks.wait_until(now)
        self.idle = pause is not None
        if pause is not None:
            return pause
        open_to, wait = await self._system.budget.open_to()
        up_to = min(open_to, self._up_to) if open_to is not None else None
        ask_again = now + wait if wait is not None else None
        claim = await self._claim_one(now, up_to) if up_to is not None else None
        self.idle = claim is None
        if claim is None:
            return _soonest(ask_again, await self._next_work(up_to))
        _CLAIMED.reach()
        if claim.lane <= WorkLane.STOP:
            hurry()
        try:
            with calling_for(claim.lane if claim.key.adopted_at is not None else None):
                next_at = await self._converge(claim, now)
            failures, lane = 0, WorkLane.GRANT
            self.setbacks.answered()
        except OutOfCalls as error:
            next_at, failures, lane = now + error.after, claim.failures, claim.lane
        except CallFailed as error:
            failures, lane = claim.failures + 1, claim.lane  # what took away still comes first
            next_at = now + await self.setbacks.call_failed(claim, error, now)
        except Exception as error:
            await self.setbacks.broke_off(claim, error, now)
            raise
        if next_at is not None:
            async with self._database.alone() as tx:
                await release(tx, claim, next_at, failures, lane)
        return now

    async def _next_work(self, lane: WorkLane | None) -> datetime | None:
        if lane is None:
            return None
        async with self._database.alone() as tx:
            due: datetime | None = await tx.fetchval(_SQL["next_work"], self._system.system_id, lane)
            return due

    async def _claim_one(self, now: datetime, up_to: WorkLane) -> Claim | None:
        async with self._database.alone() as tx:
            return await self._claim(tx, now, up_to)

    async def _claim(self, tx: Connection, now: datetime, up_to: WorkLane) -> Claim | None:
        wall = self._wall.now()
        row = await tx.fetchrow(
            _SQL["claim_work"], self._system.system_id, now, wall, self._worker, up_to, wall + LEASE
        )
        if row is None:
            return None
        return Claim(
            target_id=row["target_id"],
            key=key_of(row),
            fence=row["fence"],
            marks=row["marks"],
            took_over=row["leased_until"] is not None,
            failures=row["failures"],
            lane=WorkLane(row["lane"]),
        )

    async def _converge(self, claim: Claim, now: datetime) -> datetime | None:
        """Do what is next for a target; returns when to look again, None where it was let go of already."""
        # What is wanted is stored before the vendor is asked anything: a kill is on record though the vendor is down.
        key, target, wanted = await self._plan(claim, now)
        reading = await self._read(claim, key)
        found = await self._database.transact(
            lambda tx: self._take_in(tx, claim, key, target, wanted, reading, now)
        )
        if found.refused is not None:
            raise found.refused
        target = found.target
        if found.then is _Then.UNBLOCKED:
            return await self._unblocking.finish(key, now)
        if found.then is _Then.UNBLOCK:
            return await self._unblocking.step(claim, key, target, wanted, reading, now)
        if found.then is _Then.BLOCK:
            return await self._blocking.step(claim, key, target, wanted, reading, now)
        if found.call is None:
            return None
        job = Job(claim, key, target, found.wanted or wanted, reading, now)
        if found.then is _Then.WRITE:
            await self._write(job, found.call, let_go=True)
        else:
            await self._send(job, found.call, let_go=True)
        return None

    async def _take_in(
        self,
        tx: Connection,
        claim: Claim,
        key: StoredKey,
        target: Target,
        wanted: Wanted,
        reading: KeyReading,
        now: datetime,
    ) -> "_Found":
        """Store a reading and what follows from it in one transaction: the intent of the next call, or letting go."""
        settled, target, programs = await self._observe(tx, key, target, reading, now)
        try:
            found = await self._follow(tx, claim, key, target, wanted, reading, now, settled=settled)
        except CallFailed as refused:  # of our own rules: what was read is stored all the same
            found = _Found(target, refused=refused)
        noted = None if found.then is _Then.WRITE else [program_row(row) for row in programs]
        await self._openers.refresh(tx, key, now, target=target, programs=noted)
        return found

    async def _follow(
        self,
        tx: Connection,
        claim: Claim,
        key: StoredKey,
        target: Target,
        wanted: Wanted,
        reading: KeyReading,
        now: datetime,
        *,
        settled: bool,
    ) -> "_Found":
        """Say what follows from a reading that was stored."""
        is_like = alike(reading.planned, wanted.program)
        if (key.adopted_at is None or not is_like) and await self._planner.follow(tx, key, reading, now):
            return await self._let_go(tx, claim, target, now)
        if key.adopted_at is None or not self._system.port.capabilities(key.kind).can_write:
            return await self._watch(tx, claim, key, target, reading, now)
        if key.unblock_asked_at is not None:
            return _Found(target, _Then.UNBLOCK)
        if key.blocked_at is not None and self._blocking.applies(key, reading):
            return _Found(target, _Then.BLOCK)
        why_narrow = await self._targets.narrow_only_why(tx)
        if why_narrow is not None:
            wanted = replace(wanted, at_most=narrowest(wanted.program, reading))
        left = await self._drift.leave(tx, key, wanted.program, reading) if why_narrow is None else None
        if left is not None:
            wanted = replace(wanted, at_most=left.program)
        if not alike(reading.planned, wanted.to_write):
            call = await self._intend(tx, claim, key, wanted, "write_program", now)
            return _Found(target, _Then.WRITE, call, wanted)
        idle = wanted.left_alone or _is_new_and_idle(reading, wanted) or (left is not None and left.foreign)
        given_up = await self._visits.given_up(tx, key.system_id) if reading.on_round else frozenset[str]()
        if (reading.programming_state in NOT_SENT or reading.without_visit(given_up)) and not idle:
            call = await self._intend(tx, claim, key, wanted, "order", now)
            return _Found(target, _Then.SEND, call, wanted)
        problem = _HELD_BACK if wanted.to_write != wanted.program else None
        if left is not None:
            problem = left.why
        await self._targets.note_problem(tx, key, target, problem, now)
        return await self._let_go(
            tx, claim, target, self._next_look(target, wanted, settled=settled, now=now)
        )

    @staticmethod
    async def _let_go(tx: Connection, claim: Claim, target: Target, next_at: datetime) -> "_Found":
        await release(tx, claim, next_at, 0, WorkLane.GRANT)
        return _Found(target)

    async def _read(self, claim: Claim, key: StoredKey) -> KeyReading:
        port = self._system.port
        if claim.took_over:
            await self._calls.look(claim, port.end_sessions)
            _TOOK_OVER.reach()
        if key.adopted_at is None and (wait := await self._system.budget.wait_to_read()) is not None:
            raise OutOfCalls(wait, "reading in the background has had its share")
        if claim.took_over:
            reading = await self._calls.look(claim, lambda: port.read_key(key.external_id))
        else:
            begun = self._wall.now()
            reading = await port.read_key(key.external_id)  # the lease is as new as the claim
            self.last_read = self._wall.now() - begun
        _READ.reach()
        return reading

    async def _watch(
        self, tx: Connection, claim: Claim, key: StoredKey, target: Target, reading: KeyReading, now: datetime
    ) -> "_Found":
        """Look after a key that is never written, whatever is wanted: not handed out here, or of a read-only kind."""
        problem = await waiting_why(tx, key.id)
        if key.unblock_asked_at is not None:
            if not reading.blocked:
                return _Found(target, _Then.UNBLOCKED)
            problem = "it is not written from here: take it off the block list in the vendor's own tool"
        elif key.blocked_at is not None and not reading.blocked:
            why = "never handed out through Key2XS" if key.adopted_at is None else _READ_ONLY
            problem = f"{why}, so it is not written: block it in the vendor's own tool"
        elif key.adopted_at is not None:
            problem = f"{_READ_ONLY}: change it in the vendor's own tool"
        await self._targets.note_problem(tx, key, target, problem, now)
        return await self._let_go(tx, claim, target, now + self._system.watched_reread)

    async def _plan(self, claim: Claim, now: datetime) -> tuple[StoredKey, Target, Wanted]:
        """Plan from grants that were decided on the facts of this very moment."""
        key, target, wanted = await self._database.transact(lambda tx: self._plan_once(tx, claim, now))
        if wanted.stale:
            for unit in wanted.stale:
                try:
                    await self._database.transact(lambda tx, u=unit: self._grants.evaluate(tx, u, now))  # type: ignore[misc]
                except CallFailed:
                    raise
                except Exception:  # noqa: BLE001, S110 - the evaluator reports it; its grants stay out of the plan
                    pass
            key, target, wanted = await self._database.transact(lambda tx: self._plan_once(tx, claim, now))
        return key, target, wanted

    async def _plan_once(
        self, tx: Connection, claim: Claim, now: datetime
    ) -> tuple[StoredKey, Target, Wanted]:
        key = await self._registry.get_key(tx, claim.key.id)
        target = await self._targets.ensure(tx, key, now)
        wanted = await self._wanted(tx, key, now)
        wished = await self._targets.wish(tx, key, target, wanted, now)
        if wished is not None:
            await self._openers.refresh(tx, key, now, target=wished)
        return key, wished or target, wanted

    async def _wanted(self, tx: Connection, key: StoredKey, now: datetime) -> Wanted:
        return await self._planner.plan(
            tx,
            key,
            self._system.port.capabilities,
            offline_expires_after=self._system.offline_expires_after,
            deliver_ahead=self._system.deliver_ahead,
            at=now,
        )

    async def _observe(
        self, tx: Connection, key: StoredKey, target: Target, reading: KeyReading, now: datetime
    ) -> tuple[bool, Target, list[asyncpg.Record]]:
        """Store what the reading proves; True when the key holds exactly what is wanted.

        With it come the target and the programs that may be on the key, as they are then.
        """
        agrees = (
            reading.programming_state is ProgrammingState.PROGRAMMED and reading.planned == reading.on_device
        )
        await self._drift.look(tx, key, target, reading, late=LONGEST_STALL, at=now)
        unsettled = await tx.fetchval(_SQL["note_read"], target.id, reading.as_of, now - LONGEST_STALL)
        never_used = reading.on_device is None and alike(reading.planned, target.desired)
        delivered = (agrees or never_used) and alike(reading.on_device, target.desired)
        if target.block:
            # Emptied or visited everywhere; a list that spreads by itself never says that it has arrived.
            by_visits = self._system.port.capabilities(key.kind).block_by_visits
            delivered = by_visits and (delivered or await self._visits.are_complete(tx, key.id))
        target = await self._targets.note_reading(tx, key, target, reading, delivered=delivered, at=now)
        programs = await self._targets.program_rows(tx, key.id)
        if agrees and reading.on_device is not None:
            held, at = reading.on_device, reading.as_of
            if not unsettled and await self._targets.note_proof(
                tx, key, held, rows=programs, read_at=at, at=now
            ):
                programs = await self._targets.program_rows(tx, key.id)
            return delivered, target, programs
        if reading.programming_state in {ProgrammingState.FETCHED, ProgrammingState.ON_TOKEN}:
            await self._targets.note_fetched(tx, key, now)
            programs = await self._targets.program_rows(tx, key.id)
        # What a normal key opens is in force bit by bit: a mixture of what was noted, and no plan of anybody's.
        is_mixture = bool(programs) and self._system.port.capabilities(key.kind).rights_by_visits
        for found in (None if is_mixture else reading.on_device, reading.planned):
            noted = [program_of(row["program"]) for row in programs]
            if found is not None and not any(is_same(key, found, each) for each in noted):
                # Somebody else's plan: it may reach the key like ours.
                proven = found == reading.on_device and not programs
                await self._targets.note_program(
                    tx, key, found, (), origin="found", at=reading.as_of, proven=proven
                )
                programs = await self._targets.program_rows(tx, key.id)
        return delivered, target, programs

    async def write(self, job: Job) -> None:
        """Write the program that is wanted and send it on its way."""
        call = await self._database.transact(lambda tx: self._intend_write(tx, job))
        await self._write(job, call, let_go=False)

    async def send(self, job: Job) -> None:
        """Send what is planned on its way."""
        call = await self._database.transact(
            lambda tx: self._intend(tx, job.claim, job.key, job.wanted, "order", job.now)
        )
        await self._send(job, call, let_go=False)

    async def _intend_write(self, tx: Connection, job: Job) -> UUID:
        call = await self._intend(tx, job.claim, job.key, job.wanted, "write_program", job.now)
        await self._openers.refresh(tx, job.key, job.now)
        return call

    async def _write(self, job: Job, call: UUID, *, let_go: bool) -> None:
        _INTENT.reach()
        port, name = self._system.port, job.key.external_id
        await self._calls.attempt(
            call, job.now, lambda: port.write_program(name, job.wanted.to_write, job.reading)
        )
        _WRITTEN.reach()
        order = await self._database.transact(lambda tx: self._written(tx, job, call))
        if isinstance(order, CallFailed):
            raise order
        await self._send(job, order, let_go=let_go)

    async def _written(self, tx: Connection, job: Job, call: UUID) -> UUID | CallFailed:
        """Note that the vendor has the program, and the intent of the order; why not, where it must not be sent."""
        await self._calls.succeeded(tx, call, job.now)
        try:
            return await self._intend(tx, job.claim, job.key, job.wanted, "order", job.now)
        except CallFailed as refused:
            return refused

    async def _send(self, job: Job, call: UUID, *, let_go: bool) -> None:
        _BEFORE_ORDER.reach()
        port, key = self._system.port, job.key
        avoid = frozenset[str]()
        if port.capabilities(key.kind).rights_by_visits:
            avoid = await self._database.transact(lambda tx: self._visits.given_up(tx, key.system_id))
        await self._calls.attempt(call, job.now, lambda: port.order(key.external_id, avoid=avoid))
        _ORDERED.reach()
        # After the answer: an order that was accepted later than we think would make the bound too early.
        accepted_at = self._clock.now()
        await self._database.transact(lambda tx: self._accepted(tx, job, call, accepted_at, let_go=let_go))

    async def _accepted(
        self, tx: Connection, job: Job, call: UUID, accepted_at: datetime, *, let_go: bool
    ) -> None:
        await self._calls.succeeded(tx, call, job.now)
        target = await self._targets.note_order(tx, job.key, job.target, accepted_at)
        await self._openers.refresh(tx, job.key, accepted_at, target=target)
        if let_go:
            await release(tx, job.claim, job.now + POLL, 0, WorkLane.GRANT)

    async def _intend(
        self,
        tx: Connection,
        claim: Claim,
        key: StoredKey,
        wanted: Wanted,
        operation: str,
        now: datetime,
    ) -> UUID:
        """Write the intent before the call, and before a write also that its program may be on the key from now on.

        Nothing is written that was planned on grants that ended meanwhile: reading the key took its time.
        """
        await self._calls.require(tx, claim, key)
        if (await self._wanted(tx, key, now)).program != wanted.program:
            raise PlanChanged("what the key should hold changed while it was read")
        if operation == "write_program":
            if not claim.lane.passes_brake and key.blocked_at is None:
                await self._brake.check(tx, self._system.system_id, key, wanted, now)
            await self._targets.note_program(tx, key, wanted.to_write, wanted.grants, origin="ours", at=now)
        return await self._calls.begin(tx, claim, operation, now)

    def _next_look(self, target: Target, wanted: Wanted, *, settled: bool, now: datetime) -> datetime:
        times = [now + (self._system.watched_reread if wanted.left_alone else self._system.reread)]
        if not settled:
            waiting = now - (target.accepted_at or target.asked_at)
            times.append(now + (POLL if waiting < FAST_POLLS_FOR else SLOW_POLL))
        if wanted.plan_again_at is not None:
            times.append(wanted.plan_again_at)
        return min(times)


def _soonest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _is_new_and_idle(reading: KeyReading, wanted: Wanted) -> bool:
    """Tell whether a key that was never programmed is to hold nothing: then there is nothing to send."""
    return reading.on_device is None and wanted.to_write.opens_nothing
