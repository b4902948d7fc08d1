"""Comparing each listing of a key system with the one before: keys, locks, and the locks of rights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId, KeySystemId
from key2xs.core.sql import load_queries
from key2xs.keys.port import Inventory
from key2xs.ledger import Ledger

from .making import Where, close, make, mark_of
from .types import Change, Kind

_SQL = load_queries("key2xs.keys.drift")
_KEYS = load_queries("key2xs.keys")

_RETURNING: Final = ["return_key"]  # a key that we hand back at the maker is deleted there


@dataclass(frozen=True, slots=True)
class Listed:
    """What was listed before, by the maker's ids."""

    keys: Mapping[str, Any]
    locks: Mapping[str, Any]
    rights: Mapping[str, Any]
    plans: Mapping[str, frozenset[str]]
    """Which rights locks were to hold, where the maker tells a plan for a lock."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit that a listing shows, and the locks that decide its zones. `opens`: locks that it made open to more."""

    where: Where
    change: Change
    locks: frozenset[str] = frozenset()
    opens: frozenset[str] = frozenset()


class Listings:
    """Compares listings."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every finding with `ledger`."""
        self._ledger = ledger

    async def before(self, tx: Connection, system_id: KeySystemId) -> Listed | None:
        """Return what was listed before; None at the first listing, when everything is new and nothing an edit."""
        if await tx.fetchval(_SQL["first_listed"], system_id) is None:
            return None
        return Listed(
            keys={row["external_id"]: row for row in await tx.fetch(_KEYS["keys_of_system"], system_id)},
            locks={row["external_id"]: row for row in await tx.fetch(_KEYS["locks_of_system"], system_id)},
            rights={row["external_id"]: row for row in await tx.fetch(_KEYS["rights_of_system"], system_id)},
            plans={
                row["external_id"]: frozenset(row["rights"])
                for row in await tx.fetch(_SQL["lock_plans"], system_id)
            },
        )

    async def look(
        self, tx: Connection, system_id: KeySystemId, before: Listed | None, found: Inventory, at: datetime
    ) -> None:
        """Find what somebody edited between two listings; call it when the new one is stored.

        Keys of which the listing says something else than their last reading are read at once.
        """
        await self._note_plans(tx, system_id, before, found)
        if before is None:
            return
        # A lock that is listed no longer explains why its rights open one lock less.
        gone = before.locks.keys() - {lock.vendor_lock for lock in found.locks}
        edits = [
            *await self._keys(tx, system_id, before, found),
            *rights_edits(system_id, before, found, gone),
            *_hidden(system_id, before, found),
            *await self._unlisted(tx, system_id, "lock", before.locks.keys(), before.locks.keys() - gone),
        ]
        undone = await self._close(tx, system_id, found, edits, at)
        for edit in edits:
            if (edit.change.kind, edit.where, str(edit.change.after)) in undone:
                continue  # it only took back what the finding that was closed now had told
            enforced = await tx.fetchval(_SQL["enforced_among"], system_id, sorted(edit.opens))
            await make(
                tx, self._ledger, edit.where, edit.change, edit.locks,
                ad_hoc=bool(enforced), wanted=None, seen_at=found.as_of, at=at,
            )  # fmt: skip
        await self._wake(tx, system_id, found, at)

    @staticmethod
    async def _note_plans(
        tx: Connection, system_id: KeySystemId, before: Listed | None, found: Inventory
    ) -> None:
        plans = before.plans if before is not None else {}
        new = [
            (system_id, lock.vendor_lock, sorted(lock.planned))
            for lock in found.locks
            if lock.planned is not None and plans.get(lock.vendor_lock) != lock.planned
        ]
        if new:
            await tx.executemany(_SQL["put_lock_plan"], new)

    async def _keys(
        self, tx: Connection, system_id: KeySystemId, before: Listed, found: Inventory
    ) -> list[Edit]:
        listed = {key.vendor_key for key in found.keys}
        edits = []
        for key in found.keys:
            old = before.keys.get(key.vendor_key)
            if old is None and not key.deleted:
                key_id = await tx.fetchval(_KEYS["find_vendor_key"], system_id, key.vendor_key)
                where = Where(system_id, KeyId(key_id))
                edits.append(Edit(where, Change("new_key", None, {"marking": key.marking})))
            elif old is not None and key.deleted and not old["deleted"]:
                if await tx.fetchval(_SQL["called_for_key"], old["id"], _RETURNING):
                    continue
                edits.append(Edit(Where(system_id, KeyId(old["id"])), Change("deleted", False, True)))
        in_use = [name for name, row in before.keys.items() if not row["deleted"]]
        missing = await self._unlisted(tx, system_id, "key", in_use, listed)
        for edit in missing:
            name = edit.where.lock or ""
            key_id = KeyId(before.keys[name]["id"])
            if not await tx.fetchval(_SQL["called_for_key"], key_id, _RETURNING):
                edits.append(Edit(Where(system_id, key_id), Change("unlisted", True, False)))
        return edits

    @staticmethod
    async def _unlisted(
        tx: Connection, system_id: KeySystemId, what: str, known: Iterable[str], listed: Iterable[str]
    ) -> list[Edit]:
        """Return what an earlier listing had and this one has not, told once."""
        now, told = set(listed), set()
        for row in await tx.fetch(_SQL["unlisted_of"], system_id):
            if row["what"] != what:
                continue
            if row["external_id"] in now:
                await tx.execute(_SQL["drop_unlisted"], system_id, what, row["external_id"])
            else:
                told.add(row["external_id"])
        edits = []
        for name in sorted(set(known) - now - told):
            await tx.execute(_SQL["put_unlisted"], system_id, what, name)
            change = Change("lock_unlisted", True, False)
            edits.append(Edit(Where(system_id, lock=name), change, frozenset({name})))
        return edits

    async def _close(
        self, tx: Connection, system_id: KeySystemId, found: Inventory, edits: Iterable[Edit], at: datetime
    ) -> set[tuple[Kind, Where, str]]:
        """Close what the listing shows no longer, and what was edited once more; return what was so before those."""
        undone = set[tuple[Kind, Where, str]]()
        again = {(edit.change.kind, edit.where.lock, edit.where.right) for edit in edits}
        values = _values(found)
        names = {row["id"]: row["external_id"] for row in await tx.fetch(_KEYS["keys_of_system"], system_id)}
        for row in await tx.fetch(_SQL["unsettled_listed"], system_id):
            kind: Kind = row["kind"]
            where = Where(system_id, row["key_id"], row["lock_external_id"], row["right_id"])
            name = names.get(where.key_id) if where.key_id is not None else where.lock or where.right
            if kind != "new_key" and (
                values(kind, where, name) != row["after"]
                or (where.key_id is None and (kind, where.lock, where.right) in again)
            ):
                await close(tx, self._ledger, row["id"], where, "gone", seen_at=found.as_of, at=at)
                undone.add((kind, where, str(row["before"])))
        return undone

    @staticmethod
    async def _wake(tx: Connection, system_id: KeySystemId, found: Inventory, at: datetime) -> None:
        listed = {key.vendor_key: key for key in found.keys}
        due = []
        for row in await tx.fetch(_SQL["seen_flags"], system_id):
            key = listed.get(row["external_id"])
            if key is None or key.deleted:
                continue
            if key.blocked != row["blocked"] or mark_of(KeyId(row["id"]), key.holder_ref) != row["holder"]:
                due.append(row["target_id"])
        if due:
            await tx.execute(_SQL["look_now"], due, at)


