"""The first difference: exactly what switching a zone to *enforce* would change on which keys."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId, KeySystemId, PersonId, ZoneId, new_id
from key2xs.core.sql import load_queries
from key2xs.grants.lists import people_at
from key2xs.keys.connected import Connected
from key2xs.keys.custody import Custody
from key2xs.keys.planner import Planner
from key2xs.keys.port import VendorRight
from key2xs.keys.program import Program
from key2xs.keys.registry import Registry
from key2xs.keys.types import StoredKey
from key2xs.keys.wire import program_of
from key2xs.ledger import Entry, Ledger
from key2xs.plant import list_cylinders

from .kept import keep
from .standing import Standing

_SQL = load_queries("key2xs.keys.adoption")
_ALL = 100_000  # more locks than any zone has


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What would change on one key, in locks. `elsewhere`: locks outside the zone that go with a right.

    `needs_person`: a right that the interface may not take off; somebody has to, with the vendor's own tool.
    """

    key_id: str
    stamp: str
    system: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    elsewhere: tuple[str, ...]
    rights_off: tuple[str, ...]
    needs_person: bool


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """All changes, and the keys that open something in the zone and stay as they are because nobody adopted them."""

    zone_id: ZoneId
    at: datetime
    changes: tuple[KeyChange, ...]
    not_adopted: tuple[str, ...]
    by_system: Mapping[KeySystemId, int]

    @property
    def digest(self) -> str:
        """A short text that changes with anything that matters: which keys, which locks."""
        lines = [[c.key_id, *c.takes, "+", *c.gives] for c in self.changes]
        return hashlib.sha256(json.dumps([lines, self.not_adopted]).encode()).hexdigest()[:16]

    @property
    def counts(self) -> dict[str, int]:
        """What is said about it in one line."""
        return {
            "keys": len(self.changes),
            "keys_losing": sum(bool(c.takes or c.elsewhere) for c in self.changes),
            "keys_gaining": sum(bool(c.gives) for c in self.changes),
            "keys_losing_elsewhere": sum(bool(c.elsewhere) for c in self.changes),
            "needing_a_person": sum(c.needs_person for c in self.changes),
            "not_adopted": len(self.not_adopted),
        }


