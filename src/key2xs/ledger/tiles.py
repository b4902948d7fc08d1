"""Hash tiles (C2SP tlog-tiles): the tree stored as rows of up to 256 hashes, eight levels apart.

Tile (level, n) holds the roots of the full subtrees of 256^level leaves numbered n*256 and on. A tile grows at its
right end until it is full and never changes otherwise, so a store keeps one row per (level, n): the narrower tile
of an older checkpoint is a prefix of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from key2xs.core.errors import LedgerError

from .merkle import (
    HASH_BYTES,
    Frontier,
    Node,
    ProofPlan,
    pair_up,
    plan_consistency,
    plan_inclusion,
    plan_root,
)

HEIGHT = 8
FULL_WIDTH = 1 << HEIGHT
_MAX_LEVEL = 63  # tlog-tiles: levels are 0 to 63.
_PATH_GROUP = 1000  # tlog-tiles: the index is written in groups of three digits.


class TileError(LedgerError):
    """A tile is missing, too short, or cannot exist."""


class TileId(NamedTuple):
    """A tile as it is at some tree size: `width` hashes, 1 to 256."""

    level: int
    n: int
    width: int

    @property
    def path(self) -> str:
        """Where the tile is served, relative to the log's prefix: `tile/0/x001/x234/067.p/5`."""
        return f"tile/{self.level}/{tile_number(self.n)}{_partial(self.width)}"


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile and its hashes, one after the other."""

    level: int
    n: int
    hashes: bytes

    @property
    def width(self) -> int:
        """How many hashes the tile holds."""
        return len(self.hashes) // HASH_BYTES

    @property
    def id(self) -> TileId:
        """The tile's address at its present width."""
        return TileId(self.level, self.n, self.width)


@dataclass(frozen=True, slots=True)
class Extension:
    """What appending a batch gives: the new edge, and the tiles to store (full ones and the last of each level)."""

    edge: "TreeEdge"
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class TreeEdge:
    """The rightmost partial tile of each level: with it a sequencer appends and computes the root without reading.

    `partial[level]` is empty where the level's last tile is full.
    """

    size: int
    partial: tuple[bytes, ...]

    @classmethod
    def empty(cls) -> "TreeEdge":
        """Return the edge of the empty tree."""
        return cls(0, ())

    @classmethod
    def load(cls, size: int, stored: Mapping[tuple[int, int], bytes]) -> "TreeEdge":
        """Return the edge of a stored tree; `stored` maps (level, n) to hashes for all of `edge_tiles(size)`."""
        partial = [b""] * _level_count(size)
        for tile in edge_tiles(size):
            partial[tile.level] = _prefix(stored, tile)
        return cls(size, tuple(partial))

    def extend(self, leaf_hashes: Sequence[bytes]) -> Extension:
        """Append leaf hashes."""
        rising = leaf_hashes
        partial: list[bytes] = []
        tiles: list[Tile] = []
        level = 0
        while rising or level < len(self.partial):
            held = self.partial[level] if level < len(self.partial) else b""
            row = held + b"".join(rising)
            first = _width_before(self.size, level) // FULL_WIDTH
            cut = [row[at : at + _TILE_BYTES] for at in range(0, len(row), _TILE_BYTES)]
            if rising:
                tiles.extend(Tile(level, first + place, hashes) for place, hashes in enumerate(cut))
            full = [hashes for hashes in cut if len(hashes) == _TILE_BYTES]
            partial.append(b"".join(cut[len(full) :]))
            rising = [_tile_root(hashes) for hashes in full]
            level += 1
        return Extension(TreeEdge(self.size + len(leaf_hashes), tuple(partial)), tuple(tiles))

    def root(self) -> bytes:
        """Return the root of the tree."""
        return self.frontier().root()

    def frontier(self) -> Frontier:
        """Return the roots of the full subtrees at the edge."""
        edge: list[bytes | None] = []
        for row in self.partial:
            within = Frontier.empty().append_many(_split(row)).hashes
            edge.extend(within + (None,) * (HEIGHT - len(within)))
        return Frontier(self.size, tuple(edge))


@dataclass(frozen=True, slots=True)
class StoredNodes:
    """Reads tree nodes out of tiles that were fetched beforehand: `(level, n)` to hashes, wider ones welcome."""

    tiles: Mapping[tuple[int, int], bytes]

    def __call__(self, node: Node) -> bytes:
        """Return the hash of a full subtree."""
        level, height = divmod(node.level, HEIGHT)
        first = node.place << height
        n, place = divmod(first, FULL_WIDTH)
        end = place + (1 << height)
        row = _prefix(self.tiles, TileId(level, n, end))
        return _reduce(_split(row[place * HASH_BYTES :]))


_TILE_BYTES = FULL_WIDTH * HASH_BYTES


