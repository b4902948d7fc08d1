"""Adopting many keys: batch by batch, each in one transaction, so that an interrupted run goes on where it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from key2xs.core.crash import declare
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import KeyId, KeySystemId, ZoneId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger, typed

from .adopting import adopt, may_change_by_itself

_SQL = load_queries("key2xs.keys.adoption")
_TAKEN = declare("adoption.run.after_batch")

TRY_AGAIN: Final = timedelta(minutes=5)  # a key that was not read yet, or whose program is on its way


@dataclass(frozen=True, slots=True)
class AdoptionRun:
    """One run with how far it is."""

    id: UUID
    system_id: KeySystemId
    system: str
    zone_id: ZoneId | None
    zone: str | None
    reason: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    keys: int
    adopted: int
    already: int
    left: int
    waiting: int

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        return 1.0 if not self.keys else 1 - self.waiting / self.keys


@dataclass(frozen=True, slots=True)
class LeftKey:
    """A key that a run has not adopted, and why."""

    key_id: KeyId
    stamp: str
    why: str
    waiting: bool


class AdoptionRuns:
    """Starting runs and taking them further."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every change with `ledger`."""
        self._ledger = ledger

    async def scope(self, tx: Connection, system_id: KeySystemId, zone_id: ZoneId | None) -> list[KeyId]:
        """Return the keys that a run would adopt: of a system, or of those what opens something in a zone.

        Emergency keys are left out: no act on many keys touches them (S1).
        """
        rows = await tx.fetch(_SQL["run_scope"], system_id, zone_id)
        return [KeyId(row["id"]) for row in rows]

    async def start(
        self,
        tx: Connection,
        system_id: KeySystemId,
        zone_id: ZoneId | None,
        *,
        started_by: str,
        confirmed_by: str,
        reason: str,
        at: datetime,
    ) -> UUID:
        """Begin a run, on two people's word.

        Raises:
            Conflict: a run of this system is under way, or there is nothing to adopt.
            InvalidInput: no reason, or one person only.
        """
        if not reason.strip():
            raise InvalidInput("reason", "say why")
        if started_by == confirmed_by:
            raise InvalidInput("confirmed_by", "must be a second person")
        await self._ledger.lock_heads(tx, [f"adoption:{system_id}"])
        if await tx.fetchval(_SQL["run_under_way"], system_id):
            raise Conflict("an adoption of this key system is under way; let it finish first")
        keys = await self.scope(tx, system_id, zone_id)
        if not keys:
            raise Conflict("there is no key to adopt there")
        run_id = new_id()
        body = {"keys": len(keys), "zone": str(zone_id) if zone_id else None, "confirmed_by": confirmed_by}
        entry = await self._tell(
            tx, "keys:adoption:start", run_id, system_id, started_by, at,
            {**body, "reason": typed(started_by, reason.strip())},
        )  # fmt: skip
        await tx.execute(
            _SQL["insert_run"],
            run_id,
            system_id,
            zone_id,
            reason.strip(),
            started_by,
            confirmed_by,
            at,
            entry,
        )
        await tx.execute(_SQL["insert_items"], run_id, keys, entry)
        return run_id

    async def batch(self, tx: Connection, run_id: UUID, limit: int, at: datetime) -> int:
        """Adopt the next keys of a run; returns how many were looked at, 0 when nothing is due.

        A batch is one transaction: whoever dies in the middle of it leaves no trace, and the next one takes the same
        keys again. A key that was adopted meanwhile is counted and left as it is.
        """
        run = await tx.fetchrow(_SQL["lock_run"], run_id)
        if run is None or run["state"] != "running":
            return 0
        rows = await tx.fetch(_SQL["next_items"], run_id, at, limit)
        if not rows:
            await self._finish_if_over(tx, run, at)
            return 0
        done = await adopt(
            tx,
            self._ledger,
            [KeyId(row["key_id"]) for row in rows],
            actor=run["started_by"],
            at=at,
            run=str(run_id),
        )
        outcomes = [_outcome(each.why) for each in done]
        counts = {name: outcomes.count(name) for name in sorted(set(outcomes))}
        entry = await self._tell(
            tx, "keys:adoption:batch", run_id, run["system_id"], "system:keys", at, {"outcomes": counts}
        )
        await tx.execute(
            _SQL["set_items"],
            run_id,
            [each.key_id for each in done],
            outcomes,
            [each.why or None for each in done],
            at + TRY_AGAIN,
            entry,
        )
        _TAKEN.reach()
        return len(done)

    async def set_state(
        self, tx: Connection, run_id: UUID, state: str, *, actor: str, reason: str, at: datetime
    ) -> None:
        """Pause a run, let it go on, or end it with what is left.

        Raises:
            NotFound: no such run.
            Conflict: it is over, or so already.
        """
        run = await tx.fetchrow(_SQL["lock_run"], run_id)
        if run is None:
            message = f"there is no adoption {run_id}"
            raise NotFound(message)
        if run["state"] in {"done", state}:
            raise Conflict(f"the adoption is {run['state']} already")
        await self._set(tx, run, state, actor, at, {"state": state, "reason": typed(actor, reason)})

    async def newest(self, tx: Connection, *, limit: int = 20) -> list[AdoptionRun]:
        """Return runs, the newest first."""
        return [AdoptionRun(**row) for row in await tx.fetch(_SQL["list_runs"], limit)]

    async def left(self, tx: Connection, run_id: UUID, *, limit: int = 500) -> list[LeftKey]:
        """Return the keys that a run has not adopted."""
        return [LeftKey(**row) for row in await tx.fetch(_SQL["left_keys"], run_id, limit)]

    async def running(self, tx: Connection) -> list[UUID]:
        """Return the runs to take further."""
        return [row["id"] for row in await tx.fetch(_SQL["running"])]

    async def due_at(self, tx: Connection, run_id: UUID) -> datetime | None:
        """Return when the next key of a run is to be tried."""
        due: datetime | None = await tx.fetchval(_SQL["items_due"], run_id)
        return due

    async def _finish_if_over(self, tx: Connection, run: asyncpg.Record, at: datetime) -> None:
        if not await tx.fetchval(_SQL["any_waiting"], run["id"]):
            await self._set(tx, run, "done", "system:keys", at, {"state": "done"})

    async def _set(
        self,
        tx: Connection,
        run: asyncpg.Record,
        state: str,
        actor: str,
        at: datetime,
        body: Mapping[str, Any],
    ) -> None:
        entry = await self._tell(tx, "keys:adoption:state", run["id"], run["system_id"], actor, at, body)
        await tx.execute(_SQL["set_run"], run["id"], state, at if state == "done" else None, entry)

    async def _tell(
        self,
        tx: Connection,
        kind: str,
        run_id: UUID,
        system_id: KeySystemId,
        actor: str,
        at: datetime,
        body: Mapping[str, Any],
    ) -> int:
        return await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"adoption:{run_id}", f"key_system:{system_id}"),
                heads=(f"adoption:{system_id}",),
                body=dict(body),
            ),
        )


def _outcome(why: str) -> str:
    if not why:
        return "adopted"
    if why == "it is adopted already":
        return "already"
    return "waiting" if may_change_by_itself(why) else "left"
