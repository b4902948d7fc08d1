"""The oracle: what is physically possible, from device truth only. For tests and for the demo's figures.

It computes sets of instants where :mod:`key2xs_twin.devices.decision` compares values; a property test holds
each answer against a real attempt.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.cliq.oracle import CliqOracle
from key2xs_twin.devices import meeting, windows
from key2xs_twin.devices.decision import slot_clock
from key2xs_twin.devices.kinds import KeyKind
from key2xs_twin.devices.program import Program, newer
from key2xs_twin.time import NEVER, DeviceClock

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from key2xs_twin.devices.things import KeyDevice, LockDevice
    from key2xs_twin.devices.windows import Interval
    from key2xs_twin.world import World


class Oracle:
    """Answers about one world, as it is now and if nothing further reaches the device.

    *Nothing further reaches the device* means: no contact with the server, no block list from other keys, no
    visit to the lock. The network of a phone counts as lost from now on.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._cliq = CliqOracle(world.cliq_field)

    def _is_cliq(self, key_id: UUID, lock_id: UUID) -> bool:
        """Whether both are CLIQ; a key of one maker never opens a lock of the other."""
        field = self._world.cliq_field
        return key_id in field.keys and lock_id in field.cylinders

    def _is_mixed(self, key_id: UUID, lock_id: UUID) -> bool:
        field = self._world.cliq_field
        return (key_id in field.keys) is not (lock_id in field.cylinders)

    def can_open(self, key_id: UUID, lock_id: UUID, at: datetime) -> bool:
        """Whether the key would open the lock at ``at``.

        Raises:
            ValueError: ``at`` lies before the world's now; the past is in ``world.openings``.

        """
        if at < self._world.now:
            raise ValueError("the oracle looks forward only")
        if self._is_cliq(key_id, lock_id):
            return bool(self._cliq.openable(key_id, lock_id, at, at + timedelta(microseconds=1)))
        return any(begin <= at < end for begin, end in self.openable(key_id, lock_id))

    def latest_opening(self, key_id: UUID, lock_id: UUID, frm: datetime) -> datetime | None:
        """The end of the time in which the key can open the lock, looking forward from ``frm``.

        Just before the answer an attempt opens, at the answer it does not. ``None``: there is no end.
        :data:`key2xs_twin.time.NEVER`: it cannot open at any instant from ``frm`` on.
        """
        if self._is_cliq(key_id, lock_id):
            return self._cliq.latest_opening(key_id, lock_id, frm)
        ends = [end for _, end in windows.intersect(self.openable(key_id, lock_id), [(frm, windows.FUTURE)])]
        if not ends:
            return NEVER
        return None if ends[-1] == windows.FUTURE else ends[-1]

    def who_can_open(self, lock_id: UUID, at: datetime) -> list[UUID]:
        """Keys that would open this lock at ``at``."""
        keys = (*self._world.keys, *self._world.cliq_field.keys)
        return [key_id for key_id in keys if self.can_open(key_id, lock_id, at)]

    def openable(self, key_id: UUID, lock_id: UUID) -> list[Interval]:
        """All instants from now on at which the key would open the lock; with a CLIQ schedule, of 400 days."""
        world = self._world
        if self._is_mixed(key_id, lock_id):
            return []
        if self._is_cliq(key_id, lock_id):
            return self._cliq.openable(key_id, lock_id, world.now)
        key, lock = world.keys[key_id], world.locks[lock_id]
        program = self._program_at_meeting(key, lock)
        if program is None or program.right_ids.isdisjoint(lock.right_ids):
            return []
        if key_id in self._list_at_meeting(key, lock):
            return []
        result = [(world.now, windows.FUTURE)]
        seconds = program.offline_expiration_seconds
        if seconds and key.kind is not KeyKind.METAL:
            contact_at = meeting.last_contact(key, world.now, world.physics)
            ends_at = contact_at + key.clock.elapsed(timedelta(seconds=seconds))
            result = windows.intersect(result, [(windows.PAST, ends_at)])
        clock = slot_clock(key, lock, world.physics)
        if clock is not None:
            judged = _as_judged(clock, key, world)
            result = self._cut_by_slots(result, program.starts_lg, program.ends_lg, judged, lock.zone)
        return self._cut_by_server(result, key_id, lock) if lock.online_required else result

    def _program_at_meeting(self, key: KeyDevice, lock: LockDevice) -> Program | None:
        """The program in the key when it is judged: at a hot spot a metal key first gets what waits for it."""
        record = self._world.iloq.state.keys.get(key.key_id)
        programs = lock.hot_spot and lock.network_up and key.kind is KeyKind.METAL
        if programs and record is not None and record.packet is not None:
            packet = record.packet
            return None if packet.empties else packet.plan.program(packet.number)
        return None if key.emptied else key.program

    def _list_at_meeting(self, key: KeyDevice, lock: LockDevice) -> frozenset[UUID]:
        """The block list in force after the two have met: an online lock takes the server's first."""
        blocks = newer(lock.blocks, key.blocks)
        if lock.online and lock.network_up:
            blocks = newer(blocks, self._world.iloq.state.blocks.packet)
        return blocks.key_ids

    def _cut_by_slots(
        self,
        intervals: list[Interval],
        starts_lg: datetime | None,
        ends_lg: datetime | None,
        clock: DeviceClock | None,
        zone: ZoneInfo | None = None,
    ) -> list[Interval]:
        zone = zone or self._world.iloq.zone
        if starts_lg is not None:
            intervals = windows.intersect(intervals, _true(windows.from_local(starts_lg, zone), clock))
        if ends_lg is not None:
            intervals = windows.intersect(intervals, _true(windows.before_local(ends_lg, zone), clock))
        return intervals

    def _cut_by_server(self, intervals: list[Interval], key_id: UUID, lock: LockDevice) -> list[Interval]:
        """A lock that must ask: nothing without its network, else what the server's plan allows."""
        iloq = self._world.iloq
        record, books = iloq.state.keys.get(key_id), iloq.state.locks.get(lock.lock_id)
        if record is None or books is None or not (lock.online and lock.network_up):
            return []
        if not iloq.may_ever_open(record, books):
            return []
        return self._cut_by_slots(intervals, record.plan.starts_lg, record.plan.ends_lg, None)


def _as_judged(clock: DeviceClock, key: KeyDevice, world: World) -> DeviceClock:
    """The clock as it will be at the attempt: a phone's was set at its last contact."""
    if clock is not key.clock:
        return clock
    return DeviceClock(meeting.last_contact(key, world.now, world.physics), clock.offset, clock.drift)


def _true(intervals: list[Interval], clock: DeviceClock | None) -> list[Interval]:
    """Instants on a device's clock as true instants."""
    if clock is None:
        return intervals
    return [(_true_instant(begin, clock), _true_instant(end, clock)) for begin, end in intervals]


def _true_instant(reading: datetime, clock: DeviceClock) -> datetime:
    return reading if reading in {windows.PAST, windows.FUTURE} else clock.instant_of(reading)