def rights_edits(
    system_id: KeySystemId, before: Listed, found: Inventory, gone: Iterable[str] = ()
) -> list[Edit]:
    """Return edits of which right opens which lock.

    The same edit shows at the lock and at the right. It is told once, of whichever fewer things changed: a group that got
    ten members is one edit, and so is a lock that lost three rights.
    """
    pairs_before, pairs_now = _pairs_before(before, found, frozenset(gone)), pairs_of(found)
    known = {lock.vendor_lock for lock in found.locks} & before.locks.keys()
    # What came new is the business of whoever takes it in; only what both listings know can have been edited.
    changed = {
        (right, lock) for right, lock in pairs_before ^ pairs_now if right in before.rights and lock in known
    }
    if not changed:
        return []
    rights, locks = {right for right, _ in changed}, {lock for _, lock in changed}
    if len(rights) < len(locks):
        return [_of_right(system_id, right, changed, pairs_now, pairs_before) for right in sorted(rights)]
    return [_of_lock(system_id, lock, changed, pairs_now, pairs_before) for lock in sorted(locks)]


def pairs_of(found: Inventory) -> set[tuple[str, str]]:
    """Return which right opens which lock as it is planned: what a lock was programmed with follows at a visit."""
    planned = {lock.vendor_lock: lock.planned for lock in found.locks if lock.planned is not None}
    return {(right, lock) for lock, rights in planned.items() for right in rights} | {
        (right.right, lock) for right in found.rights for lock in right.locks if lock not in planned
    }


