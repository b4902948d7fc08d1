"""Exports: the whole log in one file that a stranger can verify with nothing but the log's public key.

Lines of JSON, gzip'd when the file name ends in `.gz`: a header with the signed checkpoint, then disclosed streams,
then every entry in order with what may be disclosed of it. docs/reference/log.md fixes the format.
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Self

from key2xs.core.errors import LedgerError

from .checkpoint import parse_checkpoint
from .labels import stream_tag
from .leaf import Opening
from .merkle import leaf_hash
from .note import split_note

FORMAT = "key2xs-log-export"
VERSION = 1
GZIP_SUFFIX = ".gz"


class ExportError(LedgerError):
    """The export cannot be written like this."""


@dataclass(frozen=True, slots=True)
class Openings:
    """What is disclosed of one entry. Absent (None, or a missing name) means not disclosed or erased."""

    actor: Opening | None = None
    subjects: tuple[Opening | None, ...] = ()
    body: Mapping[str, Opening] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportedEntry:
    """One entry: its index, its leaf bytes and what is disclosed of it."""

    index: int
    leaf: bytes
    openings: Openings = field(default_factory=Openings)


@dataclass(frozen=True, slots=True)
class DisclosedStream:
    """A stream's name and secret: lets the reader recognise that stream's tag, and no other."""

    name: str
    secret: bytes

    @property
    def tag(self) -> str:
        """The tag that stands for the stream in leaves."""
        return stream_tag(self.secret, self.name)


def header_line(checkpoint: bytes) -> bytes:
    """Return the first line of an export: format, log and the signed checkpoint as text."""
    head = parse_checkpoint(split_note(checkpoint)[0])
    return _line(
        {
            "format": FORMAT,
            "version": VERSION,
            "origin": head.origin,
            "size": head.size,
            "checkpoint": checkpoint.decode(),
        }
    )


def stream_line(stream: DisclosedStream) -> bytes:
    """Return the line that discloses one stream."""
    return _line({"stream": stream.name, "secret": stream.secret.hex()})


def entry_line(entry: ExportedEntry) -> bytes:
    """Return the line of one entry."""
    return _line(
        {
            "index": entry.index,
            # Not evidence, the root is: it tells which line a damaged file was damaged in.
            "leaf_hash": leaf_hash(entry.leaf).hex(),
            "leaf": b64encode(entry.leaf).decode(),
            "openings": _openings(entry.openings),
        }
    )


class ExportWriter:
    """Writes an export entry by entry, for callers that read the log in batches. Use it as a context manager.

    The file appears under its name only when it is complete; a broken-off export leaves `<name>.part`.

    Raises:
        ExportError: an entry out of order, or not as many entries as the checkpoint covers.
    """

    def __init__(self, path: Path, checkpoint: bytes, streams: Iterable[DisclosedStream] = ()) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._size = parse_checkpoint(split_note(checkpoint)[0]).size
        self._checkpoint = checkpoint
        self._streams = tuple(streams)
        self._file: BufferedIOBase | None = None
        self.written = 0

    def __enter__(self) -> Self:
        self._file = _open_for_writing(self._part, compress=self._path.name.endswith(GZIP_SUFFIX))
        self._file.write(header_line(self._checkpoint))
        for stream in self._streams:
            self._file.write(stream_line(stream))
        return self

    def add(self, entry: ExportedEntry) -> None:
        """Write the next entry."""
        if self._file is None:
            raise ExportError("the export is not open")
        if entry.index != self.written or entry.index >= self._size:
            raise ExportError(f"entry {entry.index} out of order: {self.written} of {self._size} are written")
        self._file.write(entry_line(entry))
        self.written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        self._file.close()
        self._file = None
        if kind is not None:
            return
        if self.written != self._size:
            raise ExportError(f"the checkpoint covers {self._size} entries, {self.written} were written")
        self._part.replace(self._path)


def write_export(
    path: Path,
    checkpoint: bytes,
    entries: Iterable[ExportedEntry],
    streams: Iterable[DisclosedStream] = (),
) -> int:
    """Write an export and return the number of entries. See `ExportWriter`."""
    with ExportWriter(path, checkpoint, streams) as writer:
        for entry in entries:
            writer.add(entry)
    return writer.written


def _openings(openings: Openings) -> dict[str, object]:
    shown: dict[str, object] = {}
    if openings.actor is not None:
        shown["actor"] = _opening(openings.actor)
    if any(openings.subjects):
        shown["subjects"] = [None if found is None else _opening(found) for found in openings.subjects]
    if openings.body:
        shown["body"] = {name: _opening(found) for name, found in openings.body.items()}
    return shown


def _opening(opening: Opening) -> dict[str, object]:
    return {"salt": opening.salt.hex(), "value": opening.value}


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _open_for_writing(path: Path, *, compress: bool) -> BufferedIOBase:
    # No time in the gzip header: the same log gives the same file.
    return gzip.GzipFile(path, "wb", mtime=0) if compress else path.open("wb")
