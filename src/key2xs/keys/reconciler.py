"""The reconciler: brings what vendors hold in line with what grants allow, one target a step.

Level-triggered: every step reads the key first, so it does not matter what a crash, a lost response or another
administrator left behind. A worker holds a lease on the target that outlives its longest call. Whoever takes a
lease over from a stalled worker ends that worker's vendor session before anything else, and reads again once no
request of it can still be under way.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from key2xs.core.clock import Clock
from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry, Unknown
from key2xs.core.ids import KeySystemId, new_id
from key2xs.core.sql import load_queries

from .openers import Openers
from .planner import Planner, Wanted
from .port import BaseChanged, KeyReading, KeySystemPort, ProgrammingState
from .program import EMPTY_PROGRAM, Program
from .registry import Registry
from .sessions import this_worker
from .targets import Targets, alike
from .types import StoredKey, Target

_SQL = load_queries("key2xs.keys")

# Longer than the longest call of a connector (90 s): a lease that ends during a call would let two workers write.
LEASE = timedelta(seconds=150)
# A request of a stalled worker can be under way no longer than this; then the key is read once more.
LONGEST_STALL = timedelta(seconds=120)
POLL = timedelta(
    seconds=20
)  # a phone acknowledges in seconds to minutes; a webhook or a visit may come any time
SLOW_POLL = timedelta(minutes=2)  # after the first minutes without acknowledgement
FAST_POLLS_FOR = timedelta(minutes=5)
REREAD = timedelta(minutes=15)  # edits made in the vendor's own tool are found at this pace at the latest
# Keys that were never handed out here are only watched: what they may open belongs into every answer, but reading
# thousands of them every few minutes would use up the vendor's patience.
WATCHED_REREAD = timedelta(hours=6)
WAIT_FOR_PERSON = timedelta(minutes=10)
FIRST_RETRY = timedelta(seconds=5)
FAILURES_SHOWN = 2  # in a row before people are told: one lost call is nothing to look at
LONGEST_RETRY = timedelta(minutes=5)

_HELD_BACK = "not given back until a person has confirmed the log (see docs/how-to/restore-a-backup.md)"

_CLAIMED = declare("keys.reconcile.after_claim")
_READ = declare("keys.reconcile.after_read")
_INTENT = declare("keys.reconcile.after_intent")
_WRITTEN = declare("keys.reconcile.after_vendor_write")
_BEFORE_ORDER = declare("keys.reconcile.before_order")
_ORDERED = declare("keys.reconcile.after_vendor_order")
_BLOCKED = declare("keys.reconcile.after_vendor_block")
_TOOK_OVER = declare("keys.takeover.after_end_sessions")


class GrantDecider(Protocol):
    """What the reconciler asks before it writes: decide grants whose facts changed."""

    async def evaluate(self, tx: Connection, subject: str, at: datetime) -> None:
        """Decide everything that one subject stands for."""
        ...


@dataclass(frozen=True, slots=True)
class Connected:
    """One key system with its connector and how long its keys may work without contact."""

    system_id: KeySystemId
    name: str
    port: KeySystemPort
    offline_expires_after: timedelta
    deliver_ahead: timedelta
    reread: timedelta = REREAD
    watched_reread: timedelta = WATCHED_REREAD


# A plan that is in none of these states is on its way or in the key.
_NOT_SENT = frozenset(
    {ProgrammingState.PLANNING, ProgrammingState.ERROR, ProgrammingState.CANCELLED, ProgrammingState.OBSOLETE}
)


class _PlanChanged(Refused):
    """What the key should hold changed while it was read; plan again, nothing was written."""


@dataclass(frozen=True, slots=True)
class _Claim:
    target_id: object
    key: StoredKey
    fence: int
    marks: int
    took_over: bool
    failures: int


class Reconciler:
    """Works on the targets of one key system."""

    def __init__(
        self,
        database: Database,
        system: Connected,
        *,
        registry: Registry,
        targets: Targets,
        planner: Planner,
        openers: Openers,
        grants: GrantDecider,
        clock: Clock,
        wall: Clock,
        worker: str | None = None,
    ) -> None:
        """Reconcile `system`; `wall` gives the real time that leases between workers need."""
        self._database, self._system = database, system
        self._registry, self._targets, self._planner, self._openers = registry, targets, planner, openers
        self._grants, self._clock, self._wall = grants, clock, wall
        self._worker = worker or this_worker()
        self.name = f"reconciler:{system.name}"

    async def step(self, now: datetime) -> datetime | None:
        """Work on the most urgent due target; `now` when there was one, else when the next is due."""
        claim = await self._database.transact(lambda tx: self._claim(tx, now))
        if claim is None:
            async with self._database.read() as tx:
                due: datetime | None = await tx.fetchval(_SQL["next_work"], self._system.system_id)
                return due
        _CLAIMED.reach()
        try:
            next_at = await self._converge(claim, now)
            failures = 0
        except CallFailed as error:
            failures = claim.failures + 1
            next_at = now + await self._failed(claim, error, now)
        await self._database.transact(lambda tx: self._release(tx, claim, next_at, failures))
        return now

    async def _claim(self, tx: Connection, now: datetime) -> _Claim | None:
        wall = self._wall.now()
        row = await tx.fetchrow(_SQL["claim_work"], self._system.system_id, now, wall)
        if row is None:
            return None
        await tx.execute(_SQL["lease_work"], row["target_id"], wall + LEASE, self._worker)
        key = await self._registry.get_key(tx, row["key_id"])
        took_over = row["leased_until"] is not None
        return _Claim(row["target_id"], key, row["fence"] + 1, row["marks"], took_over, row["failures"])

    async def _release(self, tx: Connection, claim: _Claim, next_at: datetime, failures: int) -> None:
        await tx.execute(_SQL["release_work"], claim.target_id, claim.fence, next_at, failures, claim.marks)

    async def _converge(self, claim: _Claim, now: datetime) -> datetime:
        # What is wanted is stored before the vendor is asked anything: a kill is on record though the vendor is down.
        key, target, wanted = await self._plan(claim, now)
        if claim.took_over:
            await self._system.port.end_sessions()
            _TOOK_OVER.reach()
        reading = await self._system.port.read_key(key.external_id)
        _READ.reach()
        settled = await self._observe(key, target, reading, now)
        if key.adopted_at is None:
            return await self._watch(key, target, reading, now)
        # A key whose plan is empty already is not taken on the block list; then the empty plan is what has to arrive.
        if key.blocked_at is not None and (reading.blocked or not alike(reading.planned, EMPTY_PROGRAM)):
            return await self._block(claim, key, target, reading, now)
        why_narrow = await self._database.transact(self._targets.narrow_only_why)
        if why_narrow is not None:
            wanted = replace(wanted, at_most=narrowest(wanted.program, reading))
        if not alike(reading.planned, wanted.to_write):
            await self._write(claim, key, target, wanted, reading, now)
            return now + POLL
        if reading.programming_state in _NOT_SENT and not _is_new_and_idle(reading, wanted):
            await self._order(claim, key, target, wanted, now)
            return now + POLL
        problem = _HELD_BACK if wanted.to_write != wanted.program else None
        await self._database.transact(lambda tx: self._targets.note_problem(tx, key, target, problem, now))
        return self._next_look(target, wanted, settled=settled, now=now)

    async def _watch(self, key: StoredKey, target: Target, reading: KeyReading, now: datetime) -> datetime:
        """Look after a key that was never handed out through Key2XS: it is never written, whatever is wanted."""
        problem = None
        if key.blocked_at is not None and not reading.blocked:
            problem = (
                "never handed out through Key2XS, so it is not written: block it in the vendor's own tool"
            )
        await self._database.transact(lambda tx: self._targets.note_problem(tx, key, target, problem, now))
        return now + self._system.watched_reread

    async def _plan(self, claim: _Claim, now: datetime) -> tuple[StoredKey, Target, Wanted]:
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
        self, tx: Connection, claim: _Claim, now: datetime
    ) -> tuple[StoredKey, Target, Wanted]:
        key = await self._registry.get_key(tx, claim.key.id)
        target = await self._targets.ensure(tx, key, now)
        wanted = await self._wanted(tx, key, now)
        if await self._targets.wish(tx, key, target, wanted, now):
            await self._openers.refresh(tx, key, now)
            target = await self._targets.ensure(tx, key, now)
        return key, target, wanted

    async def _wanted(self, tx: Connection, key: StoredKey, now: datetime) -> Wanted:
        return await self._planner.plan(
            tx,
            key,
            self._system.port.capabilities(key.kind),
            offline_expires_after=self._system.offline_expires_after,
            deliver_ahead=self._system.deliver_ahead,
            at=now,
        )

    async def _observe(self, key: StoredKey, target: Target, reading: KeyReading, now: datetime) -> bool:
        """Store what the reading proves; True when the key holds exactly what is wanted."""
        agrees = (
            reading.programming_state is ProgrammingState.PROGRAMMED and reading.planned == reading.on_device
        )
        return await self._database.transact(
            lambda tx: self._observe_in(tx, key, target, reading, agrees=agrees, now=now)
        )

    async def _observe_in(
        self,
        tx: Connection,
        key: StoredKey,
        target: Target,
        reading: KeyReading,
        *,
        agrees: bool,
        now: datetime,
    ) -> bool:
        await tx.execute(_SQL["note_read"], target.id, reading.as_of)
        never_used = reading.on_device is None and alike(reading.planned, target.desired)
        delivered = (agrees or never_used) and alike(reading.on_device, target.desired) and not target.block
        await self._targets.note_reading(tx, key, target, reading, delivered=delivered, at=now)
        programs = await self._targets.programs(tx, key.id)
        if agrees and reading.on_device is not None:
            if not await tx.fetchval(_SQL["unsettled_calls"], target.id, now - LONGEST_STALL):
                await self._targets.note_proof(tx, key, reading.on_device, read_at=reading.as_of, at=now)
        else:
            if reading.programming_state in {ProgrammingState.FETCHED, ProgrammingState.ON_TOKEN}:
                await self._targets.note_fetched(tx, key, now)
            for found in (reading.on_device, reading.planned):
                if found is not None and not any(alike(found, noted.program) for noted in programs):
                    # Somebody else's plan: it may reach the key like ours.
                    proven = found == reading.on_device and not programs
                    await self._targets.note_program(
                        tx, key, found, (), origin="found", at=reading.as_of, proven=proven
                    )
                    programs = await self._targets.programs(tx, key.id)
        await self._openers.refresh(tx, key, now)
        return delivered

    async def _write(
        self,
        claim: _Claim,
        key: StoredKey,
        target: Target,
        wanted: Wanted,
        reading: KeyReading,
        now: datetime,
    ) -> None:
        port = self._system.port
        call = await self._database.transact(
            lambda tx: self._intend(tx, claim, key, target, wanted, "write_program", now)
        )
        _INTENT.reach()
        await self._call(call, now, lambda: port.write_program(key.external_id, wanted.to_write, reading))
        _WRITTEN.reach()
        await self._order(claim, key, target, wanted, now)

    async def _order(
        self, claim: _Claim, key: StoredKey, target: Target, wanted: Wanted, now: datetime
    ) -> None:
        call = await self._database.transact(
            lambda tx: self._intend(tx, claim, key, target, wanted, "order", now)
        )
        _BEFORE_ORDER.reach()
        await self._call(call, now, lambda: self._system.port.order(key.external_id))
        _ORDERED.reach()
        # After the answer: an order that was accepted later than we think would make the bound too early.
        accepted_at = self._clock.now()
        await self._database.transact(lambda tx: self._accepted(tx, key, target, accepted_at))

    async def _block(
        self, claim: _Claim, key: StoredKey, target: Target, reading: KeyReading, now: datetime
    ) -> datetime:
        if not reading.blocked:
            call = await self._database.transact(
                lambda tx: self._intend(tx, claim, key, target, None, "block", now)
            )
            await self._call(call, now, lambda: self._system.port.block(key.external_id))
            _BLOCKED.reach()
        if target.accepted_at is None:
            call = await self._database.transact(
                lambda tx: self._intend(tx, claim, key, target, None, "order_block_list", now)
            )
            await self._call(call, now, self._system.port.order_block_list)
            await self._database.transact(lambda tx: self._targets.note_block_order(tx, key, target, now))
        await self._database.transact(lambda tx: self._targets.note_problem(tx, key, target, None, now))
        return now + self._system.reread

    async def _accepted(self, tx: Connection, key: StoredKey, target: Target, now: datetime) -> None:
        await self._targets.note_order(tx, key, target, now)
        await self._openers.refresh(tx, key, now)

    async def _intend(
        self,
        tx: Connection,
        claim: _Claim,
        key: StoredKey,
        target: Target,
        wanted: Wanted | None,
        operation: str,
        now: datetime,
    ) -> object:
        """Write the intent before the call, and before a write also that its program may be on the key from now on.

        Nothing is written that was planned on grants that ended meanwhile: reading the key took its time.
        """
        fence = await tx.fetchval(_SQL["check_fence"], claim.target_id, claim.fence)
        if fence is None:
            raise Retry(FIRST_RETRY, "another worker took this target over")
        if wanted is not None and (await self._wanted(tx, key, now)).program != wanted.program:
            raise _PlanChanged("what the key should hold changed while it was read")
        if wanted is not None and operation == "write_program":
            await self._targets.note_program(tx, key, wanted.to_write, wanted.grants, origin="ours", at=now)
            await self._openers.refresh(tx, key, now)
        call = new_id()
        await tx.execute(_SQL["insert_call"], call, target.id, claim.fence, operation, now)
        return call

    async def _call(self, call: object, now: datetime, act) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        try:
            await act()
        except Unknown:
            # The call stays open: until a later reading settles it, its program may still arrive.
            raise
        except CallFailed as error:
            await self._finish(call, now, type(error).__name__.lower())
            raise
        await self._finish(call, now, "ok")

    async def _finish(self, call: object, now: datetime, outcome: str) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(_SQL["finish_call"], call, now, outcome)

    async def _failed(self, claim: _Claim, error: CallFailed, now: datetime) -> timedelta:
        """Say how long to wait, and show the trouble where a person must act or it lasts."""
        if isinstance(error, BaseChanged | _PlanChanged):
            return timedelta(0)
        if isinstance(error, Retry):
            if claim.failures >= FAILURES_SHOWN:
                await self._database.transact(lambda tx: self._stick(tx, claim, str(error), now))
            backed_off: timedelta = min(LONGEST_RETRY, FIRST_RETRY * int(2 ** min(claim.failures, 6)))
            return max(error.after, backed_off)
        if isinstance(error, Unknown):
            return FIRST_RETRY
        if isinstance(error, NeedsPerson | Refused):
            await self._database.transact(lambda tx: self._stick(tx, claim, str(error), now))
        return WAIT_FOR_PERSON

    async def _stick(self, tx: Connection, claim: _Claim, problem: str, now: datetime) -> None:
        key = await self._registry.get_key(tx, claim.key.id)
        target = await self._targets.ensure(tx, key, now)
        await self._targets.note_problem(tx, key, target, problem, now)

    def _next_look(self, target: Target, wanted: Wanted, *, settled: bool, now: datetime) -> datetime:
        times = [now + self._system.reread]
        if not settled:
            waiting = now - (target.accepted_at or target.asked_at)
            times.append(now + (POLL if waiting < FAST_POLLS_FOR else SLOW_POLL))
        if wanted.plan_again_at is not None:
            times.append(wanted.plan_again_at)
        return min(times)


def _is_new_and_idle(reading: KeyReading, wanted: Wanted) -> bool:
    """Tell whether a key that was never programmed is to hold nothing: then there is nothing to send."""
    return reading.on_device is None and wanted.to_write.opens_nothing


def narrowest(wanted: Program, reading: KeyReading) -> Program:
    """Return what may be written while nothing may widen: no more than plan and device hold already.

    A restored database may want back what was taken away after its backup. Where the vendor's plan is narrower than
    the wish it stays; where the two cannot be compared, nothing is left of either.
    """
    planned, held = reading.planned or EMPTY_PROGRAM, reading.on_device or EMPTY_PROGRAM
    if wanted.within(planned) and wanted.within(held):
        return wanted
    return planned if planned.within(wanted) and planned.within(held) else EMPTY_PROGRAM
