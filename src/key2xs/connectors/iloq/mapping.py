"""Lists of keys, locks and rights, in the vendor's words and in ours; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntFlag
from typing import Final

from key2xs.core.tri import tri
from key2xs.keys.port import KeyKind, ProgrammingState, VendorKey, VendorLock, VendorRight

from .localtime import instant_from_utc_text
from .payloads import Key, Lock, LockLimits, LockOptions, RightsOf, SecurityAccess

__all__ = ["key_kind", "programming_state", "vendor_key", "vendor_lock", "vendor_right"]

API_RIGHT: Final = (
    3  # Public API v2, SecurityAccess.Type: API access, the only kind this interface may change
)
ACTIVE: Final = 0  # Public API v2, SecurityAccess.Status

# Public API v2, logical state of keys and locks. ASSUMPTION: Key.ProgrammingState uses exactly this list.
PROGRAMMING_STATES: Final[Mapping[int, ProgrammingState]] = {
    -1: ProgrammingState.ERROR,
    0: ProgrammingState.PLANNING,
    1: ProgrammingState.ORDERED,
    2: ProgrammingState.FETCHED,
    3: ProgrammingState.PROGRAMMED,
    4: ProgrammingState.ZEROED,
    5: ProgrammingState.CANCELLED,
    6: ProgrammingState.OBSOLETE,
    7: ProgrammingState.ON_TOKEN,
}
HANDED_OVER, DELETED, RETURNED = 1, 3, 4  # Public API v2, Key.State
FAMILIES: Final[Mapping[int, str]] = {
    2: "S50",
    3: "C5",
    4: "S5 Online",
    5: "D5",
}  # Public API v2, Lock.LockType


class KeyType(IntFlag):
    """Bits of KeyTypeMask (Public API v2)."""

    S50 = 2
    PHONE = 4
    ILOQ_KEY = 8
    OTHER = 128
    FIVE_SERIES = 256


def key_kind(type_mask: int) -> KeyKind:
    """Tell the kind of key from its mask. Public API v2: phone 6, metal 264; fob 10 and tags by their bits."""
    mask = KeyType(type_mask & int(~KeyType(0)))
    if KeyType.PHONE in mask:
        return KeyKind.PHONE
    if KeyType.OTHER in mask:
        return KeyKind.TAG
    if KeyType.FIVE_SERIES | KeyType.ILOQ_KEY in mask:
        return KeyKind.METAL
    if KeyType.S50 | KeyType.ILOQ_KEY in mask:
        return KeyKind.FOB
    return KeyKind.UNKNOWN


def programming_state(code: int | None) -> ProgrammingState:
    """Translate a state; a code we do not know proves nothing."""
    return (
        PROGRAMMING_STATES.get(code, ProgrammingState.UNKNOWN)
        if code is not None
        else ProgrammingState.UNKNOWN
    )


def vendor_key(key: Key, *, blocked: bool) -> VendorKey:
    """Translate a key of the list."""
    return VendorKey(
        vendor_key=key.key_id.lower(),
        marking=key.stamp or "",
        kind=key_kind(key.type_mask),
        programming_state=programming_state(key.programming_state),
        holder_ref=key.person_id.lower() if key.person_id else None,
        handed_over=key.state == HANDED_OVER,
        deleted=key.state in {DELETED, RETURNED},
        blocked=blocked,
    )


def vendor_lock(
    lock: Lock,
    rights: Iterable[RightsOf],
    options: LockOptions,
    limits: LockLimits,
    *,
    verified: bool | None = None,
) -> VendorLock:
    """Translate a lock. `rights`: planned, then programmed; a key may open by either, so both count.

    `verified` is what a person found out at the lock; it wins over what the interface says.
    """
    views = tuple(rights)
    set_at = lock.clock_installed_at
    return VendorLock(
        vendor_lock=lock.lock_id.lower(),
        marking=lock.stamp or "",
        rights=frozenset(right.right_id.lower() for view in views for right in view.rights or ()),
        has_clock=tri(lock.clock_installed),
        clock_set_at=instant_from_utc_text(set_at) if set_at else None,
        honours_limits=tri(verified if verified is not None else limits.respects_all),
        online_required=tri(options.online_required_hard),
        is_networked=tri(lock.network_module_device is not None),
        hidden_rights=any(view.outside for view in views),
        programmed=frozenset(right.right_id.lower() for right in views[-1].rights or ()) if views else None,
        planned=frozenset(right.right_id.lower() for right in views[0].rights or ()) if views else None,
        family=FAMILIES.get(lock.lock_type) if lock.lock_type is not None else None,
        firmware=_firmware(lock.sw_version),
    )


def _firmware(version: int | str | None) -> int | None:
    """Read a firmware number. ASSUMPTION: zero, and anything that is no whole number, is a lock that was never asked."""
    text = str(version)
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


def vendor_right(right: SecurityAccess, locks: frozenset[str]) -> VendorRight:
    """Translate an access right, given the locks that accept it."""
    return VendorRight(
        right=right.right_id.lower(),
        name=right.name or "",
        locks=locks,
        writable=right.type == API_RIGHT and right.status == ACTIVE,
    )
