"""Offline proofs (C2SP tlog-proof v1): one text file that proves an entry is on the log, without asking the log."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .checkpoint import Checkpoint, open_checkpoint
from .merkle import HASH_BYTES, ProofError, leaf_hash, verify_inclusion
from .note import Verifier

HEADER = "c2sp.org/tlog-proof@v1"
FILE_EXTENSION = ".tlog-proof"
_INDEX = re.compile(r"index (0|[1-9][0-9]*)")
_MAX_HASHES = 64  # A tree has fewer than 2^64 leaves.


@dataclass(frozen=True, slots=True)
class Proof:
    """An inclusion proof with the signed checkpoint it leads to.

    `extra` is context that nothing authenticates; `checkpoint` is the note, kept byte for byte.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None


def write_proof(proof: Proof) -> bytes:
    """Return the proof file's bytes."""
    lines = [HEADER]
    if proof.extra is not None:
        lines.append(f"extra {_encode(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines.extend(_encode(found) for found in proof.hashes)
    return "".join(f"{line}\n" for line in [*lines, ""]).encode() + proof.checkpoint


def parse_proof(data: bytes) -> Proof:
    """Read a proof file strictly; nothing is verified yet.

    Raises:
        ProofError: says which line is not what it must be.
    """
    head, separator, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise ProofError("the proof lines are not ASCII") from error
    if not separator or lines.pop(0) != HEADER:
        raise ProofError(
            f"not a proof: the first line must be {HEADER}, and a checkpoint must follow a blank line"
        )
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _decode(lines.pop(0).removeprefix("extra "), "extra")
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if index is None:
        raise ProofError("the line `index <n>` is missing or malformed")
    return Proof(int(index[1]), _parse_hashes(lines), checkpoint, extra)


def verify_proof(proof: Proof, leaf: bytes, log: Verifier, witnesses: Sequence[Verifier] = ()) -> Checkpoint:
    """Check that the leaf *bytes* are entry `proof.index` of the log, and return the checkpoint that says so.

    Raises:
        NoteError: the checkpoint is not the log's.
        ProofError: the hashes do not lead from this leaf to the checkpoint's root.
    """
    checkpoint = open_checkpoint(proof.checkpoint, log, witnesses)
    if not verify_inclusion(leaf_hash(leaf), proof.index, checkpoint.size, proof.hashes, checkpoint.root):
        raise ProofError(
            f"these bytes are not entry {proof.index} of {checkpoint.origin} at size {checkpoint.size}"
        )
    return checkpoint


def _parse_hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > _MAX_HASHES:
        raise ProofError(f"{len(lines)} hashes, at most {_MAX_HASHES} make sense")
    hashes = tuple(_decode(line, f"hash {place}") for place, line in enumerate(lines))
    if any(len(found) != HASH_BYTES for found in hashes):
        raise ProofError(f"a proof hash has {HASH_BYTES} bytes")
    return hashes


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(encoded: str, where: str) -> bytes:
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError(f"{where}: not base64") from error
    if _encode(raw) != encoded:
        raise ProofError(f"{where}: base64 with stray bits")
    return raw
