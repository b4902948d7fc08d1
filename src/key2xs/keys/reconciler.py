"""The reconciler: brings what vendors hold in line with what grants allow, one target a step.

Level-triggered: every step reads the key first, so it does not matter what a crash, a lost response or another
administrator left behind. A worker holds a lease on the target that outlives its longest call. Whoever takes a
lease over from a stalled worker ends that worker's vendor session before anything else, and reads again once no
request of it can still be under way.
"""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from key2xs.core.clock import Clock
from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed
from key2xs.core.sql import load_queries

from .adoption.adopting import waiting_why
from .block_visits import BlockVisits
from .blocking import NOT_SENT, Blocking
from .brake import Brake, NoBrake
from .calls import Calls, Claim, PlanChanged
from .connected import Connected
from .custody import Custody
from .lanes import WorkLane
from .narrowing import narrowest
from .openers import Openers
from .planner import Planner, Wanted
from .port import KeyReading, ProgrammingState
from .registry import Registry
from .sessions import this_worker
from .setbacks import Setbacks, release
from .targets import Targets, alike
from .types import StoredKey, Target
from .unblocking import Unblocking

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


class Reconciler:
    """Works on the targets of one key system."""

    # It follows the reader that marks targets; of these, targets are made due by whoever writes the entry.
    heeds: Final = (
        "incidents:",
        "keys:adoption",
        "keys:block",
        "keys:brake",
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
    ) -> None:
        """Reconcile `system`; `wall` gives the real time that leases between workers need."""
        self._database, self._system = database, system
        self._registry, self._targets, self._planner, self._openers = registry, targets, planner, openers
        self._visits, self._grants, self._clock, self._wall = visits, grants, clock, wall
        self._calls, self._brake = Calls(database), brake or NoBrake()
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
        self._setbacks = Setbacks(database, registry, targets, system.name)

    @property
    def problem(self) -> str | None:
        """Why the key system is asked only now and then, while it is."""
        return self._setbacks.problem

    async def step(self, now: datetime) -> datetime | None:
        """Work on the most urgent due target; `now` when there was one, else when the next is due."""
        pause = self._setbacks.wait_until(now)
        self.idle = pause is not None
        if pause is not None:
            return pause
        claim = await self._database.transact(lambda tx: self._claim(tx, now))
        self.idle = claim is None
        if claim is None:
            async with self._database.read() as tx:
                due: datetime | None = await tx.fetchval(_SQL["next_work"], self._system.system_id)
                return due
        _CLAIMED.reach()
        try:
            next_at = await self._converge(claim, now)
            failures, lane = 0, WorkLane.GRANT
            self._setbacks.answered()
        except CallFailed as error:
            failures, lane = claim.failures + 1, claim.lane  # what took away still comes first
            next_at = now + await self._setbacks.call_failed(claim, error, now)
        except Exception as error:
            await self._setbacks.broke_off(claim, error, now)
            raise
        await self._database.transact(lambda tx: release(tx, claim, next_at, failures, lane))
        return now

    async def _claim(self, tx: Connection, now: datetime) -> Claim | None:
        wall = self._wall.now()
        row = await tx.fetchrow(_SQL["claim_work"], self._system.system_id, now, wall, self._worker)
        if row is None:
            return None
        await tx.execute(_SQL["lease_work"], row["target_id"], wall + LEASE, self._worker)
        key = await self._registry.get_key(tx, row["key_id"])
        took_over = row["leased_until"] is not None
        return Claim(
            row["target_id"],
            key,
            row["fence"] + 1,
            row["marks"],
            took_over,
            row["failures"],
            WorkLane(row["lane"]),
        )

    async def _converge(self, claim: Claim, now: datetime) -> datetime:
        # What is wanted is stored before the vendor is asked anything: a kill is on record though the vendor is down.
        key, target, wanted = await self._plan(claim, now)
        if claim.took_over:
            await self._system.port.end_sessions()
            _TOOK_OVER.reach()
        reading = await self._system.port.read_key(key.external_id)
        _READ.reach()
        settled = await self._observe(key, target, reading, now)
        if key.adopted_at is None or not alike(reading.planned, wanted.program):
            changed = await self._database.transact(lambda tx: self._planner.follow(tx, key, reading, now))
            if changed:
                return now
        if key.adopted_at is None or not self._system.port.capabilities(key.kind).can_write:
            return await self._watch(key, target, reading, now)
        if key.unblock_asked_at is not None:
            return await self._unblocking.step(claim, key, target, wanted, reading, now)
        if key.blocked_at is not None and self._blocking.applies(key, reading):
            return await self._blocking.step(claim, key, target, wanted, reading, now)
        why_narrow = await self._database.transact(self._targets.narrow_only_why)
        if why_narrow is not None:
            wanted = replace(wanted, at_most=narrowest(wanted.program, reading))
        if not alike(reading.planned, wanted.to_write):
            await self.write(claim, key, target, wanted, reading, now)
            return now + POLL
        idle = wanted.left_alone or _is_new_and_idle(reading, wanted)
        if reading.programming_state in NOT_SENT and not idle:
            await self.send(claim, key, target, wanted, now)
            return now + POLL
        problem = _HELD_BACK if wanted.to_write != wanted.program else None
        await self._database.transact(lambda tx: self._targets.note_problem(tx, key, target, problem, now))
        return self._next_look(target, wanted, settled=settled, now=now)

    async def _watch(self, key: StoredKey, target: Target, reading: KeyReading, now: datetime) -> datetime:
        """Look after a key that is never written, whatever is wanted: not handed out here, or of a read-only kind."""
        problem = await self._database.transact(lambda tx: waiting_why(tx, key.id))
        if key.unblock_asked_at is not None:
            if not reading.blocked:
                return await self._unblocking.finish(key, now)
            problem = "it is not written from here: take it off the block list in the vendor's own tool"
        elif key.blocked_at is not None and not reading.blocked:
            why = "never handed out through Key2XS" if key.adopted_at is None else _READ_ONLY
            problem = f"{why}, so it is not written: block it in the vendor's own tool"
        elif key.adopted_at is not None:
            problem = f"{_READ_ONLY}: change it in the vendor's own tool"
        await self._database.transact(lambda tx: self._targets.note_problem(tx, key, target, problem, now))
        return now + self._system.watched_reread

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
        delivered = (agrees or never_used) and alike(reading.on_device, target.desired)
        if target.block:
            # Emptied or visited everywhere; a list that spreads by itself never says that it has arrived.
            by_visits = self._system.port.capabilities(key.kind).block_by_visits
            delivered = by_visits and (delivered or await self._visits.are_complete(tx, key.id))
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

    async def write(
        self,
        claim: Claim,
        key: StoredKey,
        target: Target,
        wanted: Wanted,
        reading: KeyReading,
        now: datetime,
    ) -> None:
        """Write the program that is wanted and send it on its way."""
        port = self._system.port
        call = await self._database.transact(
            lambda tx: self._intend(tx, claim, key, wanted, "write_program", now)
        )
        _INTENT.reach()
        await self._calls.make(
            call, now, lambda: port.write_program(key.external_id, wanted.to_write, reading)
        )
        _WRITTEN.reach()
        await self.send(claim, key, target, wanted, now)

    async def send(self, claim: Claim, key: StoredKey, target: Target, wanted: Wanted, now: datetime) -> None:
        """Send what is planned on its way."""
        call = await self._database.transact(lambda tx: self._intend(tx, claim, key, wanted, "order", now))
        _BEFORE_ORDER.reach()
        await self._calls.make(call, now, lambda: self._system.port.order(key.external_id))
        _ORDERED.reach()
        # After the answer: an order that was accepted later than we think would make the bound too early.
        accepted_at = self._clock.now()
        await self._database.transact(lambda tx: self._accepted(tx, key, target, accepted_at))

    async def _accepted(self, tx: Connection, key: StoredKey, target: Target, now: datetime) -> None:
        await self._targets.note_order(tx, key, target, now)
        await self._openers.refresh(tx, key, now)

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
        await self._calls.require_mine(tx, claim)
        if (await self._wanted(tx, key, now)).program != wanted.program:
            raise PlanChanged("what the key should hold changed while it was read")
        if operation == "write_program":
            if not claim.lane.passes_brake and key.blocked_at is None:
                await self._brake.check(tx, self._system.system_id, key, wanted, now)
            await self._targets.note_program(tx, key, wanted.to_write, wanted.grants, origin="ours", at=now)
            await self._openers.refresh(tx, key, now)
        return await self._calls.intend(tx, claim, operation, now)

    def _next_look(self, target: Target, wanted: Wanted, *, settled: bool, now: datetime) -> datetime:
        times = [now + (self._system.watched_reread if wanted.left_alone else self._system.reread)]
        if not settled:
            waiting = now - (target.accepted_at or target.asked_at)
            times.append(now + (POLL if waiting < FAST_POLLS_FOR else SLOW_POLL))
        if wanted.plan_again_at is not None:
            times.append(wanted.plan_again_at)
        return min(times)


def _is_new_and_idle(reading: KeyReading, wanted: Wanted) -> bool:
    """Tell whether a key that was never programmed is to hold nothing: then there is nothing to send."""
    return reading.on_device is None and wanted.to_write.opens_nothing