def _pairs_before(before: Listed, found: Inventory, gone: frozenset[str]) -> set[tuple[str, str]]:
    planned = {lock.vendor_lock for lock in found.locks if lock.planned is not None}
    return {(right, lock) for lock in planned for right in before.plans.get(lock, frozenset())} | {
        (right, lock)
        for right, row in before.rights.items()
        for lock in row["locks"]
        if lock not in gone and lock not in planned
    }


def _of_right(
    system_id: KeySystemId,
    right: str,
    changed: set[tuple[str, str]],
    now: set[tuple[str, str]],
    before: set[tuple[str, str]],
) -> Edit:
    locks = frozenset(lock for each, lock in changed if each == right)
    change = Change(
        "group",
        sorted(lock for each, lock in before if each == right),
        sorted(lock for each, lock in now if each == right),
    )
    opens = frozenset(lock for lock in locks if (right, lock) in now)
    return Edit(Where(system_id, right=right), change, locks, opens)


def _of_lock(
    system_id: KeySystemId,
    lock: str,
    changed: set[tuple[str, str]],
    now: set[tuple[str, str]],
    before: set[tuple[str, str]],
) -> Edit:
    was = sorted(right for right, each in before if each == lock)
    after = sorted(right for right, each in now if each == lock)
    added = any((right, each) in now for right, each in changed if each == lock)
    here = frozenset({lock})
    return Edit(
        Where(system_id, lock=lock), Change("lock_rights", was, after), here, here if added else frozenset()
    )


def _hidden(system_id: KeySystemId, before: Listed, found: Inventory) -> list[Edit]:
    return [
        Edit(
            Where(system_id, lock=lock.vendor_lock),
            Change("hidden_rights", False, True),
            frozenset({lock.vendor_lock}),
        )
        for lock in found.locks
        if lock.hidden_rights
        and lock.vendor_lock in before.locks
        and not before.locks[lock.vendor_lock]["hidden_rights"]
    ]


def _values(found: Inventory) -> Any:
    """Return how to look up what a listing says now of what a finding is about."""
    keys = {key.vendor_key: key for key in found.keys}
    locks = {lock.vendor_lock: lock for lock in found.locks}
    rights: dict[str, list[str]] = {}
    by_lock: dict[str, list[str]] = {}
    for right, lock in sorted(pairs_of(found)):
        rights.setdefault(right, []).append(lock)
        by_lock.setdefault(lock, []).append(right)

    def value(kind: Kind, where: Where, name: str | None) -> Any:
        if name is None:
            return None
        if kind == "deleted":
            return keys[name].deleted if name in keys else True
        if kind == "unlisted":
            return name in keys
        if kind == "lock_unlisted":
            return name in locks
        if kind == "hidden_rights":
            return name in locks and locks[name].hidden_rights
        if kind == "group":
            return rights.get(where.right or "", [])
        return by_lock.get(name, [])

    return value
