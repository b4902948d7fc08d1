"""Handing a key back at its maker for good, in two steps: it is emptied and proven so, then its return is sent.

Only for kinds whose maker takes them back over the interface (phones, RFID tags). It deletes the key there, so it is nothing
that ending somebody's access ever does by itself: a person asks for it, for a key that nobody has.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, Conflict, InvalidInput, NeedsPerson, Refused, Unknown
from key2xs.core.ids import KeyId, KeySystemId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger, typed

from .adoption.connections import require_writes
from .port import KeySystemPort
from .types import StoredKey

__all__ = ["KeyReturn", "ReturnLoop", "ask_return", "return_of", "why_not_returned"]

_SQL = load_queries("key2xs.keys", "queries_returns.sql")
_CALLS = load_queries("key2xs.keys")

OPERATION: Final = "return_key"
PACE: Final = timedelta(minutes=1)
LOOK: Final = timedelta(minutes=15)  # whether a phone did it; nobody tells
AGAIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KeyReturn:
    """How far handing a key back is. `gone`: its maker's books no longer hold it."""

    asked_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    gone: bool


async def return_of(tx: Connection, key_id: KeyId) -> KeyReturn | None:
    """Return how far handing a key back is, or None where nobody asked for it."""
    row = await tx.fetchrow(_SQL["return_of"], key_id)
    return KeyReturn(**row) if row is not None else None


def why_not_returned(key: StoredKey, *, can_return: bool, is_out: bool, returning: KeyReturn | None) -> str:
    """Say why a key cannot be handed back at its maker now; empty where it can."""
    reasons = (
        (key.deleted, "it is no longer in use"),
        (not can_return, "its maker takes back only phone keys and RFID tags over the interface"),
        (key.emergency, "it is an emergency key"),
        (key.adopted_at is None, "it was never handed out through Key2XS"),
        (key.blocked_at is not None, "it is blocked: the maker takes back no key on the block list"),
        (is_out, "somebody has it: take it back first"),
        (returning is not None and returning.ended_at is None, "it is being handed back already"),
    )
    return next((why for holds, why in reasons if holds), "")


async def ask_return(
    tx: Connection, ledger: Ledger, key: StoredKey, *, why_not: str, reason: str, actor: str, at: datetime
) -> None:
    """Have a key handed back at its maker as soon as it is proven empty.

    Raises:
        InvalidInput: no reason.
        Conflict: it cannot be, see `why_not_returned`.
    """
    if not reason.strip():
        raise InvalidInput("reason", "say why")
    if why_not:
        message = f"key {key.stamp} cannot be handed back: {why_not}"
        raise Conflict(message)
    entry = await ledger.record(
        tx,
        Entry(
            kind="keys:return:ask",
            occurred_at=at,
            recorded_at=at,
            actor=actor,
            subjects=(key.subject,),
            body={"reason": typed(actor, reason.strip())},
        ),
    )
    await tx.execute(_SQL["ask_return"], key.id, at, entry)


class ReturnLoop:
    """Takes the keys of one key system further that are being handed back."""

    heeds: Final = ("keys:return", "keys:target", "keys:custody")

    def __init__(
        self, database: Database, ledger: Ledger, system_id: KeySystemId, name: str, port: KeySystemPort
    ) -> None:
        """Return keys through `port`."""
        self._database, self._ledger, self._system_id, self._port = database, ledger, system_id, port
        self.name = f"returns:{name}"
        self.idle = False
        self.problem: str | None = None
        self._not_before: dict[KeyId, datetime] = {}

    async def step(self, now: datetime) -> datetime | None:
        """Look at every key that is being handed back; say when to look again, None where there is none."""
        async with self._database.read() as tx:
            rows = await tx.fetch(_SQL["open_returns"], self._system_id, now)
        self.idle, self.problem = not rows, self.problem if rows else None
        for row in rows:
            due = self._not_before.get(KeyId(row["id"]))
            if due is not None and now < due:
                continue
            try:
                wait = await self._take(row, now)
                self.problem = None
            except CallFailed as error:
                self.problem = f"key {row['stamp']} is not handed back: {error}"
                wait = AGAIN if isinstance(error, (NeedsPerson, Refused)) else LOOK
            self._not_before[KeyId(row["id"])] = now + wait
        left = {KeyId(row["id"]) for row in rows}
        self._not_before = {key: due for key, due in self._not_before.items() if key in left}
        return min((due for due in self._not_before.values() if due > now), default=None)

    async def _take(self, row: asyncpg.Record, now: datetime) -> timedelta:
        if row["sent_at"] is None:
            if row["is_out"] or row["is_blocked"]:
                await self._database.transact(lambda tx: self._end(tx, row, now, gone=False))
                return PACE
            if not row["is_empty"]:
                return PACE
            await self._send(row, now)
            return PACE
        if await self._is_gone(row):
            await self._database.transact(lambda tx: self._end(tx, row, now, gone=True))
        return LOOK

    async def _send(self, row: asyncpg.Record, now: datetime) -> None:
        call = new_id()

        async def intend(tx: Connection) -> None:
            await require_writes(tx, self._system_id)
            await tx.execute(_CALLS["insert_call"], call, row["target_id"], row["fence"], OPERATION, now)

        async def sent(tx: Connection) -> None:
            entry = await self._tell(tx, "send", row, now)
            await tx.execute(_SQL["return_sent"], row["id"], now, entry)
            await tx.execute(_CALLS["finish_call"], call, now, "ok")

        await self._database.transact(intend)
        # A crash or a lost answer from here on: asking once more is fine, and a key that is gone counts as returned.
        try:
            await self._port.return_key(row["external_id"])
        except Unknown:
            raise
        except CallFailed as error:
            if isinstance(error, Refused) and await self._is_gone(row):
                await self._database.transact(sent)
                return
            outcome = type(error).__name__.lower()
            async with self._database.transaction() as tx:
                await tx.execute(_CALLS["finish_call"], call, now, outcome)
            raise
        await self._database.transact(sent)

    async def _is_gone(self, row: asyncpg.Record) -> bool:
        try:
            await self._port.read_key(row["external_id"])
        except Refused:
            return True
        return False

    async def _end(self, tx: Connection, row: asyncpg.Record, now: datetime, *, gone: bool) -> None:
        entry = await self._tell(tx, "finish" if gone else "drop", row, now)
        await tx.execute(_SQL["return_ended"], row["id"], now, gone, entry)
        if gone:
            await tx.execute(_SQL["key_gone"], row["id"], entry)
            await tx.execute(_SQL["stop_reading"], row["id"])

    async def _tell(self, tx: Connection, action: str, row: asyncpg.Record, now: datetime) -> int:
        subject = f"key:{row['id']}"
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"keys:return:{action}",
                occurred_at=now,
                recorded_at=now,
                actor="system:keys",
                subjects=(subject,),
                heads=(subject,),
                body={},
            ),
        )
