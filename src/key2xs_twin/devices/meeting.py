"""What happens when a key meets a lock: the block list spreads, the lock decides, a row is written.

Also what happens when a key meets the server. Nothing here decides *when*; that is the world's part.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from key2xs_twin.devices.decision import time_source
from key2xs_twin.devices.kinds import KeyKind
from key2xs_twin.devices.program import newer
from key2xs_twin.devices.things import AuditRow, CarriedRow, KeyDevice, LockDevice, Reason, TypeBit
from key2xs_twin.physics import Physics

_OK_BITS = {
    KeyKind.PHONE: TypeBit.OK | TypeBit.PHONE,
    KeyKind.FOB: int(TypeBit.OK),
    KeyKind.METAL: TypeBit.OK | TypeBit.FIVE_SERIES,
}


def exchange_blocks(key: KeyDevice, lock: LockDevice, physics: Physics) -> None:
    """Both sides leave with the newer block list, whether or not the lock opens (epidemic spread)."""
    if key.kind is KeyKind.METAL and not physics.metal_carries_blocklist:
        return
    if key.blocks.version != lock.blocks.version:
        key.blocks = lock.blocks = newer(key.blocks, lock.blocks)


def write_row(
    lock: LockDevice, key: KeyDevice | None, reason: Reason, at: datetime, physics: Physics
) -> AuditRow:
    """Write one attempt into the lock's ring; the oldest row falls out when it is full."""
    clock = time_source(key, lock, physics)
    recorded_at = clock.reading(at) if clock is not None else lock.last_known_time
    mask = _OK_BITS[key.kind] if key is not None else TypeBit.OK | TypeBit.UNKNOWN_KEY
    if reason not in {Reason.OK, Reason.UNKNOWN_KEY}:
        mask = int(TypeBit.FAILED)
    if clock is None:
        mask |= TypeBit.TIME_LAST_KNOWN if recorded_at is not None else TypeBit.NO_TIME
    lock.going_counter += 1
    if key is not None:
        key.going_counter += 1
        if clock is key.clock:
            lock.last_known_time = recorded_at
    row = AuditRow(
        log_id=UUID(int=(lock.number << 64) | lock.going_counter),
        lock_id=lock.lock_id,
        key_id=key.key_id if key is not None else None,
        key_number=key.number if key is not None else 0,
        lock_counter=lock.going_counter,
        key_counter=key.going_counter if key is not None else 0,
        happened_at=at,
        recorded_at=recorded_at,
        type_mask=int(mask),
        reason=reason,
    )
    lock.ring.append(row)
    return row


def unread_rows(lock: LockDevice, at: datetime) -> list[CarriedRow]:
    """Rows that nobody took along yet; a carrier takes them now."""
    rows: list[CarriedRow] = []
    for row in reversed(lock.ring):
        if row.lock_counter <= lock.taken_up_to:
            break
        rows.append(CarriedRow(row=row, read_at=at))
    lock.taken_up_to = lock.going_counter
    return rows[::-1]


def last_contact(key: KeyDevice, at: datetime, physics: Physics) -> datetime:
    """When the key last met the server, seen at ``at``.

    A phone with network meets it at every heartbeat even if nothing happens, or, where the countdown starts
    only when the network is lost, all the time.
    """
    if not (key.is_phone and key.network_up) or at <= key.contact_at:
        return key.contact_at
    if physics.countdown_from == "network_lost":
        return at
    return key.contact_at + (at - key.contact_at) // physics.heartbeat * physics.heartbeat
