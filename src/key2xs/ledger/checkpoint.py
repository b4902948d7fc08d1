"""Checkpoints (C2SP tlog-checkpoint): the signed statement "this log, at this size, has this root"."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .merkle import HASH_BYTES
from .note import NoteError, Signer, Verifier, open_note, sign_note

_SIZE = re.compile(r"0|[1-9][0-9]*")
_LEAST_LINES = 3  # Origin, size, root.


class CheckpointError(NoteError):
    """The note is no checkpoint, or not one of this log."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head. `extensions` are opaque lines; we write none and keep those of others."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the text that is signed."""
        _check_line(self.origin, "origin")
        for line in self.extensions:
            _check_line(line, "extension line")
        if self.size < 0 or len(self.root) != HASH_BYTES:
            raise CheckpointError(f"a checkpoint has a size from 0 and a root of {HASH_BYTES} bytes")
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), root, *self.extensions))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text strictly."""
    lines = text.split("\n")
    if lines.pop() != "" or len(lines) < _LEAST_LINES or not all(lines):
        raise CheckpointError("a checkpoint has at least three lines, none empty, each ended by a newline")
    origin, size, encoded, *extensions = lines
    if _SIZE.fullmatch(size) is None:
        raise CheckpointError(f"tree size {size!r} is not a decimal number without leading zeros")
    return Checkpoint(origin, int(size), _parse_root(encoded), tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return the checkpoint as a signed note. The signer's name must be the log's origin."""
    if signer.name != checkpoint.origin:
        raise CheckpointError(
            f"the log {checkpoint.origin} is signed by a key of that name, not {signer.name}"
        )
    return sign_note(checkpoint.text(), [signer])


def open_checkpoint(note: bytes, log: Verifier, witnesses: Sequence[Verifier] = ()) -> Checkpoint:
    """Check a signed checkpoint and return it.

    Raises:
        NoteError: malformed, or a signature of the log or of a known witness fails.
        CheckpointError: not signed by the log's key, or the origin is another log.
    """
    opened = open_note(note, [log, *witnesses])
    if log not in opened.signed_by:
        raise CheckpointError(f"the log's own key {log.name} did not sign it")
    checkpoint = parse_checkpoint(opened.text)
    if checkpoint.origin != log.name:
        raise CheckpointError(f"the checkpoint is of log {checkpoint.origin}, the key is that of {log.name}")
    return checkpoint


def _parse_root(encoded: str) -> bytes:
    try:
        root = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointError("the root is not base64") from error
    if len(root) != HASH_BYTES or base64.b64encode(root).decode() != encoded:
        raise CheckpointError(f"the root is not {HASH_BYTES} bytes in base64")
    return root


def _check_line(line: str, what: str) -> None:
    if not line or any(char < " " for char in line):
        raise CheckpointError(f"{what}: must be one non-empty line")
