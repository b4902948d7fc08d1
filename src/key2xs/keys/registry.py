"""Key systems, keys, locks and rights as the vendors list them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, Conflict, NotFound
from key2xs.core.ids import CylinderId, KeyId, KeySystemId, new_id, parse_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger

from .block_visits import BlockVisits
from .drift.listing import Listings
from .lock_checks import tried_locks
from .port import Inventory, KeyKind, KeySystemPort, VendorKey, VendorLock, VendorRight
from .types import KeySystem, StoredKey

_SQL = load_queries("key2xs.keys")
INVENTORY_PACE = timedelta(hours=1)  # a whole listing costs many calls; changes we make are re-read at once
INVENTORY_RETRY = timedelta(minutes=1)


class Registry:
    """What is known of the vendors' systems."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every difference with `ledger`."""
        self._ledger = ledger
        self._visits, self._listings = BlockVisits(ledger), Listings(ledger)

    async def ensure_system(
        self, tx: Connection, name: str, vendor: str, at: datetime, *, interface: str = "documented"
    ) -> KeySystem:
        """Return the key system of a configured name, making it at first start."""
        row = await tx.fetchrow(_SQL["find_system"], name)
        if row is None:
            system_id = KeySystemId(new_id())
            entry = await self._tell(
                tx,
                "keys:system:connect",
                (f"key_system:{system_id}",),
                {"vendor": vendor, "interface": interface},
                at,
            )
            await tx.execute(_SQL["insert_system"], system_id, name, vendor, interface, entry)
            return KeySystem(system_id, name, vendor, None, visibility_complete=False, interface=interface)
        return system_of(row)

    async def systems(self, tx: Connection) -> list[KeySystem]:
        """Return all key systems."""
        return [system_of(row) for row in await tx.fetch(_SQL["list_systems"])]

    async def take_inventory(
        self, tx: Connection, system_id: KeySystemId, found: Inventory, at: datetime
    ) -> int:
        """Store what the vendor lists; only differences are written and told. Returns how many there were."""
        subject = f"key_system:{system_id}"
        # Two workers may have listed at once: the second then finds nothing new.
        await self._ledger.lock_heads(tx, [subject])
        before = await self._listings.before(tx, system_id)
        differences = [
            *await self._new_keys(tx, system_id, found.keys),
            *await self._new_locks(tx, system_id, found),
            *await self._new_rights(tx, system_id, found.rights),
        ]
        carriers = await self._visits.changed_carriers(tx, system_id, found.programming_keys, found.updaters)
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:system:inventory",
                occurred_at=found.as_of,
                recorded_at=at,
                actor="system:keys",
                subjects=(subject,),
                heads=(subject,) if differences or carriers else (),
                body={
                    "keys": len(found.keys),
                    "locks": len(found.locks),
                    "rights": len(found.rights),
                    "differences": len(differences) + len(carriers),
                    "complete": found.visibility_complete,
                },
            ),
        )
        for statement, arguments in differences:
            await tx.execute(_SQL[statement], *arguments, entry)
        await self._visits.write(tx, carriers, entry)
        await self._listings.look(tx, system_id, before, found, at)
        await tx.execute(_SQL["set_inventory"], system_id, found.as_of, found.visibility_complete, entry)
        return len(differences) + len(carriers)

    async def find_key(self, tx: Connection, name: KeyId | str) -> StoredKey | None:
        """Return the key of an id or of the stamp printed on it; None when there is none or more than one."""
        found = await self.keys_named(tx, name)
        return found[0] if len(found) == 1 else None

    async def keys_named(self, tx: Connection, name: KeyId | str) -> list[StoredKey]:
        """Return the keys that a name may mean: an id, a stamp, or `stamp@system` where two systems print alike."""
        key_id = parse_id(name) if isinstance(name, str) else name
        rows = await tx.fetch(_SQL["find_key"], key_id, name if key_id is None else None)
        if not rows and isinstance(name, str) and "@" in name:
            stamp, _, system = name.rpartition("@")
            rows = await tx.fetch(_SQL["find_key_at"], stamp, system)
        return [key_of(row) for row in rows]

    async def get_key(self, tx: Connection, name: KeyId | str) -> StoredKey:
        """Return the key of an id or stamp.

        Raises:
            NotFound: there is none.
            Conflict: several keys carry this stamp; says how to name each.
        """
        found = await self.keys_named(tx, name)
        if not found:
            message = f"no key is known by {name}"
            raise NotFound(message)
        if len(found) > 1:
            systems = {system.id: system.name for system in await self.systems(tx)}
            ways = sorted(
                f"{key.stamp}@{systems[key.system_id]}"
                if [each.system_id for each in found].count(key.system_id) == 1
                else str(key.id)
                for key in found
            )
            message = f"{len(found)} keys carry the stamp {name}; say which: {', '.join(ways)}"
            raise Conflict(message)
        return found[0]

    async def list_keys(
        self, tx: Connection, *, text: str | None = None, limit: int = 500
    ) -> list[StoredKey]:
        """Return keys by stamp, those whose stamp begins with `text` if given."""
        return [key_of(row) for row in await tx.fetch(_SQL["list_keys"], text, limit)]

    async def locked_by(
        self, tx: Connection, system_id: KeySystemId, cylinders: Iterable[CylinderId]
    ) -> frozenset[CylinderId]:
        """Return which of these cylinders are locks of a key system: no other system's key opens them."""
        rows = await tx.fetch(_SQL["locks_of_cylinders"], system_id, sorted(cylinders))
        return frozenset(CylinderId(row["cylinder_id"]) for row in rows)

    async def _new_keys(self, tx: Connection, system_id: KeySystemId, keys: Iterable[VendorKey]) -> list[Any]:
        known = {row["external_id"]: row for row in await tx.fetch(_SQL["keys_of_system"], system_id)}
        changes: list[tuple[str, tuple[Any, ...]]] = []
        for key in keys:
            old = known.get(key.vendor_key)
            new = (key.marking, str(key.kind), key.deleted, key.handed_over or key.holder_ref is not None)
            if old is None:
                changes.append(("insert_key", (KeyId(new_id()), system_id, key.vendor_key, *new)))
            elif (old["stamp"], old["kind"], old["deleted"], old["vendor_held"]) != new:
                changes.append(("update_key", (system_id, key.vendor_key, *new)))
        return changes

    async def _new_locks(self, tx: Connection, system_id: KeySystemId, found: Inventory) -> list[Any]:
        """Return what changed about locks.

        One that is gone while our user does not see everything may have been moved out of sight: then every key whose
        program we see only in part counts as one that may open it.
        """
        known = {row["external_id"]: row for row in await tx.fetch(_SQL["locks_of_system"], system_id)}
        tried = await tried_locks(tx, system_id)
        changes = []
        gone = known.keys() - {lock.vendor_lock for lock in found.locks}
        for lock in (
            *found.locks,
            *(
                replace(lock_of(known[name]), hidden_rights=True)
                for name in sorted(gone)
                if not found.visibility_complete
            ),
        ):
            heeds = tried.get(lock.vendor_lock, lock.honours_limits)
            values = (
                lock.marking, lock.has_clock, lock.clock_set_at, heeds, lock.online_required,
                lock.is_networked, lock.hidden_rights, sorted(lock.rights),
                sorted(lock.programmed) if lock.programmed is not None else None, lock.family, lock.firmware,
            )  # fmt: skip
            old = known.get(lock.vendor_lock)
            if old is None or lock_values(old) != values:
                changes.append(("put_lock", (system_id, lock.vendor_lock, *values)))
        return changes

    async def _new_rights(
        self, tx: Connection, system_id: KeySystemId, rights: Iterable[VendorRight]
    ) -> list[Any]:
        known = {row["external_id"]: row for row in await tx.fetch(_SQL["rights_of_system"], system_id)}
        changes = []
        for right in rights:
            values = (right.name, sorted(right.locks), right.writable)
            old = known.pop(right.right, None)
            if old is None or (old["name"], list(old["locks"]), old["writable"]) != values:
                changes.append(("put_right", (system_id, right.right, *values)))
        # A right that is gone opens nothing any more and must not be written again.
        changes += [
            ("put_right", (system_id, row["external_id"], row["name"], [], False))
            for row in known.values()
            if row["locks"] or row["writable"]
        ]
        return changes

    async def _tell(
        self, tx: Connection, kind: str, subjects: tuple[str, ...], body: dict[str, Any], at: datetime
    ) -> int:
        return await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor="system:keys",
                subjects=subjects,
                heads=subjects,
                body=body,
            ),
        )