class FirstDifferences:
    """Works differences out, and keeps those that people were shown."""

    def __init__(
        self, ledger: Ledger, registry: Registry, custody: Custody, planner: Planner, standing: Standing
    ) -> None:
        """Plan with `planner`."""
        self._ledger, self._registry, self._custody = ledger, registry, custody
        self._planner, self._standing = planner, standing

    async def of_zone(
        self, tx: Connection, zone_id: ZoneId, systems: Mapping[KeySystemId, Connected], at: datetime
    ) -> FirstDifference:
        """Return what would change now if the zone were enforced."""
        cylinders = await list_cylinders(tx, zone_id=zone_id, limit=_ALL)
        changes: list[KeyChange] = []
        by_system: dict[KeySystemId, int] = {}
        for system in await self._registry.systems(tx):
            zones = await self._standing.zones_of_locks(tx, system.id)
            inside = frozenset(lock for lock, (zone, _) in zones.items() if zone == zone_id)
            planned = await self._planned(tx, zone_id, systems.get(system.id), system.id, cylinders, at)
            found = await self._kept(tx, system.id, zone_id, inside, set(planned), at)
            catalogue = await self._standing.catalogue(tx, system.id)
            marks = {row["lock"]: row["marking"] for row in await tx.fetch(_SQL["markings"], system.id)}
            news = [
                _change(key, system.name, before, after, catalogue, inside, marks)
                for key, before, after in [*planned.values(), *found]
                if before.rights != after.rights
            ]
            by_system[system.id] = len(news)
            changes += news
        rows = await tx.fetch(_SQL["not_adopted_in_zone"], zone_id)
        return FirstDifference(
            zone_id,
            at,
            tuple(sorted(changes, key=lambda change: (change.stamp, change.key_id))),
            tuple(row["stamp"] for row in rows),
            by_system,
        )

    async def keep(self, tx: Connection, found: FirstDifference, actor: str, at: datetime) -> UUID:
        """Store a difference that somebody was shown; returns its id."""
        made = new_id()
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:difference:show",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"zone:{found.zone_id}", f"difference:{made}"),
                body={"digest": found.digest, **found.counts},
            ),
        )
        lines = [asdict(change) for change in found.changes]
        await tx.execute(
            _SQL["keep_difference"], made, found.zone_id, "enforce", at, found.digest, lines, entry
        )
        return made

    async def shown(self, tx: Connection, difference_id: UUID) -> tuple[KeyChange, ...]:
        """Return the changes of a stored difference."""
        lines = await tx.fetchval(_SQL["shown_difference"], difference_id) or []
        return tuple(_change_of(line) for line in lines)

    async def _kept(
        self,
        tx: Connection,
        system_id: KeySystemId,
        zone_id: ZoneId,
        inside: frozenset[str],
        without: Collection[KeyId],
        at: datetime,
    ) -> list[tuple[tuple[KeyId, str], Program, Program]]:
        """Return keys that keep something in the zone and carry no grant: worked out without planning each."""
        if not inside:
            return []
        ids = [
            row["key_id"] for row in await tx.fetch(_SQL["keys_keeping_enforced"], system_id, sorted(inside))
        ]
        enforced = await self._standing.enforced_locks(tx, system_id)
        both = await self._standing.enforced_locks(tx, system_id, also=(zone_id,))
        catalogue = await self._standing.catalogue(tx, system_id)
        found = []
        for row in await tx.fetch(_SQL["kept_of_many"], ids):
            if row["id"] not in without:
                program = program_of(row["program"])
                before = keep(program, catalogue, enforced, at=at).program
                found.append(
                    ((KeyId(row["id"]), row["stamp"]), before, keep(program, catalogue, both, at=at).program)
                )
        return found

    async def _planned(
        self,
        tx: Connection,
        zone_id: ZoneId,
        connected: Connected | None,
        system_id: KeySystemId,
        cylinders: Sequence[Any],
        at: datetime,
    ) -> dict[KeyId, tuple[tuple[KeyId, str], Program, Program]]:
        """Return the adopted keys of people with grants in the zone, planned with and without the switch."""
        if connected is None:
            return {}
        persons: Collection[PersonId] = await people_at(tx, [cylinder.id for cylinder in cylinders])
        keys: dict[KeyId, StoredKey] = {}
        for person in sorted(persons):
            for key in await self._custody.keys_of(tx, person, at):
                if key.system_id == system_id and key.adopted_at is not None:
                    keys[key.id] = key
        found = {}
        for key in keys.values():
            pair = [
                (
                    await self._planner.plan(
                        tx,
                        key,
                        connected.port.capabilities,
                        offline_expires_after=connected.offline_expires_after,
                        deliver_ahead=connected.deliver_ahead,
                        at=at,
                        also_enforced=also,
                    )
                ).program
                for also in ((), (zone_id,))
            ]
            found[key.id] = ((key.id, key.stamp), pair[0], pair[1])
        return found


def _change(
    key: tuple[KeyId, str],
    system: str,
    before: Program,
    after: Program,
    catalogue: Sequence[VendorRight],
    inside: frozenset[str],
    marks: Mapping[str, str],
) -> KeyChange:
    rights = {right.right: right for right in catalogue}

    def locks(program: Program) -> frozenset[str]:
        return frozenset[str]().union(*(rights[r].locks for r in program.rights if r in rights))

    was, will = locks(before), locks(after)
    off = before.rights - after.rights
    return KeyChange(
        key_id=str(key[0]),
        stamp=key[1],
        system=system,
        takes=_named((was - will) & inside, marks),
        gives=_named(will - was, marks),
        elsewhere=_named((was - will) - inside, marks),
        rights_off=tuple(sorted(rights[r].name if r in rights else r for r in off)),
        needs_person=any(r not in rights or not rights[r].writable for r in off),
    )


def _named(locks: Collection[str], marks: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(marks.get(lock, lock) for lock in locks))


def _change_of(line: Mapping[str, Any]) -> KeyChange:
    return KeyChange(
        key_id=line["key_id"],
        stamp=line["stamp"],
        system=line["system"],
        takes=tuple(line["takes"]),
        gives=tuple(line["gives"]),
        elsewhere=tuple(line["elsewhere"]),
        rights_off=tuple(line["rights_off"]),
        needs_person=line["needs_person"],
    )
