"""Does this lock open for this key now? Plain comparisons on what the two devices hold.

The oracle answers the same question by intervals, in other code; a property test sets them against each
other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from key2xs_twin.devices.kinds import KeyKind
from key2xs_twin.devices.program import Program, newer
from key2xs_twin.devices.things import KeyDevice, LockDevice, Reason
from key2xs_twin.physics import Physics
from key2xs_twin.time import DeviceClock

ServerAnswer = Callable[[UUID, UUID, datetime], bool]  # (key, lock, at) -> may it open


def decide(
    key: KeyDevice,
    lock: LockDevice,
    at: datetime,
    *,
    physics: Physics,
    zone: ZoneInfo,
    ask_server: ServerAnswer,
) -> Reason:
    """Why ``lock`` opens (``Reason.OK``) or refuses ``key`` at the true instant ``at``.

    Args:
        key: the key as a thing, its last contact up to date.
        lock: the lock as a thing.
        at: the true instant of the attempt.
        physics: which of the doubtful truths hold in this world.
        zone: the locking system's time zone, in which slots are stored; a lock with a wrong DST package has its own.
        ask_server: what the vendor's server answers; used only by a lock that requires it.

    """
    program = key.program
    if program is None or key.emptied:
        return Reason.NO_PROGRAM
    if program.right_ids.isdisjoint(lock.right_ids):
        return Reason.NO_RIGHT
    blocked = newer(lock.blocks, key.blocks).key_ids
    if blocked and key.key_id in blocked:
        return Reason.BLOCKLISTED
    if is_offline_expired(key, program, at):
        return Reason.OFFLINE_EXPIRED
    clock = slot_clock(key, lock, physics)
    if clock is not None:
        late_or_early = _judge_slots(
            program, clock.reading(at).astimezone(lock.zone or zone).replace(tzinfo=None)
        )
        if late_or_early is not None:
            return late_or_early
    if not lock.online_required:
        return Reason.OK
    if not (lock.online and lock.network_up):
        return Reason.SERVER_UNREACHABLE
    return Reason.OK if ask_server(key.key_id, lock.lock_id, at) else Reason.SERVER_REFUSED


def is_offline_expired(key: KeyDevice, program: Program, at: datetime) -> bool:
    """Whether the key's own countdown has run out; metal keys have none, 0 seconds means never."""
    if key.kind is KeyKind.METAL or program.offline_expiration_seconds == 0:
        return False
    limit = timedelta(seconds=program.offline_expiration_seconds)
    return key.clock.counted(at - key.contact_at) >= limit


def slot_clock(key: KeyDevice, lock: LockDevice, physics: Physics) -> DeviceClock | None:
    """The clock by which this lock judges start and end dates; ``None`` means that it does not judge them.

    A lock that was not told to honour time limits ignores them, and one without any time source cannot.
    """
    if not lock.respects_time_limits:
        return None
    return time_source(key, lock, physics)


def time_source(key: KeyDevice | None, lock: LockDevice, physics: Physics) -> DeviceClock | None:
    """The clock at hand at the moment of an attempt: the lock's own, else the phone's, else none."""
    if lock.clock is not None:
        return lock.clock
    if key is not None and key.is_phone and physics.phone_supplies_time:
        return key.clock
    return None


def _judge_slots(program: Program, local: datetime) -> Reason | None:
    if program.starts_lg is not None and local < program.starts_lg:
        return Reason.NOT_YET_VALID
    if program.ends_lg is not None and local >= program.ends_lg:
        return Reason.NO_LONGER_VALID
    return None
