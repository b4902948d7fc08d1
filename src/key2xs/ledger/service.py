"""Writing entries: in the change's own transaction, after its subjects' locks.

The order inside a transaction is what makes the log right. First the heads of all facts that change are locked, in
sorted order; then the entry's number is drawn; then the entry is written. So two entries about one subject can
never be numbered one way and committed the other.
"""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from key2xs.core.crash import declare
from key2xs.core.database import Connection
from key2xs.core.errors import NarrowOnly
from key2xs.core.haste import SLICE, give_way
from key2xs.core.ids import new_id
from key2xs.core.sql import load_queries
from key2xs.core.vault import ERASED, Erased, Vault

from . import words
from .canonical import Json
from .entry import CODED, FREE_TEXT, Entry, Personal, typed
from .labels import LABEL_VERSION, streams_of
from .leaf import MAX_SALT_BYTES, EntrySalts, LeafDraft, Opening, commit_draft, new_salt

_SQL = load_queries("key2xs.ledger")
_ENTRY_WRITTEN = declare("ledger.record.after_write")

_PENDING_COLUMNS = ("seq", "lane", "recorded_at", "subjects", "streams", "draft")
_BODY_COLUMNS = (
    "seq", "recorded_at", "occurred_at", "id", "kind", "actor", "subjects", "heads", "body", "secret",
)  # fmt: skip

SEALED_OWNER, SEALED_BLOB = "$owner", "$sealed"


