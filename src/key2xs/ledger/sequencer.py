"""The sequencer: gives committed entries their place, hashes and signs them, and tells the readers.

There is one at a time. It holds an advisory lock on a connection of its own and is fenced by compare-and-set on
the head, so that one that stalled and was replaced can write nothing. Leaves, tiles, checkpoint and head commit
together; the notification is part of that commit; the copy of the checkpoint outside the database follows it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec

from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.election import Leadership
from key2xs.core.errors import LedgerError
from key2xs.core.haste import SLICE, bulk, give_way
from key2xs.core.sql import load_queries

from .checkpoint import Checkpoint, sign_checkpoint
from .copies import CheckpointCopy
from .labels import blind
from .leaf import CommittedDraft, StreamPosition, build_leaf
from .log import find_head
from .merkle import leaf_hashes
from .note import Signer
from .tiles import Tile, TreeEdge, edge_tiles

_SQL = load_queries("key2xs.ledger")
BATCH = (
    256  # entries a checkpoint: large enough to spread the signature and the commit, small enough for latency
)
OFFICE = "key2xs.sequencer"
CHANNEL = "key2xs_log"
LONGEST_NOTIFICATION = 7_000  # characters, all ASCII
LOG_SUBJECT = "log:site"
PARTITIONS_EVERY = timedelta(days=1)
PARTITION_MONTHS_AHEAD = 2

_BEFORE_COMMIT = declare("ledger.sequence.before_commit")
_AFTER_COMMIT = declare("ledger.sequence.after_commit")
_AFTER_COPY = declare("ledger.sequence.after_copy")

_decode_draft = msgspec.json.Decoder(CommittedDraft).decode
_LEAF_COLUMNS = ("position", "seq", "recorded_at", "leaf")


@dataclass
class _Stand:
    """Where the log stands, as the holder of the fence knows it."""

    fence: int
    origin: int
    origin_name: str
    first_position: int
    edge: TreeEdge
    follows_another: bool


class Sequencer:
    """One candidate for the office; `step` works only while it holds it."""

    name = "sequencer"
    heeds: Final[tuple[str, ...]] = ()  # what the log tells of has its place already

    def __init__(self, database: Database, seed: bytes, stream_key: bytes, copy: CheckpointCopy) -> None:
        """Sign with the Ed25519 `seed`; blind stream names with `stream_key`; keep checkpoints in `copy`."""
        self._leadership = Leadership(database, OFFICE)
        self._seed, self._stream_key, self._copy = seed, stream_key, copy
        self._stand: _Stand | None = None
        self._tags: dict[str, str] = {}
        self._partitions_due: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Sequence one batch; `now` when more may wait, None when nothing does."""
        if not await self._leadership.hold():
            self._stand = None
            return None
        connection = self._leadership.connection
        try:
            if self._stand is None:
                self._stand = await self._take_office(connection)
            await self._make_partitions(connection, now)
            with bulk():
                return now if await self._sequence(connection, self._stand, now) else None
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
            self._stand = None
            await self._leadership.resign()
            raise
        except BaseException:
            # Whatever was in memory may not match what was committed: read it again next time.
            self._stand = None
            raise

    async def close(self) -> None:
        """Give the office up."""
        self._stand = None
        await self._leadership.resign()

    async def _take_office(self, connection: asyncpg.Connection) -> _Stand:
        async with connection.transaction():
            taken = await connection.fetchrow(_SQL["take_fence"])
            if taken is None:
                message = "the log has no origin yet; open it first"
                raise LedgerError(message)
            head = await find_head(connection)
            wanted = edge_tiles(taken["size"])
            rows = await connection.fetch(
                _SQL["find_tiles"], taken["origin"], [t.level for t in wanted], [t.n for t in wanted]
            )
        stored = {(row["level"], row["number"]): row["hashes"] for row in rows}
        edge = TreeEdge.load(taken["size"], stored)
        if edge.root() != bytes(taken["root"]):
            message = "the stored tiles do not give the stored root: the log was changed behind our back"
            raise LedgerError(message)
        # A crash may have come between the last commit and the copy; catching up is always safe.
        newest = await connection.fetchrow(_SQL["newest_checkpoint"], taken["origin"])
        if newest is not None:
            self._copy.keep(newest["note"].encode())
        return _Stand(
            taken["fence"], taken["origin"], head.origin, head.first_position, edge, head.follows is not None
        )

    async def _make_partitions(self, connection: asyncpg.Connection, now: datetime) -> None:
        if self._partitions_due is None or now >= self._partitions_due:
            await connection.execute("SELECT log_make_partitions($1, $2)", now, PARTITION_MONTHS_AHEAD)
            self._partitions_due = now + PARTITIONS_EVERY

    async def _sequence(self, connection: asyncpg.Connection, stand: _Stand, now: datetime) -> bool:
        async with connection.transaction():
            if stand.follows_another and not stand.edge.size:
                # An origin that follows a lost one begins with the entry that commits to the old checkpoint.
                waiting = await connection.fetch(_SQL["pending_opening"], [LOG_SUBJECT])
            else:
                waiting = await next_batch(connection, BATCH)
            if not waiting:
                return False
            note, edge = await self._write_batch(connection, stand, waiting, now)
            _BEFORE_COMMIT.reach()
        stand.edge = edge
        _AFTER_COMMIT.reach()
        self._copy.keep(note)
        _AFTER_COPY.reach()
        return True

    async def _write_batch(
        self, connection: asyncpg.Connection, stand: _Stand, waiting: Sequence[asyncpg.Record], now: datetime
    ) -> tuple[bytes, TreeEdge]:
        drafts = [_decode_draft(row["draft"]) for row in waiting]
        leaves = await self._build_leaves(connection, stand, waiting, drafts)
        extension = stand.edge.extend(leaf_hashes(leaves))
        start = stand.first_position + stand.edge.size
        records = [
            (start + place, row["seq"], row["recorded_at"], leaf)
            for place, (row, leaf) in enumerate(zip(waiting, leaves, strict=True))
        ]
        await connection.copy_records_to_table("log_leaf", records=records, columns=_LEAF_COLUMNS)
        await self._store_tiles(connection, stand, extension.tiles)
        root = extension.edge.root()
        checkpoint = Checkpoint(stand.origin_name, extension.edge.size, root)
        note = sign_checkpoint(checkpoint, Signer.from_seed(stand.origin_name, self._seed))
        await connection.execute(_SQL["store_checkpoint"], stand.origin, checkpoint.size, note.decode(), now)
        moved = await connection.fetchval(
            _SQL["move_head"], stand.fence, stand.edge.size, checkpoint.size, root
        )
        if not moved:
            message = "another sequencer took over"
            raise LedgerError(message)
        await connection.execute(_SQL["delete_pending"], [row["seq"] for row in waiting])
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, _tell(start + len(waiting), drafts))
        return note, extension.edge

    async def _build_leaves(
        self,
        connection: asyncpg.Connection,
        stand: _Stand,
        waiting: Sequence[asyncpg.Record],
        drafts: Sequence[CommittedDraft],
    ) -> list[bytes]:
        names = sorted({name for row in waiting for name in row["streams"]})
        rows = await connection.fetch(_SQL["find_streams"], stand.origin, names)
        stands = {row["name"]: (row["number"], row["position"]) for row in rows}
        leaves = []
        for index, (row, draft) in enumerate(zip(waiting, drafts, strict=True), start=stand.edge.size):
            places = []
            for name in row["streams"]:
                number, previous = stands.get(name, (0, None))
                places.append(StreamPosition(self._tag(name), number + 1, previous))
                stands[name] = (number + 1, index)
            leaves.append(build_leaf(draft, places))
            if not len(leaves) % SLICE:
                await give_way()
        moved = [(name, *stands[name]) for name in names]
        if moved:
            columns: list[Any] = [list(column) for column in zip(*moved, strict=True)]
            await connection.execute(_SQL["move_streams"], stand.origin, *columns)
        return leaves

    async def _store_tiles(
        self, connection: asyncpg.Connection, stand: _Stand, tiles: Iterable[Tile]
    ) -> None:
        await connection.executemany(
            _SQL["store_tile"], [(stand.origin, t.level, t.n, t.width, t.hashes) for t in tiles]
        )

    def _tag(self, name: str) -> str:
        tag = self._tags.get(name)
        if tag is None:
            tag = self._tags[name] = blind(self._stream_key, name)
        return tag


