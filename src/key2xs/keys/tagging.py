"""Stamps the numbers of permits into the vendor's own log, by a tag on the key.

It is for whoever reads the vendor's log later, and nothing rests on it: a tag that cannot be set holds no access up, and is
told. What a key may open is written by the reconciler, before the tag and without it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import asyncpg

from key2xs.core.database import Connection, Database
from key2xs.core.errors import CallFailed, Retry
from key2xs.core.ids import KeyId, KeySystemId
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger

from .port import KeyKind, KeySystemPort, KeyTag

__all__ = ["TAG", "TagLoop"]

_SQL = load_queries("key2xs.keys", "queries_tags.sql")

TAG: Final = "key2xs.permit"  # with our name before it: the vendor's tags are everybody's
LONGEST: Final = 100  # characters of a value; the vendor names no limit
PACE: Final = timedelta(seconds=30)  # a target that was accepted is no entry for everybody to hear
AGAIN: Final = timedelta(hours=1)  # for a key whose tag was refused
_MOST: Final = 20  # tags a step; kills come in between


class TagLoop:
    """Keeps the tags of one key system's keys."""

    heeds: Final[tuple[str, ...]] = ()

    def __init__(
        self, database: Database, ledger: Ledger, system_id: KeySystemId, name: str, port: KeySystemPort
    ) -> None:
        """Tag through `port`."""
        self._database, self._ledger, self._system_id, self._port = database, ledger, system_id, port
        self.name = f"tags:{name}"
        self.idle = False
        self.problem: str | None = None
        self._due: datetime | None = None
        self._refused: dict[KeyId, datetime] = {}

    async def step(self, now: datetime) -> datetime | None:
        """Set or take off the tags that are due; say when to look again."""
        self.idle = self._due is not None and now < self._due
        if self._due is not None and now < self._due:
            return self._due
        self._refused = {key: until for key, until in self._refused.items() if now < until}
        async with self._database.read() as tx:
            rows = await tx.fetch(_SQL["tags_due"], self._system_id, list(self._refused), LONGEST, _MOST)
        self.idle = not rows
        self.problem = self.problem if self._refused else None
        self._due = now + PACE
        for row in rows:
            try:
                await self._tag(row, now)
            except CallFailed as error:
                self.problem = f"the permits of key {row['stamp']} are not in the vendor's log: {error}"
                if isinstance(error, Retry):
                    self._due = now + max(error.after, PACE)
                    return self._due
                self._refused[KeyId(row["id"])] = now + AGAIN
        return self._due

    async def _tag(self, row: asyncpg.Record, now: datetime) -> None:
        if not self._port.capabilities(KeyKind(row["kind"])).can_tag:
            self._refused[KeyId(row["id"])] = now + AGAIN
            return
        value = row["wanted"][:LONGEST]
        await self._port.tag_key(row["external_id"], KeyTag(TAG, value))
        await self._database.transact(lambda tx: self._note(tx, KeyId(row["id"]), value, now))

    async def _note(self, tx: Connection, key_id: KeyId, value: str, now: datetime) -> None:
        subject = f"key:{key_id}"
        await self._ledger.lock_heads(tx, [f"tag:{key_id}"])
        before = await tx.fetchval(_SQL["tag_of"], key_id) or ""
        if before == value:
            return
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:tag:set",
                occurred_at=now,
                recorded_at=now,
                actor="system:keys",
                subjects=(subject,),
                body={"tag": TAG, "before": before, "after": value},
                lane=Lane.BULK,
            ),
        )
        await tx.execute(_SQL["put_tag"], key_id, value, now, entry)
