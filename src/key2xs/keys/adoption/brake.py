"""The brake: stops bulk writes of a key system that are too many at once, until a person confirms.

A bulk write is one that no beginning or ending of a grant explains: standing rights that end because a zone was
switched, a key brought back in line after an edit elsewhere, a first write after adoption. A kill, a stop, a block,
the end of a grant, standing rights ended on somebody's word, and everything about emergency keys pass always. What
two people were shown before they switched a zone is counted apart: as many keys as they agreed to, no more.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from key2xs.core.database import Connection, Database
from key2xs.core.errors import Conflict, InvalidInput, NeedsPerson
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.keys.planner import Wanted
from key2xs.keys.types import StoredKey
from key2xs.ledger import Entry, Lane, Ledger, typed

_SQL = load_queries("key2xs.keys.adoption")

WINDOW: Final = timedelta(minutes=10)
USUAL_LIMIT: Final = 50  # keys
AGREED_FOR: Final = timedelta(days=3)  # offline keys come by when they come by


class BulkBrake:
    """Counts bulk writes, and stops them."""

    def __init__(self, database: Database, ledger: Ledger, limit: int = USUAL_LIMIT) -> None:
        """Stop beyond `limit` keys within `WINDOW`; the stop is stored in a transaction of its own."""
        self._database, self._ledger, self._limit = database, ledger, limit

    async def check(
        self, tx: Connection, system_id: KeySystemId, key: StoredKey, wanted: Wanted, now: datetime
    ) -> None:
        """Let one write pass, in the transaction that records its intent.

        Raises:
            NeedsPerson: bulk writes of this system are stopped.
        """
        if await self._is_exempt(tx, key, wanted):
            return
        state = await tx.fetchrow(_SQL["brake_of"], system_id)
        if state is not None and state["stopped_at"] is not None:
            raise NeedsPerson("shift leader", state["why"])
        rows = await tx.fetch(
            _SQL["count_bulk"], system_id, now - WINDOW, now, key.id, state["allowed_from"] if state else None
        )
        counts = rows[0]
        if counts["known"]:
            return  # the same key again, after a lost answer
        covered = (
            state is not None
            and state["allowed_until"] is not None
            and now <= state["allowed_until"]
            and counts["agreed"] < state["allowed"]
        )
        if not covered and counts["recent"] >= self._limit:
            why = (
                f"bulk writes are stopped since {now:%Y-%m-%d %H:%M} UTC: {counts['recent']} keys in "
                f"{int(WINDOW.total_seconds() // 60)} minutes. A person has to look and confirm; "
                "stop, kill and the end of grants go on"
            )
            await self._database.transact(lambda own: self._stop(own, system_id, why, now))
            raise NeedsPerson("shift leader", why)
        await tx.execute(_SQL["note_bulk"], system_id, key.id, now, covered)

    async def agree(
        self, tx: Connection, system_id: KeySystemId, keys: int, *, actor: str, reason: str, at: datetime
    ) -> None:
        """Let this many keys be written in bulk beside the limit: people saw which."""
        if keys > 0:
            await self._change(tx, system_id, "keys:brake:agree", actor, reason, at, keys=keys, release=False)

    async def release(
        self, tx: Connection, system_id: KeySystemId, *, keys: int, actor: str, reason: str, at: datetime
    ) -> None:
        """Let stopped bulk writes go on, for this many keys.

        Raises:
            Conflict: nothing is stopped.
            InvalidInput: no reason, or fewer than one key.
        """
        if not reason.strip():
            raise InvalidInput("reason", "say why")
        if keys < 1:
            raise InvalidInput("keys", "must be at least 1")
        state = await tx.fetchrow(_SQL["brake_of"], system_id)
        if state is None or state["stopped_at"] is None:
            raise Conflict("bulk writes of this key system are not stopped")
        await self._change(tx, system_id, "keys:brake:release", actor, reason, at, keys=keys, release=True)
        await tx.execute(_SQL["mark_system"], system_id, at)

    async def _is_exempt(self, tx: Connection, key: StoredKey, wanted: Wanted) -> bool:
        if key.emergency or key.blocked_at is not None or wanted.at_most is not None:
            return True
        before = await tx.fetchval(_SQL["grants_sent"], key.id)
        if set(before or ()) != set(wanted.grants):
            return True
        return bool(await tx.fetchval(_SQL["ended_by_person"], key.id))

    async def _stop(self, tx: Connection, system_id: KeySystemId, why: str, now: datetime) -> None:
        await self._ledger.lock_heads(tx, [f"brake:{system_id}"])
        state = await tx.fetchrow(_SQL["brake_of"], system_id)
        if state is not None and state["stopped_at"] is not None:
            return
        entry = await self._ledger.record(
            tx, _entry("keys:brake:stop", system_id, "system:keys", now, {"why": why})
        )
        await tx.execute(_SQL["stop_bulk"], system_id, now, why, entry)

    async def _change(
        self,
        tx: Connection,
        system_id: KeySystemId,
        kind: str,
        actor: str,
        reason: str,
        at: datetime,
        *,
        keys: int,
        release: bool,
    ) -> None:
        await self._ledger.lock_heads(tx, [f"brake:{system_id}"])
        body = {"keys": keys, "reason": typed(actor, reason.strip())}
        entry = await self._ledger.record(tx, _entry(kind, system_id, actor, at, body))
        state = await tx.fetchrow(_SQL["brake_of"], system_id)
        left = 0
        if state is not None and state["allowed_until"] is not None and at <= state["allowed_until"]:
            used = await tx.fetchval(_SQL["agreed_used"], system_id, state["allowed_from"])
            left = max(0, state["allowed"] - used)
        await tx.execute(_SQL["allow_bulk"], system_id, left + keys, at, at + AGREED_FOR, release, entry)


def _entry(kind: str, system_id: KeySystemId, actor: str, at: datetime, body: Mapping[str, Any]) -> Entry:
    return Entry(
        kind=kind,
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=(f"key_system:{system_id}",),
        heads=(f"brake:{system_id}",),
        body=body,
        lane=Lane.CONTROL,
    )
