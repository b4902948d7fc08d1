"""Serving the log: checkpoint, leaves and proofs, read from the stored tiles."""

from dataclasses import dataclass

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.sql import load_queries

from .tiles import consistency_proof, consistency_tiles, inclusion_proof, inclusion_tiles

_SQL = load_queries("key2xs.ledger")


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log stands."""

    origin: str
    number: int
    vkey: str
    size: int
    root: bytes
    first_position: int
    narrow_only_why: str | None
    follows: str | None = None
    """The last checkpoint of the origin before this one, when that one was lost."""


async def find_head(tx: Connection) -> Head:
    """Return where the log stands.

    Raises:
        NotFound: the log was never opened.
    """
    row = await tx.fetchrow(_SQL["find_head"])
    if row is None:
        message = "the log is not open yet"
        raise NotFound(message)
    return Head(
        origin=row["origin_name"],
        number=row["origin"],
        vkey=row["vkey"],
        size=row["size"],
        root=bytes(row["root"]),
        first_position=row["first_position"],
        narrow_only_why=row["narrow_only_why"],
        follows=row["follows"],
    )


async def newest_checkpoint(tx: Connection) -> str:
    """Return the newest signed checkpoint as text.

    Raises:
        NotFound: nothing was sequenced yet.
    """
    head = await find_head(tx)
    row = await tx.fetchrow(_SQL["newest_checkpoint"], head.number)
    if row is None:
        message = "the log has no checkpoint yet"
        raise NotFound(message)
    note: str = row["note"]
    return note


async def find_leaf(tx: Connection, index: int) -> bytes:
    """Return the leaf at an index of the present origin.

    Raises:
        NotFound: no such entry yet.
    """
    head = await find_head(tx)
    position = head.first_position + index
    rows = await tx.fetch(_SQL["find_leaves"], position, position + 1)
    if index < 0 or not rows:
        message = f"the log has {head.size} entries; there is no entry {index}"
        raise NotFound(message)
    return bytes(rows[0]["leaf"])


async def prove_inclusion(tx: Connection, index: int, size: int) -> list[bytes]:
    """Return the proof that entry `index` is in the tree of `size` entries.

    Raises:
        InvalidInput: the tree never had that size, or the entry is not in it.
    """
    head = await find_head(tx)
    _check_size("size", size, head.size)
    if not 0 <= index < size:
        raise InvalidInput("index", f"must be from 0 to {size - 1}")
    wanted = inclusion_tiles(index, size)
    return inclusion_proof(index, size, await _tiles(tx, head.number, wanted))


async def prove_consistency(tx: Connection, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `old` entries is the beginning of the tree of `new` entries.

    Raises:
        InvalidInput: the tree never had one of the sizes, or they are the wrong way round.
    """
    head = await find_head(tx)
    _check_size("to", new, head.size)
    if not 0 < old <= new:
        raise InvalidInput("from", f"must be from 1 to {new}")
    wanted = consistency_tiles(old, new)
    return consistency_proof(old, new, await _tiles(tx, head.number, wanted))


async def _tiles(tx: Connection, origin: int, wanted: tuple) -> dict[tuple[int, int], bytes]:  # type: ignore[type-arg]
    rows = await tx.fetch(_SQL["find_tiles"], origin, [t.level for t in wanted], [t.n for t in wanted])
    return {(row["level"], row["number"]): row["hashes"] for row in rows}


def _check_size(field: str, size: int, newest: int) -> None:
    if not 1 <= size <= newest:
        raise InvalidInput(field, f"the log has had sizes from 1 to {newest}")
