"""Warnings before a memory loses rows that nobody read: told once, and taken back when it was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from key2xs.core.database import Connection, Database
from key2xs.core.ids import KeySystemId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger

from .forecast import Ring
from .reads import cylinders, foretold, keys_running_over

_SQL = load_queries("key2xs.keys.coverage")
_Memory: TypeAlias = tuple[KeySystemId, str, str]

PACE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class MemoryWarning:
    """A memory that is expected to lose rows. `area` and the rest: of a lock."""

    id: UUID
    system_id: KeySystemId
    memory: str
    external_id: str
    name: str | None
    expected_at: datetime
    raised_at: datetime
    area: str | None
    unit: str | None
    zone: str | None
    access_point: str | None


async def memory_warnings(tx: Connection) -> list[MemoryWarning]:
    """Return the memories that are expected to lose rows before long, the soonest first."""
    rows = await tx.fetch(_SQL["open_memory_warnings"])
    return [MemoryWarning(**{name: row[name] for name in MemoryWarning.__slots__}) for row in rows]


class MemoryLoop:
    """Looks once an hour which memories run over before long."""

    name = "keys:memories"
    heeds: Final[tuple[str, ...]] = ()

    def __init__(
        self, database: Database, ledger: Ledger, rings: Mapping[str, Ring], ahead: timedelta
    ) -> None:
        """`rings` by the name of the key system; `ahead`: how long before it happens people are told."""
        self._database, self._ledger, self._rings, self._ahead = database, ledger, rings, ahead
        self._due: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Tell what is new and take back what is over."""
        if self._due is None or now >= self._due:
            async with self._database.read() as tx:
                soon = await self._soon(tx, now)
                told = {_memory(each) for each in await memory_warnings(tx)}
            if soon.keys() != told:
                await self._database.transact(lambda tx: self._tell_all(tx, soon, now))
            self._due = now + PACE
        return self._due

    async def _tell_all(
        self, tx: Connection, soon: Mapping[_Memory, tuple[str | None, datetime]], now: datetime
    ) -> None:
        # One worker tells at a time; what another one told meanwhile is seen after the lock.
        await self._ledger.lock_heads(tx, ["key:memories"])
        stored = {_memory(each): each for each in await memory_warnings(tx)}
        for memory in sorted(soon.keys() - stored.keys()):
            subject, expected_at = soon[memory]
            entry = await self._tell(tx, "warn", subject, memory, expected_at, now)
            await tx.execute(_SQL["add_memory_warning"], new_id(), *memory, expected_at, now, entry)
        for memory in sorted(stored.keys() - soon.keys()):
            warned = stored[memory]
            entry = await self._tell(tx, "clear", None, memory, warned.expected_at, now)
            await tx.execute(_SQL["clear_memory_warning"], warned.id, now, entry)

    async def _soon(self, tx: Connection, now: datetime) -> dict[_Memory, tuple[str | None, datetime]]:
        found: dict[_Memory, tuple[str | None, datetime]] = {}
        for line in await foretold(tx, await cylinders(tx, now), self._rings, now):
            at = line.forecast.expected_at
            if line.system_id is not None and at is not None and at - now <= self._ahead:
                found[line.system_id, "lock", line.external_id] = (f"cylinder:{line.cylinder_id}", at)
        for each, at in await keys_running_over(tx, now, self._rings):
            if at - now <= self._ahead:
                found[each.system_id, "key", each.external_id] = (f"key:{each.key_id}", at)
        return found

    async def _tell(
        self,
        tx: Connection,
        action: str,
        subject: str | None,
        memory: _Memory,
        expected_at: datetime,
        now: datetime,
    ) -> int:
        system_id, kind, name = memory
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"keys:memory:{action}",
                occurred_at=now,
                recorded_at=now,
                actor="system:keys",
                subjects=(*((subject,) if subject else ()), f"key_system:{system_id}"),
                body={"memory": kind, "of": name, "expected_at": expected_at.isoformat()},
                lane=Lane.CONTROL if action == "warn" else Lane.BULK,
            ),
        )


def _memory(warning: MemoryWarning) -> _Memory:
    return (warning.system_id, warning.memory, warning.external_id)
