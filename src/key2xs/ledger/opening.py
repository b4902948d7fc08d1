"""Opening the log at start: the first origin, or a comparison with the checkpoint kept outside.

If the database is behind its own published checkpoint (an old backup was restored) or disagrees with it, the
service starts *narrow-only*: a new origin opens whose first entry commits to the old checkpoint, and nothing may
widen until a person confirms that everything possibly on devices was read again.
"""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from key2xs.core.database import Connection, Database
from key2xs.core.errors import LedgerError
from key2xs.core.sql import load_queries

from .checkpoint import open_checkpoint
from .copies import CheckpointCopy
from .entry import Entry, Lane
from .merkle import root_of
from .note import Signer, Verifier
from .sequencer import LOG_SUBJECT
from .service import Ledger
from .tiles import root_at, root_tiles

_SQL = load_queries("key2xs.ledger")
EMPTY_ROOT = root_of([])
# Entries of the first batch, whose checkpoint may have been committed without its copy when a process died there.
BATCH = 256
_COPY_GONE = (
    "the copy of the checkpoint outside the database is gone; nobody can tell whether the database is old"
)
OFFICE = "key2xs.log.open"


@dataclass(frozen=True, slots=True)
class Opened:
    """What was found.

    `lost` says what the database no longer has. Then the caller records the entry that opens the new origin, with
    the old checkpoint `follows` in it; nothing else is sequenced before that entry.
    """

    origin: str
    vkey: str
    lost: str | None = None
    follows: str | None = None


async def open_log(
    database: Database, *, origin: str, seed: bytes, copy: CheckpointCopy, at: datetime
) -> Opened:
    """Make sure that there is a log and that it is not older than its own copy.

    Args:
        database: connected with the log writer's role.
        origin: the name of the first origin; later ones get `/2`, `/3` at the end.
        seed: the signing key.
        copy: the checkpoint kept outside the database.
        at: now, for the record.

    Raises:
        LedgerError: the copy is not a checkpoint of this log, or the signing key is not this log's.
    """
    async with database.transaction() as tx:
        # Several processes may start at once: one opens, the others find it open.
        await tx.execute(_SQL["one_opens"], OFFICE)
        # The copy first: it follows the database, so what is read in this order is behind only after a real loss.
        kept = copy.load()
        head = await tx.fetchrow(_SQL["find_head"])
        if head is None:
            first = _name(origin, 1) if kept is None else None
            if first is not None:
                return await _open_origin(tx, 1, first, seed, at, follows=None, why=None)
            return await _open_after_loss(tx, None, origin, seed, at, kept or b"")
        if Signer.from_seed(head["origin_name"], seed).verifier.vkey != head["vkey"]:
            message = "the signing key is not the one this log was begun with"
            raise LedgerError(message)
        if kept is None and head["size"] > BATCH:
            # More than one batch was published, so there was a copy. Without it nothing tells an old database.
            newest = await tx.fetchrow(_SQL["newest_checkpoint"], head["origin"])
            if newest is None:
                message = "the log has entries and no checkpoint: it was changed behind our back"
                raise LedgerError(message)
            return await _open_after_loss(tx, head, origin, seed, at, newest["note"].encode(), why=_COPY_GONE)
        if kept is not None:
            problem = await _compare(tx, head, kept)
            if problem is not None:
                return await _open_after_loss(tx, head, origin, seed, at, kept)
        if head["follows"] is not None and not head["size"]:
            return Opened(head["origin_name"], head["vkey"], head["narrow_only_why"], head["follows"])
        return Opened(head["origin_name"], head["vkey"])


async def tell_loss(tx: Connection, ledger: Ledger, opened: Opened, at: datetime) -> None:
    """Record, once, the entry that opens an origin after a loss and commits to the last checkpoint before it.

    Nothing else is sequenced in that origin before this entry.
    """
    if opened.lost is None or await tx.fetchval(_SQL["opening_told"], [LOG_SUBJECT], opened.origin):
        return
    await ledger.record(
        tx,
        Entry(
            kind="ledger:origin:open",
            occurred_at=at,
            recorded_at=at,
            actor="system:ledger",
            subjects=(LOG_SUBJECT,),
            body={"lost": opened.lost, "origin": opened.origin, "follows": opened.follows},
            lane=Lane.CONTROL,
        ),
    )


async def allow_widening(tx: Connection) -> None:
    """End narrow-only mode; the caller has checked that everything was read again and records who said so."""
    await tx.execute(_SQL["allow_widening"])


async def _compare(tx: Connection, head: asyncpg.Record, kept: bytes) -> str | None:
    """Say how the database differs from the kept checkpoint, or None when it continues it."""
    if head["follows"] == kept.decode():
        # We died after opening this origin and before its first checkpoint: the same loss, to be told once.
        return None
    published = kept.decode().split("\n", 1)[0]
    if published != head["origin_name"]:
        return f"the log {published} was published, the database holds {head['origin_name']}"
    checkpoint = open_checkpoint(kept, Verifier.parse(head["vkey"]))
    if checkpoint.size > head["size"]:
        return f"the database has {head['size']} entries, {checkpoint.size} were published"
    wanted = root_tiles(checkpoint.size)
    rows = await tx.fetch(
        _SQL["find_tiles"], head["origin"], [t.level for t in wanted], [t.n for t in wanted]
    )
    stored = {(row["level"], row["number"]): row["hashes"] for row in rows}
    if root_at(checkpoint.size, stored) != checkpoint.root:
        return f"the first {checkpoint.size} entries are not those that were published"
    return None


async def _open_after_loss(
    tx: Connection,
    head: asyncpg.Record | None,
    origin: str,
    seed: bytes,
    at: datetime,
    kept: bytes,
    *,
    why: str | None = None,
) -> Opened:
    follows = kept.decode()
    # The kept note names its own origin; after losing even the origin table it is the only source, and an origin
    # that once published anything is never opened again.
    lines = follows.split("\n", 2)
    newest = max(head["origin"] if head is not None else 1, _number(lines[0], origin))
    why = why or f"published log {lines[0]} reached {lines[1]} entries, the database does not have them all"
    number = newest + 1
    return await _open_origin(tx, number, _name(origin, number), seed, at, follows=follows, why=why)


async def _open_origin(
    tx: Connection,
    number: int,
    name: str,
    seed: bytes,
    at: datetime,
    *,
    follows: str | None,
    why: str | None,
) -> Opened:
    signer = Signer.from_seed(name, seed)
    first_position = await tx.fetchval("SELECT coalesce(max(position) + 1, 0) FROM log_leaf")
    vkey = signer.verifier.vkey
    await tx.execute(_SQL["open_origin"], number, name, first_position, at, vkey, follows)
    await tx.execute(_SQL["set_head_origin"], number, EMPTY_ROOT, at if why else None, why)
    return Opened(name, vkey, lost=why, follows=follows)


def _number(name: str, origin: str) -> int:
    suffix = name.removeprefix(f"{origin}/")
    return int(suffix) if suffix != name and suffix.isdecimal() else 1


def _name(origin: str, number: int) -> str:
    return origin if number == 1 else f"{origin}/{number}"
