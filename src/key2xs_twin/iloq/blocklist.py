"""The block list: planned by the API, ordered as a versioned packet, spread by devices."""

from __future__ import annotations

from datetime import datetime

from key2xs_twin.devices.program import BlockCopy
from key2xs_twin.iloq.errors import not_possible
from key2xs_twin.iloq.settings import IloqSettings
from key2xs_twin.iloq.state import BlockRecord, KeyRecord, VendorState

ADDED, REMOVED = 1, 2  # Public API v2, ChangeType


def can_add(state: VendorState, record: KeyRecord) -> bool:
    """False if already listed or without any right: so block before emptying, not after (Public API v2)."""
    return bool(record.plan.right_ids) and not state.blocks.is_blocked(record.key_id)


def add(state: VendorState, record: KeyRecord, at: datetime) -> None:
    """Plan to block a key. Nothing reaches a lock before the list is ordered."""
    if not can_add(state, record):
        raise not_possible("Adding the key to the blocklist", 0)
    version = state.blocks.packet.version + 1
    state.blocks.planned[record.key_id] = BlockRecord(
        key_id=record.key_id, since=at, version=version, change_type=ADDED
    )
    state.blocks.changed = True


def remove(state: VendorState, record: KeyRecord, at: datetime) -> None:
    """Plan to unblock a key; it must be ordered again too."""
    if not state.blocks.is_blocked(record.key_id):
        raise not_possible("Removing the key from the blocklist", 0)
    version = state.blocks.packet.version + 1
    state.blocks.planned[record.key_id] = BlockRecord(
        key_id=record.key_id, since=at, version=version, change_type=REMOVED
    )
    state.blocks.changed = True


def can_order(state: VendorState, settings: IloqSettings) -> int:
    """Answers of CanOrderS40Blacklist: 0 ok, 1 token, 2 nothing to order, 3 too many."""
    if settings.blocklist_needs_token:
        return 1
    if not state.blocks.changed:
        return 2
    return 3 if len(state.blocks.blocked_ids()) > settings.max_blocked else 0


def order(state: VendorState, settings: IloqSettings) -> BlockCopy:
    """Publish the planned list as the next version."""
    answer = can_order(state, settings)
    if answer:
        raise not_possible("Ordering the blocklist", answer)
    blocks = state.blocks
    blocks.packet = BlockCopy(blocks.packet.version + 1, blocks.blocked_ids())
    blocks.planned = {key: record for key, record in blocks.planned.items() if record.change_type != REMOVED}
    blocks.changed = False
    return blocks.packet