async def next_batch(connection: Connection, limit: int) -> list[asyncpg.Record]:
    """Return the entries to sequence next.

    Control entries come first, each behind the older bulk entries that it shares a subject with (and those they
    share one with), so that no subject and no stream is ever reordered.
    """
    control = await connection.fetch(_SQL["pending_control"], limit)
    if not control:
        return await connection.fetch(_SQL["pending_bulk"], limit)
    chosen = {row["seq"]: row for row in control}
    new = control
    while new:
        subjects = sorted({subject for row in new for subject in row["subjects"]})
        before = max(row["seq"] for row in new)
        found = await connection.fetch(_SQL["pending_sharing"], before, subjects, limit)
        new = [row for row in found if row["seq"] not in chosen]
        chosen.update((row["seq"], row) for row in new)
    return [chosen[seq] for seq in sorted(chosen)][:limit]


def kinds_told(notification: str) -> tuple[str, ...]:
    """Return which kinds of entries (`domain:subject`) a notification tells of; empty where it does not say."""
    return tuple(notification.split(" ")[1:])


def _tell(end: int, drafts: Sequence[CommittedDraft]) -> str:
    """Say where the log ends now and what came: whoever has no use for that sleeps on."""
    kinds = {draft.kind.rpartition(":")[0] for draft in drafts}
    told = " ".join([str(end), *sorted(kinds)])
    # PostgreSQL takes less than 8,000 bytes; without kinds everybody is woken.
    return told if len(told) < LONGEST_NOTIFICATION else str(end)
