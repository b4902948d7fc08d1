"""Standing rights of adopted keys: taking them up, following changes made elsewhere, ending them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId, KeySystemId, ZoneId
from key2xs.core.sql import load_queries
from key2xs.keys.port import KeyReading, VendorRight
from key2xs.keys.program import EMPTY_PROGRAM, Program
from key2xs.keys.registry import right_of
from key2xs.keys.types import StoredKey
from key2xs.keys.wire import program_json, program_of
from key2xs.ledger import Entry, Lane, Ledger, typed

from .adopting import adopt_if_waiting
from .kept import Kept, keep

_SQL = load_queries("key2xs.keys.adoption")
_KEYS = load_queries("key2xs.keys")

ENDED_HERE = frozenset({"enforced", "revoked", "lapsed"})
"""Ended by Key2XS or on its word; such a right is not taken up again by itself."""


class Standing:
    """What keys keep from before."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every change with `ledger`."""
        self._ledger = ledger
        self._zones: dict[KeySystemId, tuple[Any, dict[str, tuple[ZoneId, str]]]] = {}
        self._rights: dict[KeySystemId, tuple[Any, list[VendorRight]]] = {}

    async def kept_of(self, tx: Connection, key_id: KeyId) -> Program:
        """Return what a key keeps, by what was stored last."""
        stored = await tx.fetchval(_SQL["kept_of"], key_id)
        return program_of(stored) if stored is not None else EMPTY_PROGRAM

    async def now(
        self, tx: Connection, key: StoredKey, at: datetime, *, also: Collection[ZoneId] = ()
    ) -> Kept:
        """Return what a key keeps in the present modes of the zones; `also` counts zones as enforced.

        Emergency keys keep everything: no act on many keys ends what they open (S1).
        """
        program = EMPTY_PROGRAM if key.adopted_at is None else await self.kept_of(tx, key.id)
        if program.opens_nothing:
            return Kept(program, {})
        inside = (
            frozenset[str]() if key.emergency else await self.enforced_locks(tx, key.system_id, also=also)
        )
        return keep(program, await self.catalogue(tx, key.system_id), inside, at=at)

    async def enforced_locks(
        self, tx: Connection, system_id: KeySystemId, *, also: Collection[ZoneId] = ()
    ) -> frozenset[str]:
        """Return the locks of a system that lie in enforced zones. A lock nobody mapped lies in none."""
        zones = await self.zones_of_locks(tx, system_id)
        return frozenset(lock for lock, (zone, mode) in zones.items() if mode == "enforce" or zone in also)

    async def zones_of_locks(self, tx: Connection, system_id: KeySystemId) -> dict[str, tuple[ZoneId, str]]:
        """Return zone and mode of each lock of a system that is mapped."""
        version = await tx.fetchval(_SQL["places_version"])
        found = self._zones.get(system_id)
        if found is None or found[0] != version:
            rows = await tx.fetch(_SQL["locks_of_zones"], system_id)
            found = (version, {row["external_id"]: (row["zone_id"], row["mode"]) for row in rows})
            self._zones[system_id] = found
        return found[1]

    async def catalogue(self, tx: Connection, system_id: KeySystemId) -> list[VendorRight]:
        """Return the rights of a key system."""
        version = await tx.fetchval(_SQL["rights_version"], system_id)
        found = self._rights.get(system_id)
        if found is None or found[0] != version:
            rows = await tx.fetch(_KEYS["rights_of_system"], system_id)
            found = (version, [right_of(row) for row in rows])
            self._rights[system_id] = found
        return found[1]

    async def is_left_alone(self, tx: Connection, key_id: KeyId) -> bool:
        """Tell whether the newest program of a key is somebody else's: then nothing of ours waits to be sent."""
        return bool(await tx.fetchval(_SQL["newest_origin"], key_id) != "ours")

    async def end(
        self, tx: Connection, key: StoredKey, *, reason: str, actor: str, at: datetime
    ) -> frozenset[str]:
        """End everything that a key keeps, on somebody's word; returns which rights."""
        await self._ledger.lock_heads(tx, [f"standing:{key.id}"])
        program = await self.kept_of(tx, key.id)
        if program.opens_nothing:
            return frozenset()
        kept = Kept(EMPTY_PROGRAM, dict.fromkeys(program.rights, "revoked"))
        await store_kept(tx, self._ledger, [(key.id, key.system_id, kept)], at, actor=actor, reason=reason)
        return program.rights

    async def end_enforced(self, tx: Connection, at: datetime, *, also: Collection[ZoneId] = ()) -> int:
        """End every standing right that opens a lock in an enforced zone; returns of how many keys.

        `also`: zones that were enforced, though they are not any more.
        """
        ended = 0
        for system in await tx.fetch(_KEYS["list_systems"]):
            system_id = KeySystemId(system["id"])
            inside = await self.enforced_locks(tx, system_id, also=also)
            if not inside:
                continue
            rows = await tx.fetch(_SQL["keys_keeping_enforced"], system_id, sorted(inside))
            ids = sorted(row["key_id"] for row in rows)
            await self._ledger.lock_heads(tx, [f"standing:{key}" for key in ids])
            catalogue = await self.catalogue(tx, system_id)
            changes = [
                (KeyId(row["id"]), system_id, keep(program_of(row["program"]), catalogue, inside, at=at))
                for row in await tx.fetch(_SQL["kept_of_many"], ids)
            ]
            changes = [change for change in changes if change[2].changed]
            await store_kept(tx, self._ledger, changes, at)
            ended += len(changes)
        return ended

    async def follow(self, tx: Connection, key: StoredKey, reading: KeyReading, at: datetime) -> bool:
        """Take over what somebody changed in the vendor's own tool; True when the key must be planned again.

        A key that was handed out before it was read is adopted here. In zones that are not enforced Key2XS only follows. What we wrote ourselves, and what was ended here, is never
        taken for somebody else's wish, whenever it turns up again.
        """
        if key.adopted_at is None:
            return await adopt_if_waiting(tx, self._ledger, key, at)
        planned = reading.planned or EMPTY_PROGRAM
        written = [program_of(row["program"]) for row in await tx.fetch(_SQL["our_programs"], key.id)]
        if key.blocked_at is not None or planned in written:
            return False
        await self._ledger.lock_heads(tx, [f"standing:{key.id}"])
        seen = await tx.fetchval(_SQL["seen_of"], key.id)
        if seen is not None and program_of(seen) == planned:
            return False
        kept = await self.kept_of(tx, key.id)
        history = await tx.fetch(_SQL["standing_of_key"], key.id)
        before = {row["right_id"] for row in history}
        ended = {row["right_id"] for row in history if row["why"] in ENDED_HERE}
        ours = frozenset[str]().union(*(program.rights for program in written)) - before
        new = planned.rights - kept.rights - ours - ended
        new -= await self._enforced_among(tx, key, new)
        gone = kept.rights - planned.rights
        limits = kept
        if not await tx.fetchval(_SQL["grants_on"], key.id) and not any(
            _limits(planned) == _limits(program) for program in written
        ):
            limits = planned
        rights = (kept.rights | new) - gone
        after = replace(limits, rights=rights) if rights else EMPTY_PROGRAM
        await self._followed(tx, key, after, planned, new, gone, at)
        return after != kept

    async def _enforced_among(self, tx: Connection, key: StoredKey, rights: Iterable[str]) -> frozenset[str]:
        asked = frozenset(rights)
        if not asked:
            return asked
        inside = await self.enforced_locks(tx, key.system_id)
        return frozenset(
            right.right
            for right in await self.catalogue(tx, key.system_id)
            if right.right in asked and right.locks & inside
        )

    async def _followed(
        self,
        tx: Connection,
        key: StoredKey,
        after: Program,
        seen: Program,
        new: Collection[str],
        gone: Collection[str],
        at: datetime,
    ) -> None:
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:standing:follow",
                occurred_at=at,
                recorded_at=at,
                actor="system:keys",
                subjects=(key.subject, f"key_system:{key.system_id}"),
                heads=(f"standing:{key.id}",),
                body={"kept": program_json(after), "new": [*sorted(new)], "gone": [*sorted(gone)]},
            ),
        )
        await tx.execute(_SQL["put_followed"], key.id, program_json(after), program_json(seen), entry)
        if gone:
            await tx.execute(_SQL["end_rights"], key.id, sorted(gone), at, "gone", entry)
        for right in sorted(new):
            await tx.execute(_SQL["take_up_right"], key.id, right, at, entry)


