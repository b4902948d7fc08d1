"""CLIQ devices on the site, and what people do with them: hold keys to updaters and cylinders, carry programming keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from key2xs_twin.cliq.decision import decide, has_lapsed
from key2xs_twin.cliq.inventory import CliqKeyKind, UpdaterKind
from key2xs_twin.cliq.lists import CylinderList
from key2xs_twin.cliq.state import Report
from key2xs_twin.cliq.things import (
    CliqKeyDevice,
    CliqReason,
    CylinderDevice,
    EventKind,
    LoadedTask,
    MemoryRow,
    ProgrammingKeyDevice,
    ReadRow,
    UpdaterDevice,
)
from key2xs_twin.time import DeviceClock, drift_from_seconds_per_day

if TYPE_CHECKING:
    from uuid import UUID

    from key2xs_twin.cliq.inventory import CliqKeySpec, CylinderSpec, ProgrammingKeySpec, UpdaterSpec
    from key2xs_twin.cliq.plan import KeyPlan
    from key2xs_twin.cliq.server import CliqServer
    from key2xs_twin.cliq.state import CliqKeyRecord
    from key2xs_twin.physics import Physics
    from key2xs_twin.rng import Randomness

NOTED_CLOCK_ERROR = timedelta(minutes=1)  # a smaller correction is no event
BLOCK_LIST_EVERY = timedelta(
    hours=1
)  # CLIQ Software FAQ: the server issues the block list of updaters hourly


class CliqField:
    """Every CLIQ thing that can be touched. Ids tell keys, cylinders, updaters and programming keys apart."""

    def __init__(self, server: CliqServer, physics: Physics, rng: Randomness) -> None:
        self.server = server
        self.physics = physics
        self._rng = rng
        self.keys: dict[UUID, CliqKeyDevice] = {}
        self.cylinders: dict[UUID, CylinderDevice] = {}
        self.updaters: dict[UUID, UpdaterDevice] = {}
        self.programming_keys: dict[UUID, ProgrammingKeyDevice] = {}

    @property
    def _now(self) -> datetime:
        return self.server.time.now

    # --- things appear (called by the server when it is filled) --------------------------------------

    def add_cylinder(self, spec: CylinderSpec) -> None:
        """Install a cylinder, programmed as planned."""
        self.cylinders[spec.cylinder_id] = CylinderDevice(
            cylinder_id=spec.cylinder_id,
            marking=spec.marking,
            number=len(self.cylinders) + 1,
            group_ids=self.server.state.groups_of.get(spec.cylinder_id, frozenset()),
            entries=CylinderList(spec.normal_key_ids, spec.key_group_ids),
            online_opening=spec.online_opening,
        )

    def add_key(self, spec: CliqKeySpec, record: CliqKeyRecord) -> None:
        """Make a key: blank, or carrying its plan if it was delivered programmed."""
        drift, off = self.physics.drift_s_per_day, self.physics.cliq_offset_s
        habit = timedelta(seconds=self._rng.between(-off, off, "cliq clock", "offset", spec.key_id))
        drift = self._rng.between(-drift, drift, "cliq clock", "drift", spec.key_id)
        key = CliqKeyDevice(
            key_id=spec.key_id,
            kind=spec.kind,
            serial=spec.serial,
            number=record.number,
            clock=DeviceClock(self._now, habit, drift_from_seconds_per_day(drift)),
            habit=habit,
            revalidated_at=self._now,
            online_update_at=self._now,
            phone_id=spec.phone_id,
            key_group_ids=self.server.state.key_groups_of(spec.key_id),
        )
        if spec.programmed and spec.plan is not None:
            key.program, key.revision = spec.plan, record.revision
        self.keys[spec.key_id] = key

    def add_updater(self, spec: UpdaterSpec) -> None:
        """Hang up an updater."""
        updater = UpdaterDevice(updater_id=spec.updater_id, kind=spec.kind, place=spec.place)
        self.updaters[spec.updater_id] = updater
        if not spec.network_up:
            self.cut_network(spec.updater_id)

    def add_programming_key(self, spec: ProgrammingKeySpec) -> None:
        """Make a programming key, with nothing to do."""
        self.programming_keys[spec.programming_key_id] = ProgrammingKeyDevice(
            programming_key_id=spec.programming_key_id,
            serial=spec.serial,
            number=len(self.programming_keys) + 1,
        )

    # --- a key at a cylinder -------------------------------------------------------------------------

    def present(self, key_id: UUID, cylinder_id: UUID) -> tuple[CliqReason, MemoryRow]:
        """Put a key into a cylinder: the decision, and the row that both write."""
        key, cylinder, now = self.keys[key_id], self.cylinders[cylinder_id], self._now
        reason = self._decide(key, cylinder, now)
        if reason is not CliqReason.LOW_BATTERY:  # a dead key cannot even power the cylinder
            self._write(cylinder, key, reason, now)
        row = self._remember(key, _kind(reason), now, reason=reason, cylinder_id=cylinder_id)
        if reason in {CliqReason.OK, CliqReason.SERVER_REFUSED} and self._asks(key, cylinder):
            self._upload(key)  # the phone is on the line anyway
        return reason, row

    def _decide(self, key: CliqKeyDevice, cylinder: CylinderDevice, at: datetime) -> CliqReason:
        return decide(
            key,
            cylinder,
            at,
            zone=self.server.zone,
            physics=self.physics,
            reachable=self.reaches_server(key),
            ask_server=self.server.permits,
        )

    def reaches_server(self, key: CliqKeyDevice) -> bool:
        """Whether a Connect key has its phone with network beside it."""
        if key.kind is not CliqKeyKind.CONNECT or key.phone_id is None:
            return False
        return self.updaters[key.phone_id].network_up

    def _asks(self, key: CliqKeyDevice, cylinder: CylinderDevice) -> bool:
        asks = cylinder.online_opening or (key.program is not None and key.program.online_opening)
        return asks and self.reaches_server(key)

    def present_foreign(self, serial: str, cylinder_id: UUID) -> MemoryRow:
        """A key of another locking system is tried; the cylinder keeps the last hundred of those."""
        cylinder = self.cylinders[cylinder_id]
        cylinder.counter += 1
        row = MemoryRow(
            event_id=self._rng.uuid("cliq event", "cylinder", cylinder.number, cylinder.counter),
            kind=EventKind.REFUSED,
            happened_at=self._now,
            recorded_at=None,
            reason=CliqReason.FOREIGN,
            cylinder_id=cylinder_id,
            foreign_key=serial,
        )
        cylinder.foreign_rows.append(row)
        return row

    def _write(self, cylinder: CylinderDevice, key: CliqKeyDevice, reason: CliqReason, now: datetime) -> None:
        cylinder.counter += 1
        cylinder.own_rows.append(
            MemoryRow(
                event_id=self._rng.uuid("cliq event", "cylinder", cylinder.number, cylinder.counter),
                kind=_kind(reason),
                happened_at=now,
                recorded_at=key.shown(now),
                reason=reason,
                cylinder_id=cylinder.cylinder_id,
                key_id=key.key_id,
            )
        )

    def _remember(
        self,
        key: CliqKeyDevice,
        kind: EventKind,
        now: datetime,
        *,
        reason: CliqReason | None = None,
        cylinder_id: UUID | None = None,
    ) -> MemoryRow:
        key.counter += 1
        row = MemoryRow(
            event_id=self._rng.uuid("cliq event", "key", key.number, key.counter),
            kind=kind,
            happened_at=now,
            recorded_at=key.shown(now),
            reason=reason,
            cylinder_id=cylinder_id,
            key_id=key.key_id,
        )
        key.memory.append(row)
        return row

    def _upload(self, key: CliqKeyDevice) -> None:
        for row in key.memory:
            self.server.receive_row(row, read_at=self._now, source="key")
        key.memory.clear()

    # --- a key at an updater -------------------------------------------------------------------------

    def update(
        self, key_id: UUID, updater_id: UUID, *, pulled_early: bool = False, ack_lost: bool = False
    ) -> bool:
        """Present a key at an updater; whether the key is revalidated afterwards.

        Args:
            key_id: the key.
            updater_id: the updater.
            pulled_early: taken out before anything was written.
            ack_lost: what waits gets into the key, but the server does not hear of it before the next time.

        """
        key, updater = self.keys[key_id], self.updaters[updater_id]
        fits = updater.kind is not UpdaterKind.PHONE or key.kind is CliqKeyKind.CONNECT
        if not fits or key.battery_low:
            return False
        if not updater.network_up:
            return not pulled_early and self._prolong(key, updater)
        if self.server.state.keys[key_id].retired:
            return False
        if pulled_early:
            self.server.update_failed(key_id)
            return False
        self._online_update(key, updater, ack_lost=ack_lost)
        return True

    def _online_update(self, key: CliqKeyDevice, updater: UpdaterDevice, *, ack_lost: bool) -> None:
        now = self._now
        if key.unacknowledged is not None and key.program is not None:
            self._acknowledge(key, key.unacknowledged, key.program)
        self.server.key_contacted(key.key_id, updater.updater_id)
        waiting = self.server.waiting_plan(key.key_id)
        self._set_clock(key, now)
        if waiting is not None:
            self.server.plan_taken(key.key_id, updater.updater_id)
            key.program, key.revision = waiting.plan, waiting.revision
            key.unacknowledged = waiting.revision
        key.revalidated_at = key.online_update_at = now
        key.offline_updates = 0
        self._remember(key, EventKind.KEY_UPDATED, now)
        self._upload(key)
        if waiting is not None and not ack_lost:
            self._acknowledge(key, waiting.revision, waiting.plan)

    def _acknowledge(self, key: CliqKeyDevice, revision: int, program: KeyPlan) -> None:
        self.server.acknowledge(key.key_id, revision, program)
        key.unacknowledged = None

    def _set_clock(self, key: CliqKeyDevice, now: datetime) -> None:
        if key.time_lost or abs(key.clock.reading(now) - now) >= NOTED_CLOCK_ERROR:
            self._remember(key, EventKind.CLOCK_SET, now)  # with the time that the clock showed before
        key.clock.correct(now)
        key.clock.offset = key.habit
        key.time_lost = False

    def _prolong(self, key: CliqKeyDevice, updater: UpdaterDevice) -> bool:
        """The offline update: more time for the same program, as far as the settings allow."""
        rules, now = self.server.settings.offline_updates, self._now
        if key.offline_updates >= rules.count or key.program is None:
            return False
        if rules.gap is not None and now - key.online_update_at > rules.gap:
            return False
        if key.key_id in updater.block_list:
            return False
        if has_lapsed(key, key.program, now) and not self.physics.lapsed_revives_offline:
            return False
        issued_at = updater.block_list_at if updater.block_list_at is not None else now
        stale = rules.block_list is not None and now - issued_at > rules.block_list
        if stale and self.physics.stale_block_list_stops_offline:
            return False
        key.revalidated_at = now
        key.offline_updates += 1
        updater.unreported.append((key.key_id, now))
        self._remember(key, EventKind.KEY_UPDATED_OFFLINE, now)
        return True

    def cut_network(self, updater_id: UUID) -> None:
        """An updater (a Connect key's phone is one) loses its network; it keeps the block list of the last hour."""
        updater, now = self.updaters[updater_id], self._now
        if not updater.network_up:
            return
        updater.network_up, updater.cut_at = False, now
        issued_at = now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % BLOCK_LIST_EVERY
        updater.block_list_at = issued_at
        updater.block_list = frozenset(
            record.key_id
            for record in self.server.state.keys.values()
            if record.reported is Report.LOST
            and record.reported_at is not None
            and record.reported_at <= issued_at
        )
        self.server.updater_seen(updater_id, online=False)

    def restore_network(self, updater_id: UUID) -> None:
        """The network is back: the updater tells what it did alone."""
        updater = self.updaters[updater_id]
        if updater.network_up:
            return
        updater.network_up, updater.cut_at = True, None
        updater.block_list, updater.block_list_at = frozenset(), None
        self.server.updater_seen(updater_id, online=True)
        for key_id, at in updater.unreported:
            self.server.offline_update_told(key_id, at)
        updater.unreported.clear()

    def updater_of(self, thing_id: UUID) -> UUID | None:
        """The updater itself, or the phone of a Connect key; ``None`` for what is no CLIQ thing."""
        if thing_id in self.updaters:
            return thing_id
        key = self.keys.get(thing_id)
        if key is None:
            return None
        if key.phone_id is None:
            raise ValueError("this CLIQ key has no phone: use an updater")
        return key.phone_id

    # --- programming keys ----------------------------------------------------------------------------

    def load(self, programming_key_id: UUID, updater_id: UUID) -> int:
        """Present a programming key at an updater with network; how many tasks it takes along."""
        carrier, updater = self.programming_keys[programming_key_id], self.updaters[updater_id]
        if not updater.network_up or updater.kind is UpdaterKind.PHONE:
            return 0
        tasks = self.server.programming_key_loads(programming_key_id, updater_id)
        carrier.tasks.extend(tasks)
        return len(tasks)

    def insert(self, programming_key_id: UUID, cylinder_id: UUID, *, pulled_early: bool = False) -> bool:
        """Put a programming key into a cylinder: its tasks there, and the cylinder's memory read.

        Pulled early, the tasks there have failed and nothing was read.
        """
        carrier, cylinder = self.programming_keys[programming_key_id], self.cylinders[cylinder_id]
        here = [task for task in carrier.tasks if task.cylinder_id == cylinder_id and task.done is None]
        for task in here:
            task.done = not pulled_early and self._carry_out(cylinder, task)
            task.done_at, task.torn = self._now, pulled_early
        if pulled_early:
            return False
        if any(task.done and task.kind == "reprogram" for task in here):
            kinds = [
                EventKind.CYLINDER_REPROGRAMMED
            ]  # what the cylinder had noted is gone, and nothing was read
        else:
            for row in (*cylinder.own_rows, *cylinder.foreign_rows):
                carrier.rows.setdefault(str(row.event_id), ReadRow(row=row, read_at=self._now))
            kinds = [EventKind.LIST_READ]
        if any(task.done for task in here):
            kinds.append(EventKind.CYLINDER_PROGRAMMED)
        for kind in kinds:
            self._note(carrier, kind, cylinder_id)
        return all(task.done for task in here)

    def _carry_out(self, cylinder: CylinderDevice, task: LoadedTask) -> bool:
        if task.content is not None:
            cylinder.entries = task.content.entries
            if task.kind == "reprogram":
                cylinder.group_ids, cylinder.blocked = task.content.group_ids, set(task.content.blocked)
                cylinder.own_rows.clear()
                cylinder.foreign_rows.clear()
            return True
        if task.key_id is None:
            return False
        if task.kind == "unblock":
            cylinder.blocked.discard(task.key_id)
            return True
        full = len(cylinder.blocked) >= self.server.settings.block_capacity
        if full and task.key_id not in cylinder.blocked:
            return False
        cylinder.blocked.add(task.key_id)
        return True

    def _note(self, carrier: ProgrammingKeyDevice, kind: EventKind, cylinder_id: UUID) -> None:
        carrier.counter += 1
        row = MemoryRow(
            event_id=self._rng.uuid("cliq event", "programming key", carrier.number, carrier.counter),
            kind=kind,
            happened_at=self._now,
            recorded_at=self._now,
            cylinder_id=cylinder_id,
        )
        carrier.rows[str(row.event_id)] = ReadRow(row=row, read_at=self._now)

    def give_back(self, programming_key_id: UUID, updater_id: UUID) -> bool:
        """Present a programming key at an updater after its round: only now does the server learn anything."""
        carrier, updater = self.programming_keys[programming_key_id], self.updaters[updater_id]
        if not updater.network_up or updater.kind is UpdaterKind.PHONE:
            return False
        tried = [task for task in carrier.tasks if task.done is not None]
        self.server.programming_key_returns(programming_key_id, updater_id, tried, carrier.rows.values())
        carrier.tasks = [task for task in carrier.tasks if task.done is None]
        carrier.rows = {}
        return True

    def program_cylinder(self, cylinder_id: UUID) -> None:
        """The vendor's administrator visits a cylinder with his own programming key: planned groups and entries go in."""
        cylinder = self.cylinders[cylinder_id]
        cylinder.group_ids = self.server.state.groups_of.get(cylinder_id, frozenset())
        cylinder.entries = self.server.state.cylinders[cylinder_id].planned
        self.server.cylinder_programmed(cylinder_id)
        for row in (*cylinder.own_rows, *cylinder.foreign_rows):
            self.server.receive_row(row, read_at=self._now, source="cylinder")


def _kind(reason: CliqReason) -> EventKind:
    return EventKind.OPENED if reason is CliqReason.OK else EventKind.REFUSED
