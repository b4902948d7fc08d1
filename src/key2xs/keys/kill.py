"""Writing desired state in the very transaction that ends a grant or blocks a key.

Everything else reaches the targets through the log. A kill does not wait for that: when its transaction commits,
what is wanted on the key has changed already, and the reconciler finds it due and urgent.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.haste import hurry
from key2xs.core.ids import KeyId, KeySystemId, PersonId
from key2xs.core.sql import load_queries

from .connected import Connected
from .custody import Custody
from .lanes import WorkLane
from .openers import Openers
from .planner import Planner
from .registry import Registry
from .targets import Targets
from .types import StoredKey

_SQL = load_queries("key2xs.keys")


class Kill:
    """Narrows targets at once."""

    def __init__(
        self, registry: Registry, custody: Custody, targets: Targets, planner: Planner, openers: Openers
    ) -> None:
        """Plan with `planner`; key systems are connected later."""
        self._registry, self._custody, self._targets = registry, custody, targets
        self._planner, self._openers = planner, openers
        self._systems: dict[KeySystemId, Connected] = {}

    @property
    def systems(self) -> Mapping[KeySystemId, Connected]:
        """The key systems that are connected."""
        return self._systems

    def connect(self, system: Connected) -> None:
        """Make a key system known."""
        self._systems[system.system_id] = system

    async def narrow_persons(self, tx: Connection, persons: Iterable[PersonId], at: datetime) -> int:
        """Plan every key of these people again, now; returns how many keys."""
        count = 0
        for person in sorted(set(persons)):
            for key in await self._custody.keys_of(tx, person, at):
                await self._narrow(tx, key, at)
                count += 1
        return count

    async def narrow_key(self, tx: Connection, key_id: KeyId, at: datetime) -> None:
        """Plan one key again, now."""
        await self._narrow(tx, await self._registry.get_key(tx, key_id), at)

    async def _narrow(self, tx: Connection, key: StoredKey, at: datetime) -> None:
        hurry()
        target = await self._targets.ensure(tx, key, at)
        system = self._systems.get(key.system_id)
        if system is not None:
            wanted = await self._planner.plan(
                tx,
                key,
                system.port.capabilities,
                offline_expires_after=system.offline_expires_after,
                deliver_ahead=system.deliver_ahead,
                at=at,
            )
            if await self._targets.wish(tx, key, target, wanted, at):
                await self._openers.refresh(tx, key, at)
        await tx.execute(_SQL["mark_work"], target.id, at, WorkLane.KILL)
