"""Reading the log: durable cursors, advanced by compare-and-set.

A reader sees every entry at least once and in order. Whatever it writes to the database commits together with its
cursor; what it sends elsewhere may be sent again after a crash, never skipped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.sql import load_queries

from .canonical import Json

_SQL = load_queries("key2xs.ledger")
_HANDLED = declare("ledger.reader.after_handle")
BATCH = 256  # entries; the sequencer's own batch, so one wake-up is usually one step
STRIDE = 4_096  # entries crossed in one step by readers that have no use for them


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """One sequenced entry. Personal values in `body` are still sealed; see `Ledger.reveal`."""

    position: int
    seq: int
    id: UUID
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    subjects: tuple[str, ...]
    heads: tuple[str, ...]
    body: Mapping[str, Json]


class Reader(Protocol):
    """Something that follows the log.

    One that other loops follow may say in an attribute `idle` that its last batch made no work for them. One that has no
    use for some kinds of entries names them (`domain:subject`) in `passes_over`: it is neither woken by them nor given
    stretches of nothing else, which `PassingOver` takes it across.
    """

    name: str

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Take the next entries; raising leaves the cursor where it was."""
        ...


class ReaderLoop:
    """Runs one reader, one batch a step."""

    def __init__(self, database: Database, reader: Reader, *, batch: int = BATCH) -> None:
        """Follow the log with `reader`, at most `batch` entries a step."""
        self._database, self._reader, self._batch = database, reader, batch
        self.name = f"reader:{reader.name}"
        self.passes_over: tuple[str, ...] = getattr(reader, "passes_over", ())
        self.idle = False

    async def step(self, now: datetime) -> datetime | None:
        """Handle one batch; `now` when it was full, None at the head of the log."""
        count = await self._database.transact(lambda tx: self._pump(tx, now))
        self.idle = not count or getattr(self._reader, "idle", False)
        return now if count == self._batch else None

    async def _pump(self, tx: Connection, now: datetime) -> int:
        position = await tx.fetchval(_SQL["claim_reader"], self._reader.name)
        if position is None:
            # Either another process is at it, or this is the reader's first day.
            await tx.execute(_SQL["make_reader"], self._reader.name)
            position = await tx.fetchval(_SQL["claim_reader"], self._reader.name)
            if position is None:
                return 0
        entries = await read_entries(tx, position, self._batch)
        if not entries:
            return 0
        await self._reader.handle(tx, entries)
        _HANDLED.reach()
        await tx.fetchval(_SQL["move_reader"], self._reader.name, position, entries[-1].position + 1, now)
        return len(entries)


class PassingOver:
    """Moves the cursors of readers across stretches of the log that are of no use to them.

    Openings come by the thousand a second, and most readers have no use for any: without this each of them would read
    them all.
    """

    name = "readers"

    def __init__(self, database: Database, readers: Iterable[Reader]) -> None:
        """Take along those of `readers` that pass over something."""
        self._database = database
        over = {reader.name: getattr(reader, "passes_over", ()) for reader in readers}
        self._patterns = {name: f"^({'|'.join(kinds)}):" for name, kinds in over.items() if kinds}
        self.idle = False

    async def step(self, now: datetime) -> datetime | None:
        """Move each cursor to the next entry that is of use to its reader; `now` when there may be more to cross."""
        furthest = await self._database.transact(lambda tx: self._cross(tx, now))
        self.idle = not furthest
        return now if furthest >= STRIDE else None

    async def _cross(self, tx: Connection, now: datetime) -> int:
        names, patterns = list(self._patterns), list(self._patterns.values())
        moved: int | None = await tx.fetchval(_SQL["pass_over"], names, patterns, STRIDE, now)
        return moved or 0


async def read_entries(tx: Connection, position: int, limit: int) -> list[ReadEntry]:
    """Return up to `limit` sequenced entries from a position on, in order."""
    return [
        ReadEntry(
            position=row["position"],
            seq=row["seq"],
            id=row["id"],
            kind=row["kind"],
            occurred_at=row["occurred_at"],
            recorded_at=row["recorded_at"],
            actor=row["actor"],
            subjects=tuple(row["subjects"]),
            heads=tuple(row["heads"]),
            body=row["body"],
        )
        for row in await tx.fetch(_SQL["read_entries"], position, limit)
    ]


async def readers_behind(tx: Connection) -> dict[str, int]:
    """Return how many entries each reader has not handled yet."""
    end = await tx.fetchval(_SQL["end_position"]) or 0
    return {row["name"]: end - row["position"] for row in await tx.fetch(_SQL["readers"])}
