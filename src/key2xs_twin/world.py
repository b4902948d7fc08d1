"""The world: true time, things, people, and the acts that move them.

Every act happens at the present instant; :meth:`World.advance_to` is the only way forward. Two worlds with
the same seed, the same contents and the same acts are equal byte for byte (:meth:`World.digest`).
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from key2xs_twin.cliq.acts import CliqActs
from key2xs_twin.cliq.field import CliqField
from key2xs_twin.cliq.inventory import CliqSite
from key2xs_twin.cliq.out_of_band import CliqOutOfBand
from key2xs_twin.cliq.server import CliqServer
from key2xs_twin.cliq.things import CliqReason
from key2xs_twin.devices import meeting
from key2xs_twin.devices.decision import decide
from key2xs_twin.devices.kinds import KeyKind
from key2xs_twin.devices.program import newer
from key2xs_twin.devices.things import AuditRow, CarriedRow, KeyDevice, LockDevice, Opening, Reason
from key2xs_twin.faults import FaultPlan
from key2xs_twin.iloq.inventory import IloqSite
from key2xs_twin.iloq.server import IloqServer
from key2xs_twin.oracle import Oracle
from key2xs_twin.out_of_band import OutOfBand
from key2xs_twin.physics import Physics
from key2xs_twin.rng import Randomness
from key2xs_twin.snapshot import digest, snapshot
from key2xs_twin.time import DeviceClock, Scheduled, TwinTime, drift_from_seconds_per_day

if TYPE_CHECKING:
    from key2xs_twin.cliq.settings import CliqSettings
    from key2xs_twin.iloq.inventory import KeySpec, LockSpec
    from key2xs_twin.iloq.settings import IloqSettings
    from key2xs_twin.iloq.state import KeyRecord

_OPENS = frozenset({Reason.OK, Reason.UNKNOWN_KEY, Reason.MECHANICAL, CliqReason.OK})


class World(CliqActs):
    """One simulated site with one iLOQ and one CLIQ locking system.

    Keys and locks of both are named by ids, so the acts are the same for both.

    Args:
        seed: all chance comes from it.
        start: true time at the beginning (aware).
        physics: which of the doubtful physical truths hold.
        site: iLOQ account and contents; without it an empty locking system with the default account.
        settings: how the iLOQ server behaves.
        cliq: CLIQ account and contents; without it an empty locking system.
        cliq_settings: how the CLIQ server behaves.

    """

    def __init__(
        self,
        seed: int,
        start: datetime,
        *,
        physics: Physics | None = None,
        site: IloqSite | None = None,
        settings: IloqSettings | None = None,
        cliq: CliqSite | None = None,
        cliq_settings: CliqSettings | None = None,
    ) -> None:
        self.rng = Randomness(seed)
        self.time = TwinTime(start)
        self.physics = physics if physics is not None else Physics()
        self.keys: dict[UUID, KeyDevice] = {}
        self.locks: dict[UUID, LockDevice] = {}
        self.holders: dict[UUID, str | None] = {}
        self.places: dict[str, str] = {}
        self.openings: list[Opening] = []
        self.faults = FaultPlan(self.rng)
        account = site if site is not None else IloqSite(lock_group_id=self.rng.uuid("lock group"))
        self.iloq = IloqServer(self.time, self.rng, account, settings=settings, faults=self.faults)
        self.iloq.devices = self
        cliq_account = cliq if cliq is not None else CliqSite()
        self.cliq = CliqServer(self.time, self.rng, cliq_account, settings=cliq_settings, faults=self.faults)
        self.cliq_field = CliqField(self.cliq, self.physics, self.rng)
        self.cliq.devices = self.cliq_field
        self.cliq_out_of_band = CliqOutOfBand(self.cliq)
        self.oracle = Oracle(self)
        self.out_of_band = OutOfBand(self)
        self._visits: dict[UUID, Scheduled] = {}
        if site is not None:
            self.iloq.load_site(site)
        self.cliq.load_site(cliq_account)
        self.holders.update((key.key_id, key.holder) for key in cliq_account.keys)

    @property
    def now(self) -> datetime:
        """True time."""
        return self.time.now

    def advance_to(self, instant: datetime) -> None:
        """Let time pass; what is due on the way happens in order."""
        self.time.advance_to(instant)

    # --- things appear (called by the vendor's server when it is filled) -----------------------------

    def add_key(self, spec: KeySpec, record: KeyRecord) -> None:
        """Make the device of a key: blank, or carrying its plan if it was handed over programmed."""
        off = self.physics.phone_offset_s if spec.kind is KeyKind.PHONE else 0.0
        key = KeyDevice(
            key_id=spec.fnkey_id,
            kind=spec.kind,
            number=record.number,
            clock=self._clock(off, "key clock", spec.fnkey_id),
            contact_at=self.now,
            network_up=spec.network_up and spec.kind is KeyKind.PHONE,
            blocks=self.iloq.state.blocks.packet,
        )
        if spec.programmed:
            key.program = record.plan.program(0)
        self.keys[spec.fnkey_id] = key
        self.holders[spec.fnkey_id] = spec.person_external_id

    def add_lock(self, spec: LockSpec) -> None:
        """Install a lock, programmed as planned."""
        clock = self._clock(self.physics.lock_offset_s, "lock clock", spec.flock_id)
        self.locks[spec.flock_id] = LockDevice(
            lock_id=spec.flock_id,
            stamp=spec.stamp,
            lock_type=spec.lock_type,
            number=len(self.locks) + 1,
            right_ids=frozenset(spec.security_access_ids),
            clock=clock if spec.clock_installed else None,
            respects_time_limits=spec.respects_time_limits,
            online=spec.online,
            online_required=spec.online_required,
            hot_spot=spec.hot_spot,
            ring=deque(maxlen=self.physics.ring_rows),
            blocks=self.iloq.state.blocks.packet,
        )

    def _clock(self, max_offset_s: float, what: str, thing_id: UUID) -> DeviceClock:
        drift = self.physics.drift_s_per_day
        offset = self.rng.between(-max_offset_s, max_offset_s, what, "offset", thing_id)
        return DeviceClock(
            self.now,
            timedelta(seconds=offset),
            drift_from_seconds_per_day(self.rng.between(-drift, drift, what, "drift", thing_id)),
        )

    # --- pushes from the server ----------------------------------------------------------------------

    def packet_waits(self, key_id: UUID) -> None:
        """The server has a packet: a phone with network comes for it soon, others when carried there."""
        self._visit_soon(self.keys[key_id])

    def blocklist_waits(self) -> None:
        """A new block list: phones and locks with network get it, the rest from each other."""
        for key in self.keys.values():
            if key.is_phone:
                self._visit_soon(key)
        for lock in self.locks.values():
            self._update_online_lock(lock)

    def _visit_soon(self, key: KeyDevice) -> None:
        if not (key.is_phone and key.network_up):
            return
        waiting = self._visits.get(key.key_id)
        if waiting is not None and not waiting.cancelled:
            return
        low, high = self.physics.push_latency
        delay = self.rng.delay(low, high, "push", key.key_id)
        if not delay:
            self._contact(key)
            return
        heartbeat = meeting.last_contact(key, self.now, self.physics) + self.physics.heartbeat
        due_at = min(self.now + delay, max(heartbeat, self.now))
        self._visits[key.key_id] = self.time.at(due_at, lambda: self._visit(key), name="phone visits server")

    def _visit(self, key: KeyDevice) -> None:
        self._visits.pop(key.key_id, None)
        if key.network_up:
            self._contact(key)

    def _contact(self, key: KeyDevice) -> None:
        """Key and server meet: acknowledge, fetch, block list, log rows, and the countdown starts anew."""
        self._settle(key)
        if key.unacknowledged is not None:
            self._acknowledge(key, key.unacknowledged)
        key.contact_at = self.now
        key.clock.correct(self.now)
        packet = self.iloq.fetch(key.key_id)
        if packet is not None and (key.program is None or key.program.packet != packet.number):
            key.program = packet.plan.program(packet.number)
            key.emptied = packet.empties
            self._report(key, packet.number)
        if key.kind is not KeyKind.METAL or self.physics.metal_carries_blocklist:
            key.blocks = newer(key.blocks, self.iloq.state.blocks.packet)
        self._upload(key.carried)
        key.carried = []

    def _report(self, key: KeyDevice, number: int) -> None:
        """Acknowledge a packet, or remember to do so: the network may go in between."""
        key.unacknowledged = number
        if not self.physics.ack_latency or not key.is_phone:
            self._acknowledge(key, number)
            return
        self.time.after(
            self.physics.ack_latency, lambda: self._late_acknowledgement(key, number), name="acknowledgement"
        )

    def _late_acknowledgement(self, key: KeyDevice, number: int) -> None:
        if key.network_up and key.unacknowledged == number:
            self._acknowledge(key, number)

    def _acknowledge(self, key: KeyDevice, number: int) -> None:
        self.iloq.acknowledge(key.key_id, number)
        key.unacknowledged = None

    def _settle(self, key: KeyDevice) -> None:
        """Write down the heartbeats that passed since the last look."""
        contact_at = meeting.last_contact(key, self.now, self.physics)
        if contact_at != key.contact_at:
            key.contact_at = contact_at
            key.clock.correct(contact_at)

    def _upload(self, rows: list[CarriedRow]) -> None:
        for carried in rows:
            self.iloq.receive_row(carried.row, read_at=carried.read_at)

    def _update_online_lock(self, lock: LockDevice) -> None:
        if lock.online and lock.network_up:
            lock.blocks = newer(lock.blocks, self.iloq.state.blocks.packet)
            self._upload(meeting.unread_rows(lock, self.now))

    # --- acts ----------------------------------------------------------------------------------------

    def hand_phone(self, key_id: UUID, person: str | None) -> None:
        """Give a key (of any kind) to a person; the vendor's books do not change by that."""
        self.holders[key_id] = person

    def move(self, person: str, place: str) -> None:
        """A person is now at a place (a free name: an area, an access point)."""
        self.places[person] = place

    def present(self, key_id: UUID, lock_id: UUID, at: datetime | None = None) -> Opening:
        """Hold a key to a lock, now or at a later instant to which the world then moves."""
        if at is not None:
            self.advance_to(at)
        key, lock, now = self.keys.get(key_id), self.locks.get(lock_id), self.now
        if key is None or lock is None:
            return self._present_cliq(key_id, lock_id)
        self._settle(key)
        if lock.online:
            self._update_online_lock(lock)
        if lock.hot_spot and lock.network_up and key.kind is KeyKind.METAL:
            self._contact(key)
        if key.program is not None and not key.emptied:
            meeting.exchange_blocks(key, lock, self.physics)
        reason = decide(
            key, lock, now, physics=self.physics, zone=self.iloq.zone, ask_server=self.iloq.permits
        )
        row = meeting.write_row(lock, key, reason, now, self.physics)
        self._take_rows(key, lock, row)
        return self._remember(reason, lock_id, key_id, row.log_id)

    def _take_rows(self, key: KeyDevice, lock: LockDevice, row: AuditRow) -> None:
        if lock.online and lock.network_up:
            self._upload(meeting.unread_rows(lock, self.now))
            return
        if not key.is_phone:
            return
        if self.physics.phone_takes_unread_rows:
            key.carried.extend(meeting.unread_rows(lock, self.now))
        else:
            key.carried.append(CarriedRow(row=row, read_at=self.now))
        self._visit_soon(key)

    def _remember(
        self, reason: Reason | CliqReason, lock_id: UUID, key_id: UUID | None, log_id: UUID | None
    ) -> Opening:
        opening = Opening(
            ok=reason in _OPENS,
            reason=reason,
            at=self.now,
            lock_id=lock_id,
            key_id=key_id,
            person=self.holders.get(key_id) if key_id is not None else None,
            log_id=log_id,
        )
        self.openings.append(opening)
        return opening

    def sync(self, key_id: UUID) -> bool:
        """Bring a key to the server: a phone needs network, a fob the FobApp, a metal key a programmer.

        A CLIQ Connect key is updated by its holder's phone; another CLIQ key goes to an updater.
        """
        phone_id = self.cliq_field.updater_of(key_id)
        if phone_id is not None:
            return self.present_at_updater(key_id, phone_id)
        key = self.keys[key_id]
        if key.is_phone and not key.network_up:
            return False
        self._contact(key)
        return True

    def cut_network(self, thing_id: UUID) -> None:
        """A phone, an online lock or a CLIQ updater loses its network; what was under way does not arrive.

        For a Connect key it is the network of its phone.
        """
        updater_id = self.cliq_field.updater_of(thing_id)
        if updater_id is not None:
            self.cliq_field.cut_network(updater_id)
            return
        if thing_id in self.keys:
            key = self.keys[thing_id]
            self._settle(key)
            key.network_up = False
            waiting = self._visits.pop(thing_id, None)
            if waiting is not None:
                waiting.cancel()
            return
        self.locks[thing_id].network_up = False

    def restore_network(self, thing_id: UUID) -> None:
        """The network is back: the phone visits the server at once, the lock delivers its rows."""
        updater_id = self.cliq_field.updater_of(thing_id)
        if updater_id is not None:
            self.cliq_field.restore_network(updater_id)
            return
        if thing_id in self.keys:
            key = self.keys[thing_id]
            if not key.is_phone:
                raise ValueError("only a phone has a network of its own")
            key.network_up = True
            self._contact(key)
            return
        lock = self.locks[thing_id]
        lock.network_up = True
        self._update_online_lock(lock)

    def lose(self, key_id: UUID) -> None:
        """The holder no longer has the key. It goes on working, and a phone keeps its network."""
        self.holders[key_id] = None

    def programmer_visit(self, lock_id: UUID) -> None:
        """Somebody holds a programmer to the lock: plan and block list in, all rows out, clock set.

        At a CLIQ cylinder it is the vendor's administrator with a programming key of his own: planned groups in, rows out.
        """
        if lock_id in self.cliq_field.cylinders:
            self.cliq_field.program_cylinder(lock_id)
            return
        lock, record = self.locks[lock_id], self.iloq.state.locks[lock_id]
        lock.right_ids = record.programmed_right_ids = record.right_ids
        lock.blocks = newer(lock.blocks, self.iloq.state.blocks.packet)
        if lock.stopped_clock is not None:
            lock.clock, lock.stopped_clock = lock.stopped_clock, None
        if lock.clock is not None:
            lock.clock.correct(self.now)
        lock.zone = None
        lock.last_known_time = self.now
        self._upload([CarriedRow(row=row, read_at=self.now) for row in lock.ring])
        lock.taken_up_to = lock.going_counter

    def open_mechanically(self, lock_id: UUID) -> Opening:
        """The lock is opened without any key: it leaves no trace, only the twin knows."""
        return self._remember(Reason.MECHANICAL, lock_id, None, None)

    def open_with_unknown_key(self, lock_id: UUID) -> Opening:
        """A key opens that is in nobody's books: a row without key identity."""
        if lock_id in self.cliq_field.cylinders:
            raise ValueError("a key in nobody's books opens no CLIQ cylinder: see present_foreign_key")
        lock = self.locks[lock_id]
        row = meeting.write_row(lock, None, Reason.UNKNOWN_KEY, self.now, self.physics)
        if lock.online and lock.network_up:
            self._upload(meeting.unread_rows(lock, self.now))
        return self._remember(Reason.UNKNOWN_KEY, lock_id, None, row.log_id)

    def set_clock(self, thing_id: UUID, offset: timedelta) -> None:
        """Make a device's clock wrong by ``offset``: a holder who turns his phone back, a bad installer."""
        keyed = self.cliq_field.keys.get(thing_id) or self.keys.get(thing_id)
        clock = keyed.clock if keyed is not None else None
        if keyed is None and thing_id not in self.cliq_field.cylinders:
            clock = self.locks[thing_id].clock
        if clock is None:
            raise ValueError("this lock has no clock")
        clock.correct(self.now)
        clock.offset = offset

    def change_battery(self, thing_id: UUID) -> None:
        """A new battery: the clock of an iLOQ lock or a CLIQ key stands until it is set.

        An iLOQ lock is then like one without a clock, until a programmer comes. A CLIQ key with a time limit opens
        nothing until it was at an updater with network, unless `Physics.battery_change_loses_time` is off.
        """
        key = self.cliq_field.keys.get(thing_id)
        if key is not None:
            key.battery_low, key.time_lost = False, self.physics.battery_change_loses_time
            return
        lock = self.locks[thing_id]
        if lock.clock is None:
            raise ValueError("this lock has no clock")
        lock.stopped_clock, lock.clock = lock.clock, None

    def install_dst_package(self, lock_id: UUID, zone: str) -> None:
        """An installer puts a package of clock-change rules into a lock, perhaps not that of this place.

        The next visit with a programmer puts the right one in.
        """
        self.locks[lock_id].zone = ZoneInfo(zone)

    # --- determinism ---------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything that is, as plain values in a fixed order."""
        return snapshot(self)

    def digest(self) -> str:
        """SHA-256 over :meth:`snapshot`: equal for equal seeds, contents and acts."""
        return digest(self)
