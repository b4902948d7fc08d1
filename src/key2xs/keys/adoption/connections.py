"""Connections to key systems: they start read-only; a person switches writing on, with a reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NeedsPerson, NotFound
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger, typed

_SQL = load_queries("key2xs.keys.adoption")
_HOOKS = load_queries("key2xs.keys", "queries_hooks.sql")

READ_ONLY: Final = (
    "the connection is read-only: nothing is written to this key system until a person switches it on"
)


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """One connection: whether it may write, since when and why; and whether the brake holds it."""

    id: KeySystemId
    name: str
    vendor: str
    writes: bool
    writes_at: datetime | None
    writes_reason: str | None
    inventory_at: datetime | None
    stopped_at: datetime | None
    why: str | None
    keys: int
    adopted: int


class Connections:
    """Switching connections between reading and writing."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every switch with `ledger`."""
        self._ledger = ledger

    async def all(self, tx: Connection) -> list[ConnectionState]:
        """Return all connections by name."""
        return [ConnectionState(**row) for row in await tx.fetch(_SQL["connections"])]

    async def get(self, tx: Connection, name: str) -> ConnectionState:
        """Return the connection of a configured name.

        Raises:
            NotFound: there is none.
        """
        found = [each for each in await self.all(tx) if each.name == name]
        if not found:
            message = f"there is no key system {name}"
            raise NotFound(message)
        return found[0]

    async def switch(
        self, tx: Connection, system_id: KeySystemId, *, writes: bool, reason: str, actor: str, at: datetime
    ) -> None:
        """Let a connection write, or stop it from writing anything at all, also what ends access.

        Raises:
            InvalidInput: no reason.
            Conflict: it is so already.
        """
        if not reason.strip():
            raise InvalidInput("reason", "say why")
        subject = f"key_system:{system_id}"
        await self._ledger.lock_heads(tx, [f"writes:{system_id}"])
        if await tx.fetchval(_SQL["may_write"], system_id) == writes:
            raise Conflict(
                "the connection writes already" if writes else "the connection is read-only already"
            )
        if writes:
            await self._ledger.require_widening(tx)
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:system:writes",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(subject,),
                heads=(f"writes:{system_id}",),
                body={"writes": writes, "reason": typed(actor, reason.strip())},
                lane=Lane.CONTROL,
            ),
        )
        await tx.execute(_SQL["switch_writes"], system_id, writes, at, reason.strip(), entry)
        await tx.execute(_SQL["mark_system"], system_id, at)

    async def sign_in_again(
        self, tx: Connection, system_id: KeySystemId, *, reason: str, actor: str, at: datetime
    ) -> None:
        """Let every process try once more to sign in, after the vendor had refused it for good.

        Raises:
            InvalidInput: no reason.
        """
        if not reason.strip():
            raise InvalidInput("reason", "say what was put right")
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:system:sign_in",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"key_system:{system_id}",),
                body={"reason": typed(actor, reason.strip())},
                lane=Lane.CONTROL,
            ),
        )
        await tx.execute(_HOOKS["ask_sign_in"], system_id, at, entry)
        await tx.execute(_SQL["mark_system"], system_id, at)


async def require_writes(tx: Connection, system_id: KeySystemId) -> None:
    """Refuse to write over a connection that only reads.

    Raises:
        NeedsPerson: says who does what.
    """
    if not await tx.fetchval(_SQL["may_write"], system_id):
        raise NeedsPerson("security manager", READ_ONLY)
