"""The Merkle tree of RFC 6962 with SHA-256: roots, proofs and their checks.

A *node* (level, place) is the root of the full subtree over leaves [place << level, (place + 1) << level). Proofs are
first *planned* (which nodes) and then computed from a function that reads nodes, so that a caller can fetch all of
them in one query.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from key2xs.core.errors import LedgerError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

_LEAF = b"\x00"
_NODE = b"\x01"
_sha256 = hashlib.sha256


class ProofError(LedgerError):
    """The proof does not prove it, or such a proof cannot exist."""


class Node(NamedTuple):
    """The address of a full subtree: height above the leaves, and place among its equals."""

    level: int
    place: int


ReadNode: TypeAlias = Callable[[Node], bytes]
# The nodes of one proof hash, left to right, largest first: usually one, several at the ragged right edge.
Run: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """Which nodes each hash of a proof is made of."""

    runs: tuple[Run, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes that must be read."""
        return tuple(node for run in self.runs for node in run)

    def compute(self, read: ReadNode) -> list[bytes]:
        """Return the proof hashes."""
        return [_join([read(node) for node in run]) for run in self.runs]


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00, leaf)."""
    return _sha256(_LEAF + leaf).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """Return the hashes of many leaves; the loop stays in one expression because it is the hot one."""
    return [_sha256(_LEAF + leaf).digest() for leaf in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01, left, right)."""
    return _sha256(_NODE + left + right).digest()


def pair_up(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the parents of neighbours 0-1, 2-3, ...; an odd last one has no parent yet."""
    return [
        _sha256(_NODE + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=False)
    ]


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    return Frontier.empty().append_many(hashes).root()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The roots of the full subtrees at a tree's right edge: all that is needed to go on appending.

    `hashes[level]` is set exactly when bit `level` of `size` is.
    """

    size: int
    hashes: tuple[bytes | None, ...]

    @classmethod
    def empty(cls) -> "Frontier":
        """Return the frontier of the empty tree."""
        return cls(0, ())

    def append_many(
        self, hashes: Sequence[bytes], *, on_nodes: Callable[[int, int, Sequence[bytes]], None] | None = None
    ) -> "Frontier":
        """Append leaf hashes; call `on_nodes(level, first place, hashes)` with the nodes that became full."""
        rising: Sequence[bytes] = hashes
        edge: list[bytes | None] = []
        level = 0
        while rising or level < len(self.hashes):
            held = self.hashes[level] if level < len(self.hashes) else None
            if rising and on_nodes is not None:
                on_nodes(level, self.size >> level, rising)
            row = rising if held is None else [held, *rising]
            edge.append(row[-1] if len(row) % 2 else None)
            rising = pair_up(row)
            level += 1
        return Frontier(self.size + len(hashes), tuple(edge))

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        held = [found for found in reversed(self.hashes) if found is not None]
        return _join(held) if held else EMPTY_ROOT


def plan_root(size: int) -> ProofPlan:
    """Plan the root of the tree of `size` leaves (one run; none for the empty tree)."""
    return ProofPlan((_run(0, size),) if size else ())


def plan_inclusion(index: int, size: int) -> ProofPlan:
    """Plan the proof that leaf `index` is in the tree of `size` leaves: siblings from the leaf up."""
    if not 0 <= index < size:
        raise ProofError(f"no entry {index} in a log of {size}")
    low, high = 0, size
    runs: list[Run] = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            runs.append(_run(middle, high))
            high = middle
        else:
            runs.append(_run(low, middle))
            low = middle
    return ProofPlan(tuple(reversed(runs)))


def plan_consistency(old: int, new: int) -> ProofPlan:
    """Plan the proof that the tree of `new` leaves begins with the tree of `old` (RFC 6962, 2.1.2)."""
    if not 0 <= old <= new:
        raise ProofError(f"a log of {new} cannot continue one of {old}")
    if old in {0, new}:
        return ProofPlan(())
    low, high = 0, new
    whole = True  # The old tree is still a subtree that the verifier already holds the hash of.
    runs: list[Run] = []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            runs.append(_run(middle, high))
            high = middle
        else:
            runs.append(_run(low, middle))
            low = middle
            whole = False
    if not whole:
        runs.append(_run(low, high))
    return ProofPlan(tuple(reversed(runs)))


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that the proof leads to from a leaf *hash*.

    Raises:
        ProofError: the proof has not the length that index and size ask for.
    """
    expected = len(plan_inclusion(index, size).runs)
    if len(proof) != expected:
        raise ProofError(f"the proof has {len(proof)} hashes, entry {index} of {size} needs {expected}")
    found, place, last = leaf, index, size - 1
    for sibling in proof:
        # An even last node has no right neighbour: its subtree rises unhashed until it is a right child.
        while place == last and place % 2 == 0:
            place >>= 1
            last >>= 1
        found = node_hash(sibling, found) if place % 2 else node_hash(found, sibling)
        place >>= 1
        last >>= 1
    return found


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether the leaf *hash* is entry `index` of the tree with this size and root."""
    try:
        return root_from_inclusion(leaf, index, size, proof) == root
    except ProofError:
        return False


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], *, old_root: bytes, new_root: bytes
) -> bool:
    """Tell whether the tree (new, new_root) begins with the tree (old, old_root). RFC 9162, 2.1.4.2."""
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    if len(proof) != len(plan_consistency(old, new).runs):
        return False
    return _fold_consistency(old, new, list(proof), old_root) == (old_root, new_root)


def _fold_consistency(old: int, new: int, path: list[bytes], old_root: bytes) -> tuple[bytes, bytes]:
    place, last = old - 1, new - 1
    while place % 2:
        place >>= 1
        last >>= 1
    # Where the old tree is one full subtree, its root itself is where both paths begin.
    first = old_root if old & (old - 1) == 0 else path.pop(0)
    left = right = first
    for sibling in path:
        if place % 2 or place == last:
            left = node_hash(sibling, left)
            right = node_hash(sibling, right)
            while place and place % 2 == 0:
                place >>= 1
                last >>= 1
        else:
            right = node_hash(right, sibling)
        place >>= 1
        last >>= 1
    return left, right


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _run(low: int, high: int) -> Run:
    """Return the full subtrees that cover [low, high); `low` is a multiple of the largest of them."""
    nodes = []
    while low < high:
        level = (high - low).bit_length() - 1
        nodes.append(Node(level, low >> level))
        low += 1 << level
    return tuple(nodes)


def _join(hashes: Sequence[bytes]) -> bytes:
    """Return the root over subtrees given left to right, each smaller than the one before."""
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found