class Ledger:
    """The writing end of the log, and the way to read personal values back."""

    def __init__(self, vault: Vault) -> None:
        """Use `vault` for personal values."""
        self._vault = vault

    async def record(self, tx: Connection, entry: Entry) -> int:
        """Write one entry and return its number. The rows of the change carry this number in `entry`."""
        return (await self.record_many(tx, [entry]))[0]

    async def record_many(self, tx: Connection, entries: Sequence[Entry]) -> list[int]:
        """Write many entries of one transaction; numbers come back in the same order.

        Raises:
            LabelError: an entry touches more than 16 streams; record a parent and children instead.
        """
        if not entries:
            return []
        await self.lock_heads(tx, (head for entry in entries for head in entry.heads))
        numbers = [row["seq"] for row in await tx.fetch(_SQL["draw_numbers"], len(entries))]
        pending, bodies = [], []
        for number, entry in zip(numbers, entries, strict=True):
            row, body = await self._prepare(number, entry)
            pending.append(row)
            bodies.append(body)
            if not len(pending) % SLICE:
                await give_way()
        if len(entries) == 1:
            await tx.execute(_SQL["insert_pending"], *pending[0])
            await tx.execute(_SQL["insert_body"], *bodies[0])
        else:
            await tx.copy_records_to_table("log_pending", records=pending, columns=_PENDING_COLUMNS)
            await tx.copy_records_to_table("log_body", records=bodies, columns=_BODY_COLUMNS)
        await self._move_heads(tx, numbers, entries)
        _ENTRY_WRITTEN.reach()
        return numbers

    async def lock_heads(self, tx: Connection, subjects: Iterable[str]) -> dict[str, int]:
        """Lock subjects for change, in sorted order, and return the number of each one's newest entry."""
        return await self._heads(tx, subjects, "lock_heads")

    async def share_heads(self, tx: Connection, subjects: Iterable[str]) -> dict[str, int]:
        """Lock subjects against change until commit and return the number of each one's newest entry."""
        return await self._heads(tx, subjects, "share_heads")

    async def read_heads(self, tx: Connection, subjects: Iterable[str]) -> dict[str, int]:
        """Return the number of each subject's newest entry without locking; 0 for one never heard of."""
        wanted = sorted(set(subjects))
        rows = {row["subject"]: row["entry"] for row in await tx.fetch(_SQL["read_heads"], wanted)}
        return {subject: rows.get(subject, 0) for subject in wanted}

    async def require_widening(self, tx: Connection) -> None:
        """Refuse to widen anything while the log stands behind its own published checkpoint.

        Raises:
            NarrowOnly: says why and since when.
        """
        why = await self.narrow_only_why(tx)
        if why:
            raise NarrowOnly(why)

    async def narrow_only_why(self, tx: Connection) -> str | None:
        """Return why nothing may widen at the moment, or None."""
        why: str | None = await tx.fetchval(_SQL["narrow_only_why"])
        return why

    async def reveal(self, value: Json) -> "Json | Erased":
        """Open a sealed value of a read entry's body; other values come back as they are."""
        if not (isinstance(value, dict) and SEALED_OWNER in value):
            return value
        owner, blob = value[SEALED_OWNER], value[SEALED_BLOB]
        text = await self._vault.open(UUID(str(owner)), bytes.fromhex(str(blob)))
        if isinstance(text, Erased):
            return ERASED
        opened: Json = msgspec.json.decode(text)["v"]
        return opened

    async def seal_words(self, actor: str, text: str) -> bytes:
        """Seal what an actor typed, for a table; see `words`."""
        return await words.seal_words(self._vault, actor, text)

    async def read_words(self, stored: bytes) -> str:
        """Read what somebody typed out of a table; `(erased)` once its owner's key is gone."""
        return await words.read_words(self._vault, stored)

    async def _heads(self, tx: Connection, subjects: Iterable[str], how: str) -> dict[str, int]:
        wanted = sorted(set(subjects))
        if not wanted:
            return {}
        rows = await tx.fetch(_SQL[how], wanted)
        if len(rows) < len(wanted):
            await tx.execute(_SQL["make_heads"], wanted)
            rows = await tx.fetch(_SQL[how], wanted)
        return {row["subject"]: row["entry"] for row in rows}

    async def _move_heads(self, tx: Connection, numbers: Sequence[int], entries: Sequence[Entry]) -> None:
        newest: dict[str, int] = {}
        for number, entry in zip(numbers, entries, strict=True):
            for head in entry.heads:
                newest[head] = max(number, newest.get(head, 0))
        if newest:
            await tx.execute(_SQL["move_heads"], list(newest), list(newest.values()))

    async def _prepare(self, number: int, entry: Entry) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        secret = secrets.token_bytes(MAX_SALT_BYTES)
        salts = EntrySalts(secret)
        stored, openings = await self._seal_body(salts, entry)
        entry_id = new_id()
        draft = commit_draft(
            LeafDraft(
                id=entry_id,
                kind=entry.kind,
                occurred_at=entry.occurred_at,
                recorded_at=entry.recorded_at,
                label_version=LABEL_VERSION,
                actor=Opening(salts.of("actor"), entry.actor),
                subjects=tuple(
                    Opening(salts.of(f"subjects/{place}"), subject)
                    for place, subject in enumerate(entry.subjects)
                ),
                body=openings,
            )
        )
        streams = streams_of(LABEL_VERSION, entry.kind, entry.subjects)
        subjects = list(entry.subjects)
        pending = (
            number, int(entry.lane), entry.recorded_at, subjects, list(streams), msgspec.json.encode(draft),
        )  # fmt: skip
        body = (
            number, entry.recorded_at, entry.occurred_at, entry_id, entry.kind, entry.actor, subjects,
            list(entry.heads), stored, secret,
        )  # fmt: skip
        return pending, body

    async def _seal_body(self, salts: EntrySalts, entry: Entry) -> tuple[dict[str, Json], dict[str, Opening]]:
        stored: dict[str, Json] = {}
        openings: dict[str, Opening] = {}
        for name, said in entry.body.items():
            value = said
            if name in FREE_TEXT and isinstance(said, str) and said and (entry.kind, name) not in CODED:
                value = typed(entry.actor, said)
            if isinstance(value, Personal):
                # Its own salt, sealed with it: a salt left behind would let a short value be guessed.
                salt = new_salt()
                text = msgspec.json.encode({"s": salt.hex(), "v": value.value}).decode()
                blob = await self._vault.seal(value.owner, text)
                stored[name] = {SEALED_OWNER: str(value.owner), SEALED_BLOB: blob.hex()}
                openings[name] = Opening(salt, value.value)
            else:
                stored[name] = value
                openings[name] = Opening(salts.of(f"body/{name}"), value)
        return stored, openings
