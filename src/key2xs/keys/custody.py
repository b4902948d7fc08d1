"""Who was handed which key, with certainty and in both times: when it was so, and when we knew."""

from datetime import datetime
from typing import Any

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import KeyId, PersonId
from key2xs.core.sql import load_queries
from key2xs.core.tri import Tri
from key2xs.ledger import Entry, Lane, Ledger
from key2xs.policy.types import Key

from .registry import Registry, key_of
from .types import StoredKey

_SQL = load_queries("key2xs.keys")


class Custody:
    """Handing out and taking back."""

    def __init__(self, ledger: Ledger, registry: Registry) -> None:
        """Record every act with `ledger`."""
        self._ledger, self._registry = ledger, registry

    async def hand_out(
        self, tx: Connection, key_id: KeyId, person_id: PersonId, *, actor: str, at: datetime
    ) -> StoredKey:
        """Hand a key to a person; the first hand-out through Key2XS adopts the key.

        Raises:
            NotFound: there is no such key.
            Conflict: somebody has it already, or it is blocked or deleted.
        """
        await self._ledger.lock_heads(tx, [f"key:{key_id}"])
        key = await self._registry.get_key(tx, key_id)
        if key.blocked_at is not None or key.deleted:
            message = f"key {key.stamp} is blocked or no longer in use; hand out another one"
            raise Conflict(message)
        holder = await self.holder_at(tx, key_id, at)
        if holder is not None:
            message = f"key {key.stamp} was handed out and has not come back; take it back first"
            raise Conflict(message)
        entry = await self._tell(tx, "keys:custody:hand_out", key, person_id, actor, at)
        await tx.execute(_SQL["insert_custody"], key_id, person_id, at, entry)
        if key.adopted_at is None:
            await tx.execute(_SQL["adopt_key"], key_id, at, entry)
        return await self._registry.get_key(tx, key_id)

    async def take_back(self, tx: Connection, key_id: KeyId, *, actor: str, at: datetime) -> PersonId:
        """Take a key back; returns who had it.

        Raises:
            NotFound: there is no such key.
            Conflict: nobody has it.
        """
        await self._ledger.lock_heads(tx, [f"key:{key_id}"])
        key = await self._registry.get_key(tx, key_id)
        holder = await self.holder_at(tx, key_id, at)
        if holder is None:
            message = f"key {key.stamp} was not handed out"
            raise Conflict(message)
        entry = await self._tell(tx, "keys:custody:take_back", key, holder, actor, at)
        row = await tx.fetchrow(_SQL["close_custody"], key_id, at, entry)
        if row is not None and row["since"] < at:
            await tx.execute(_SQL["insert_custody_span"], key_id, holder, row["since"], at, entry)
        return holder

    async def holder_at(self, tx: Connection, key_id: KeyId, at: datetime) -> PersonId | None:
        """Return who had a key at an instant, as known now."""
        holder: PersonId | None = await tx.fetchval(_SQL["holder_at"], key_id, at)
        return holder

    async def keys_of(self, tx: Connection, person_id: PersonId, at: datetime) -> list[StoredKey]:
        """Return the keys a person had at an instant, as known now."""
        return [key_of(row) for row in await tx.fetch(_SQL["keys_of_person"], person_id, at)]

    async def key_of(self, tx: Connection, person_id: PersonId, at: datetime) -> Key:
        """Tell policy about the key that would carry a grant; one that is not blocked comes first.

        A person without a key may hold a grant: it waits for the key desk.
        """
        keys = sorted(await self.keys_of(tx, person_id, at), key=lambda key: (_is_blocked(key, at), key.id))
        if not keys:
            return Key(id="", kind="none", blocked="no")
        blocked: Tri = "yes" if _is_blocked(keys[0], at) else "no"
        return Key(id=str(keys[0].id), kind=str(keys[0].kind), blocked=blocked)

    async def block(
        self, tx: Connection, key_id: KeyId, *, reason: str, actor: str, at: datetime
    ) -> StoredKey:
        """Put a key on the wish list for blocking (lost, stolen, killed); the reconciler carries it out.

        Raises:
            NotFound: there is no such key.
            Conflict: an emergency key (S1) or one that is blocked already.
        """
        await self._ledger.lock_heads(tx, [f"key:{key_id}"])
        key = await self._registry.get_key(tx, key_id)
        if key.emergency:
            message = f"key {key.stamp} is an emergency key; those never enter a block list (S1)"
            raise Conflict(message)
        if key.blocked_at is not None:
            message = f"key {key.stamp} is blocked already"
            raise Conflict(message)
        holder = await self.holder_at(tx, key_id, at)
        entry = await self._tell(tx, "keys:key:block", key, holder, actor, at, reason=reason)
        await tx.execute(_SQL["block_key"], key_id, at, reason, entry)
        return await self._registry.get_key(tx, key_id)

    async def _tell(
        self,
        tx: Connection,
        kind: str,
        key: StoredKey,
        person_id: PersonId | None,
        actor: str,
        at: datetime,
        **body: Any,
    ) -> int:
        person = (f"person:{person_id}",) if person_id else ()
        return await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(key.subject, *person),
                # The holder's grants have to be decided again too: another key may now carry them.
                heads=(key.subject, *person),
                body={"stamp": key.stamp, **body},
                lane=Lane.CONTROL,
            ),
        )


def _is_blocked(key: StoredKey, at: datetime) -> bool:
    return key.blocked_at is not None and key.blocked_at <= at
