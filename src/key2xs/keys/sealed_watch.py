"""What a seal says about openings, and what becomes overdue without anybody doing anything."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from key2xs.core.database import Connection, Database
from key2xs.core.ids import KeyId, PersonId
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger

from .classify import Class

_SQL = load_queries("key2xs.keys", "queries_sealed.sql")
CLOCK_OFF: Final = timedelta(minutes=5)  # a lock's clock against ours
_KINDS: Final = {
    "check": "keys:sealed:check_overdue",
    "recall": "keys:sealed:recall_overdue",
    "review": "keys:sealed:review_overdue",
}


async def judge_by_seal(
    tx: Connection, key_id: KeyId, occurred_at: datetime, found: Class
) -> tuple[Class, PersonId | None]:
    """Return what an opening by a key means where the key is kept under seal, and who had it then.

    An opening under a seal that nobody says was broken is the top alarm; one while the seal was broken is explained by
    it. A key that is not kept under seal keeps the class it has.
    """
    row = await tx.fetchrow(_SQL["seal_at"], key_id, occurred_at, CLOCK_OFF)
    if row is None:
        return found, None
    if row["broken_at"] is not None:
        why = f"emergency key: seal {row['broken_seal']} was broken {row['broken_at']:%Y-%m-%d %H:%M} UTC by two people"
        return replace(found, name="expected", why=why), PersonId(row["taken_by"])
    why = f"this emergency key lies sealed ({row['seal']}, {row['place']}), and nobody noted that the seal was broken"
    return replace(found, name="unexplained", why=why), None


class SealLoop:
    """Tells, once each, which seals nobody looked at, which keys are not back, and which uses nobody reviewed."""

    name = "keys:seals"
    heeds: Final = ("keys:sealed", "keys:custody", "keys:key")

    def __init__(self, database: Database, ledger: Ledger) -> None:
        """Work on `database`; record with `ledger`."""
        self._database, self._ledger = database, ledger

    async def step(self, now: datetime) -> datetime | None:
        """Tell what is overdue; return when the next of it will be."""
        return await self._database.transact(lambda tx: self._tell(tx, now))

    async def _tell(self, tx: Connection, now: datetime) -> datetime | None:
        found = await tx.fetch(_SQL["sealed_due"], now)
        if found:
            # Lock first, look again afterwards: somebody may have brought the key back meanwhile.
            await self._ledger.lock_heads(tx, {f"key:{row['key_id']}" for row in found})
            found = await tx.fetch(_SQL["sealed_due"], now)
        for row in found:
            entry = await self._ledger.record(tx, _entry(row, now))
            await tx.execute(_SQL[f"tell_{row['what']}"], row["id"], entry)
        upcoming: datetime | None = await tx.fetchval(_SQL["sealed_next"])
        return upcoming


def _entry(row: Any, now: datetime) -> Entry:
    return Entry(
        kind=_KINDS[row["what"]],
        occurred_at=row["due_at"],
        recorded_at=now,
        actor="system:clock",
        subjects=(f"key:{row['key_id']}",),
        body={"due_at": row["due_at"].isoformat()},
        lane=Lane.CONTROL,
    )
