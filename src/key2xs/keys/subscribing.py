"""Keeps a key system's subscriptions: one for each event, made anew before it ends.

A subscription is stored before the vendor is asked for it, under an id chosen here: after a lost answer or a crash the
next step finds out whether it exists. Its key stays sealed. Nothing depends on a subscription but how soon we read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry
from key2xs.core.ids import KeySystemId, new_id
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased, Vault
from key2xs.ledger import Entry, Ledger

from .hooks import HookVendor, NewHook, VendorHook

__all__ = ["HookKeeper"]

_SQL = load_queries("key2xs.keys", "queries_hooks.sql")

LOOK: Final = timedelta(days=1)  # whether they are still there
SOON: Final = timedelta(minutes=5)
LATER: Final = timedelta(hours=1)  # a person has to do something first
_ACTOR: Final = "system:keys"


class HookKeeper:
    """Subscribes one key system's events to one address."""

    heeds: Final[tuple[str, ...]] = ()

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        vault: Vault,
        system_id: KeySystemId,
        name: str,
        vendor: HookVendor,
        *,
        url: str,
        lasts: timedelta,
        renew_before: timedelta,
    ) -> None:
        """Have `url` called for `lasts`, and make a new subscription `renew_before` its end."""
        self._database, self._ledger, self._vault = database, ledger, vault
        self._system_id, self._vendor, self._url = system_id, vendor, url
        self._lasts, self._renew_before = lasts, renew_before
        self.name = f"hooks:{name}"
        self.idle = False
        self.problem: str | None = None
        self._due: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """See that every event is subscribed; say when to look again."""
        self.idle = self._due is not None and now < self._due
        if self._due is not None and now < self._due:
            return self._due
        try:
            await self._keep(now)
        except CallFailed as error:
            self.problem = f"the key system cannot be told to call us: {error}"
            self._due = now + (max(error.after, SOON) if isinstance(error, Retry) else LATER)
        else:
            self.problem, self._due = None, now + LOOK
        return self._due

    async def _keep(self, now: datetime) -> None:
        listed = {hook.id: hook for hook in await self._vendor.hooks()}
        async with self._database.read() as tx:
            ours = [dict(row) for row in await tx.fetch(_SQL["live_hooks"], self._system_id)]
        for row in [row for row in ours if row["made_at"] is not None and row["id"] not in listed]:
            await self._tell_gone(row, now)  # somebody ended it there, or its time is over
            ours.remove(row)
        for event in self._vendor.events:
            await self._keep_one(event, [row for row in ours if row["event"] == event], listed, now)

    async def _keep_one(
        self, event: str, ours: list[dict[str, Any]], listed: dict[UUID, VendorHook], now: datetime
    ) -> None:
        wanted = next((row for row in ours if self._will_do(row, now)), None)
        if wanted is None or wanted["made_at"] is None:
            if wanted is None or wanted["id"] not in listed:
                await self._make_room(event, ours, listed, now)
            wanted = wanted or await self._ask(event, now)
            await self._make(wanted, listed, now)
        # Ours by our books, or by the address: a subscription whose record was lost with a restored backup.
        known = {row["id"]: row for row in ours}
        others = [hook for hook in listed.values() if hook.event == event and hook.id != wanted["id"]]
        for hook in others:
            if hook.id in known or hook.url == self._url:
                await self._end(hook.id, known.pop(hook.id, None), listed, now)
        for row in known.values():
            if row["id"] != wanted["id"]:
                await self._tell_gone(row, now)

    def _will_do(self, row: dict[str, Any], now: datetime) -> bool:
        return bool(row["url"] == self._url and row["ends_at"] > now + self._renew_before)

    async def _make_room(
        self, event: str, ours: list[dict[str, Any]], listed: dict[UUID, VendorHook], now: datetime
    ) -> None:
        """The vendor takes only so many: an old one of ours goes first then, and for a moment nobody calls."""
        there = [hook for hook in listed.values() if hook.event == event]
        if len(there) < self._vendor.most:
            return
        known = {row["id"]: row for row in ours}
        for hook in there:
            if hook.id in known or hook.url == self._url:
                row = known.get(hook.id)
                await self._end(hook.id, row, listed, now)
                if row is not None:
                    ours.remove(row)
                return
        raise NeedsPerson(
            "iLOQ administrator",
            f"{len(there)} subscriptions of other systems fill up the event {event}; end one of them",
        )

    async def _ask(self, event: str, now: datetime) -> dict[str, Any]:
        """Write down what the vendor will be asked for."""
        hook_id, sign_key = new_id(), str(uuid4())
        sealed = await self._vault.seal(self._system_id, sign_key)
        row = {
            "id": hook_id, "event": event, "url": self._url, "sealed": sealed, "ends_at": now + self._lasts,
            "made_at": None,
        }  # fmt: skip

        async def write(tx: Connection) -> None:
            entry = await self._tell(tx, "ask", hook_id, event, now)
            await tx.execute(
                _SQL["ask_hook"], hook_id, self._system_id, event, self._url, sealed, row["ends_at"], entry
            )

        await self._database.transact(write)
        return row

    async def _make(self, row: dict[str, Any], listed: dict[UUID, VendorHook], now: datetime) -> None:
        made = listed.get(row["id"])  # an answer that was lost
        if made is None:
            sign_key = await self._vault.open(self._system_id, row["sealed"])
            if isinstance(sign_key, Erased):
                raise Refused("the key of a subscription cannot be opened")
            made = await self._vendor.add(
                NewHook(row["id"], row["event"], self._url, now, row["ends_at"], sign_key)
            )
            listed[made.id] = made
        # What the vendor prints is what it signs with, whoever has chosen it.
        sealed = await self._vault.seal(self._system_id, made.sign_key) if made.sign_key else row["sealed"]

        async def write(tx: Connection) -> None:
            entry = await self._tell(tx, "make", row["id"], row["event"], now)
            await tx.execute(_SQL["hook_made"], row["id"], now, sealed, entry)

        await self._database.transact(write)

    async def _end(
        self, hook_id: UUID, row: dict[str, Any] | None, listed: dict[UUID, VendorHook], now: datetime
    ) -> None:
        await self._vendor.remove(hook_id)
        listed.pop(hook_id, None)
        if row is not None:
            await self._tell_gone(row, now)

    async def _tell_gone(self, row: dict[str, Any], now: datetime) -> None:
        async def write(tx: Connection) -> None:
            entry = await self._tell(tx, "end", row["id"], row["event"], now)
            await tx.execute(_SQL["hook_gone"], row["id"], now, entry)

        await self._database.transact(write)

    async def _tell(self, tx: Connection, action: str, hook_id: UUID, event: str, now: datetime) -> int:
        subject = f"key_system:{self._system_id}"
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"keys:hook:{action}",
                occurred_at=now,
                recorded_at=now,
                actor=_ACTOR,
                subjects=(subject,),
                body={"subscription": str(hook_id), "event": event, "url": self._url},
            ),
        )