class InventoryLoop:
    """Reads the whole listing of one key system at a fixed pace."""

    heeds: Final[tuple[str, ...]] = ()

    def __init__(
        self,
        database: Database,
        registry: Registry,
        system: KeySystem,
        port: KeySystemPort,
        *,
        pace: timedelta = INVENTORY_PACE,
    ) -> None:
        """Read `system` through `port`, once every `pace`."""
        self._database, self._registry, self._system, self._port = database, registry, system, port
        self._pace = pace
        self.name = f"inventory:{system.name}"
        self._due: datetime | None = None
        self.problem: str | None = None

    def wake(self) -> None:
        """List everything at the next step; a key system that is down is asked again when it is time."""
        if self.problem is None:
            self._due = None

    async def step(self, now: datetime) -> datetime | None:
        """List everything when the pace says so; a vendor that is down is asked again soon."""
        if self._due is not None and now < self._due:
            return self._due
        try:
            found = await self._port.inventory()
        except CallFailed as error:
            self.problem = str(error)
            self._due = now + INVENTORY_RETRY
            return self._due
        self.problem = None
        await self._database.transact(
            lambda tx: self._registry.take_inventory(tx, self._system.id, found, now)
        )
        self._due = now + self._pace
        return self._due


def system_of(row: asyncpg.Record) -> KeySystem:
    """Read a key system from its row."""
    return KeySystem(
        row["id"],
        row["name"],
        row["vendor"],
        row["inventory_at"],
        row["visibility_complete"],
        row["interface"],
    )


