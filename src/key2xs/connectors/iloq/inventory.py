"""Reading everything: keys, rights, and four requests for each lock.

The vendor has no paging and no change feed, so this is the slow, thorough way; it runs at a fixed pace. If it breaks
off, the locks that were read are kept, and the next attempt goes on behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from key2xs.keys.compile.limits import iloq_slots
from key2xs.keys.port import Inventory, VendorLock

from .client import Call
from .config import IloqConfig
from .mapping import vendor_key, vendor_lock, vendor_right
from .payloads import Blacklist, Key, Lock, LockLimits, LockOptions, RightsOf, SecurityAccess

__all__ = ["InventoryReader"]

T = TypeVar("T")


class Request(Protocol):
    """Sends one call in a session and decodes the answer."""

    async def __call__(self, call: Call, shape: type[T]) -> T:
        """Return the answer; CallFailed when there is none."""
        ...


_UNKNOWN = ("", None)
_TAKEN_OFF = frozenset({2, 3})  # Public API v2, ChangeType: removed; returned and emptied


class InventoryReader:
    """Reads the whole locking system; keeps what was read when it has to start again."""

    def __init__(self, request: Request, config: IloqConfig) -> None:
        """Read by `request`; others may take their turns in between."""
        self._request, self._config = request, config
        self._read_before: dict[str, VendorLock] = {}
        self._made: Mapping[str, set[tuple[str, int | None]]] = {}

    async def read(self, *, as_of: datetime) -> Inventory:
        """Read all. CallFailed when a request fails; call again to go on."""
        keys = await self._request(Call("GET", "Keys"), list[Key])
        blacklist = await self._request(Call("GET", "Blacklists"), Blacklist)
        rights = await self._request(Call("GET", "SecurityAccesses"), list[SecurityAccess])
        listed = await self._request(Call("GET", "Locks"), list[Lock])
        locks = [await self._lock(lock) for lock in listed]
        self._read_before.clear()
        self._made = _made_by_right(locks)
        blocked = {
            item.key_id.lower() for item in blacklist.items or () if item.change_type not in _TAKEN_OFF
        }
        by_right: dict[str, set[str]] = {}
        for lock in locks:
            for right in lock.rights:
                by_right.setdefault(right, set()).add(lock.vendor_lock)
        return Inventory(
            keys=tuple(vendor_key(key, blocked=key.key_id.lower() in blocked) for key in keys),
            locks=tuple(locks),
            rights=tuple(
                vendor_right(right, frozenset(by_right.get(right.right_id.lower(), ()))) for right in rights
            ),
            as_of=as_of,
            visibility_complete=blacklist.outside == 0 and not any(lock.hidden_rights for lock in locks),
        )

    def slots(self, rights: Iterable[str]) -> int:
        """Return the slots of a key with these rights: the least over the locks they open, as listed last."""
        return iloq_slots(made for right in rights for made in self._made.get(right.lower(), {_UNKNOWN}))

    async def _lock(self, lock: Lock) -> VendorLock:
        known = self._read_before.get(lock.lock_id)
        if known is not None:
            return known
        path = f"Locks/{lock.lock_id}"
        views = [
            # Planned and last programmed: until the lock was visited a key may open it by the old ones.
            await self._request(Call("GET", f"{path}/SecurityAccesses", query={"mode": mode}), RightsOf)
            for mode in ("1", "2")
        ]
        options = await self._request(Call("GET", f"{path}/Options"), LockOptions)
        limits = await self._request(Call("GET", f"{path}/TimeLimitTitles", query={"mode": "2"}), LockLimits)
        verified = self._config.honours_limits.get(lock.lock_id.lower())
        found = vendor_lock(lock, views, options, limits, verified=verified)
        self._read_before[lock.lock_id] = found
        return found


def _made_by_right(locks: Iterable[VendorLock]) -> dict[str, set[tuple[str, int | None]]]:
    """Return the families and firmware of the locks that each right opens."""
    found: dict[str, set[tuple[str, int | None]]] = {}
    for lock in locks:
        for right in lock.rights:
            found.setdefault(right, set()).add((lock.family or "", lock.firmware))
    return found