async def store_kept(
    tx: Connection,
    ledger: Ledger,
    changes: Sequence[tuple[KeyId, KeySystemId, Kept]],
    at: datetime,
    *,
    actor: str = "system:keys",
    reason: str = "",
) -> None:
    """Store what keys keep from now on, and end what they no longer keep; one entry a key."""
    numbers = await ledger.record_many(
        tx,
        [
            Entry(
                kind="keys:standing:end",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"key:{key_id}", f"key_system:{system_id}"),
                heads=(f"standing:{key_id}",),
                body={
                    "kept": program_json(kept.program),
                    "ended": dict(sorted(kept.ended.items())),
                    "instead": [*sorted(kept.instead)],
                    **({"reason": typed(actor, reason)} if reason else {}),
                },
                lane=Lane.CONTROL if "revoked" in kept.ended.values() else Lane.BULK,
            )
            for key_id, system_id, kept in changes
        ],
    )
    puts, ends, news = [], [], []
    for (key_id, _, kept), entry in zip(changes, numbers, strict=True):
        puts.append((key_id, program_json(kept.program), entry))
        ends += [
            (key_id, sorted(right for right, each in kept.ended.items() if each == why), at, why, entry)
            for why in sorted(set(kept.ended.values()))
        ]
        news += [(key_id, right, at, entry) for right in sorted(kept.instead)]
    await tx.executemany(_SQL["put_kept"], puts)
    await tx.executemany(_SQL["end_rights"], ends)
    await tx.executemany(_SQL["take_up_right"], news)


def _limits(program: Program) -> Program:
    return replace(program, rights=frozenset())