def key_of(row: asyncpg.Record) -> StoredKey:
    """Read a key from its row."""
    return StoredKey(
        id=row["id"],
        system_id=row["system_id"],
        external_id=row["external_id"],
        stamp=row["stamp"],
        kind=KeyKind(row["kind"]),
        emergency=row["emergency"],
        adopted_at=row["adopted_at"],
        blocked_at=row["blocked_at"],
        block_reason=row["block_reason"],
        deleted=row["deleted"],
        unblock_asked_at=row["unblock_asked_at"],
    )


def lock_values(row: asyncpg.Record) -> tuple[Any, ...]:
    """Return what the vendor said of a lock last time, in the order it is compared and written."""
    return (
        row["marking"], row["has_clock"], row["clock_set_at"], row["honours_limits"], row["online_required"],
        row["is_networked"], row["hidden_rights"], list(row["rights"]),
        list(row["programmed"]) if row["programmed"] is not None else None, row["family"], row["firmware"],
    )  # fmt: skip


def lock_of(row: asyncpg.Record) -> VendorLock:
    """Read a lock back into the port's word for it."""
    return VendorLock(
        vendor_lock=row["external_id"],
        marking=row["marking"],
        rights=frozenset(row["rights"]),
        has_clock=row["has_clock"],
        clock_set_at=row["clock_set_at"],
        honours_limits=row["honours_limits"],
        online_required=row["online_required"],
        is_networked=row["is_networked"],
        hidden_rights=row["hidden_rights"],
        programmed=frozenset(row["programmed"]) if row["programmed"] is not None else None,
        family=row["family"],
        firmware=row["firmware"],
    )


def right_of(row: asyncpg.Record) -> VendorRight:
    """Read a right back into the port's word for it."""
    return VendorRight(row["external_id"], row["name"], frozenset(row["locks"]), row["writable"])