def tile_number(n: int) -> str:
    """Return a tile's index as path elements: 1234067 is `x001/x234/067`."""
    if n < 0:
        raise TileError(f"no tile {n}")
    n, last = divmod(n, _PATH_GROUP)
    parts = [f"{last:03d}"]
    while n:
        n, group = divmod(n, _PATH_GROUP)
        parts.append(f"x{group:03d}")
    return "/".join(reversed(parts))


def entries_path(n: int, width: int) -> str:
    """Return where the bundle of entries n*256 and on is served."""
    return f"tile/entries/{tile_number(n)}{_partial(width)}"


def tile_at(level: int, n: int, size: int) -> TileId:
    """Return tile (level, n) as it is in a tree of `size` leaves."""
    if not 0 <= level <= _MAX_LEVEL:
        raise TileError(f"no tile level {level}")
    width = min(_width_before(size, level) - n * FULL_WIDTH, FULL_WIDTH)
    if n < 0 or width < 1:
        raise TileError(f"no tile {n} at level {level} in a log of {size}")
    return TileId(level, n, width)


def all_tiles(size: int) -> tuple[TileId, ...]:
    """Return every tile of a tree of `size` leaves."""
    return tuple(
        tile_at(level, n, size)
        for level in range(_level_count(size))
        for n in range(-(-_width_before(size, level) // FULL_WIDTH))
    )


def edge_tiles(size: int) -> tuple[TileId, ...]:
    """Return the partial tiles at the right edge, which a sequencer reads when it starts."""
    found = []
    for level in range(_level_count(size)):
        n, width = divmod(_width_before(size, level), FULL_WIDTH)
        if width:
            found.append(TileId(level, n, width))
    return tuple(found)


def tiles_of(plan: ProofPlan, size: int) -> tuple[TileId, ...]:
    """Return the tiles to fetch before a plan can be computed, at the width they have in a tree of `size`."""
    places = {
        (node.level // HEIGHT, (node.place << node.level % HEIGHT) // FULL_WIDTH) for node in plan.nodes
    }
    return tuple(tile_at(level, n, size) for level, n in sorted(places))


def inclusion_tiles(index: int, size: int) -> tuple[TileId, ...]:
    """Return the tiles that `inclusion_proof` reads."""
    return tiles_of(plan_inclusion(index, size), size)


def consistency_tiles(old: int, new: int) -> tuple[TileId, ...]:
    """Return the tiles that `consistency_proof` reads."""
    return tiles_of(plan_consistency(old, new), new)


def root_tiles(size: int) -> tuple[TileId, ...]:
    """Return the tiles that `root_at` reads."""
    return tiles_of(plan_root(size), size)


def inclusion_proof(index: int, size: int, stored: Mapping[tuple[int, int], bytes]) -> list[bytes]:
    """Return the proof that entry `index` is in the tree of `size`, from the tiles of `inclusion_tiles`."""
    return plan_inclusion(index, size).compute(StoredNodes(stored))


def consistency_proof(old: int, new: int, stored: Mapping[tuple[int, int], bytes]) -> list[bytes]:
    """Return the proof that the tree of `new` continues the one of `old`, from the tiles of `consistency_tiles`."""
    return plan_consistency(old, new).compute(StoredNodes(stored))


def root_at(size: int, stored: Mapping[tuple[int, int], bytes]) -> bytes:
    """Return the root the tree had at `size`, from the tiles of `root_tiles`."""
    if size == 0:
        return TreeEdge.empty().root()
    return plan_root(size).compute(StoredNodes(stored))[0]


def _width_before(size: int, level: int) -> int:
    """Return how many hashes the level holds in a tree of `size`, over all its tiles."""
    return size >> (HEIGHT * level)


def _level_count(size: int) -> int:
    return -(-size.bit_length() // HEIGHT)


def _partial(width: int) -> str:
    if not 1 <= width <= FULL_WIDTH:
        raise TileError(f"a tile holds 1 to {FULL_WIDTH} hashes, not {width}")
    return "" if width == FULL_WIDTH else f".p/{width}"


def _prefix(stored: Mapping[tuple[int, int], bytes], tile: TileId) -> bytes:
    row = stored.get((tile.level, tile.n))
    if row is None:
        raise TileError(f"tile {tile.level}/{tile.n} was not read")
    if len(row) < tile.width * HASH_BYTES:
        raise TileError(
            f"tile {tile.level}/{tile.n} holds {len(row) // HASH_BYTES} hashes, {tile.width} are needed"
        )
    return row[: tile.width * HASH_BYTES]


def _split(row: bytes) -> list[bytes]:
    return [row[at : at + HASH_BYTES] for at in range(0, len(row), HASH_BYTES)]


def _tile_root(hashes: bytes) -> bytes:
    return _reduce(_split(hashes))


def _reduce(hashes: Iterable[bytes]) -> bytes:
    row = list(hashes)
    while len(row) > 1:
        row = pair_up(row)
    return row[0]
