"""Verify an export offline: no database, no network, nothing but the file and the log's public key.

Checked: the checkpoint's signature, every leaf's form, the root over all leaves, every stream's numbering and
predecessors, every disclosed value against its commitment, and, where subjects and a stream are disclosed, that
every entry is in exactly the streams the published labelling gives it.
"""

import gzip
import json
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from .checkpoint import Checkpoint, open_checkpoint
from .export import FORMAT, VERSION, DisclosedStream
from .labels import LabelError, streams_of
from .leaf import Leaf, MalformedLeaf, Opening, check_opening, parse_leaf
from .merkle import Frontier, leaf_hash
from .note import NoteError, Verifier

MAX_PROBLEMS = 100  # Kept in the report; the rest is only counted.
_MAX_LINE = 64 * 1024 * 1024  # A leaf has 64 KiB, its disclosed values some more; a longer line is no export.
_BATCH = 4096  # Leaf hashes appended at once.


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the entry's index (None: the file as a whole), the field and what it is."""

    index: int | None
    field: str
    problem: str

    def __str__(self) -> str:
        where = "export" if self.index is None else f"entry {self.index}"
        return f"{where}: {self.field}: {self.problem}"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was verified. `ok` is true exactly when there is no problem.

    `openings_checked` values were disclosed and match; `openings_absent` are withheld or erased, which is no fault.
    """

    ok: bool
    origin: str
    size: int
    root: bytes
    problems: tuple[Problem, ...]
    problem_count: int
    entries: int
    openings_checked: int
    openings_absent: int
    streams_checked: int
    streams_disclosed: int


def verify_export(path: Path, vkey: str, witnesses: tuple[Verifier, ...] = ()) -> VerifyReport:
    """Verify the export file with the log's public key.

    Never raises for what is in the file: everything found there becomes a problem in the report.

    Raises:
        NoteError: `vkey` itself is malformed.
        OSError: the file cannot be read.
    """
    run = _Verification(Verifier.parse(vkey), witnesses)
    with _open_for_reading(path) as file:
        run.read(_lines(file, run))
    return run.report()


@dataclass(slots=True)
class _Stream:
    number: int
    index: int


@dataclass(slots=True)
class _Verification:
    """The state of one pass over an export."""

    log: Verifier
    witnesses: tuple[Verifier, ...]
    checkpoint: Checkpoint | None = None
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    entries: int = 0
    openings_checked: int = 0
    openings_absent: int = 0
    frontier: Frontier = field(default_factory=Frontier.empty)
    waiting: list[bytes] = field(default_factory=list)
    streams: dict[str, _Stream] = field(default_factory=dict)
    disclosed: dict[str, str] = field(default_factory=dict)  # Name to tag.

    def read(self, lines: Iterator[bytes]) -> None:
        """Check every line."""
        first = next(lines, None)
        if first is None or not self._read_header(first):
            self.complain(
                None, "header", f"the first line is not the header of a {FORMAT}, version {VERSION}"
            )
            return
        for line in lines:
            value = _decode(line)
            if value is None:
                self.complain(None, f"line after entry {self.entries - 1}", "not a JSON object")
            elif "stream" in value:
                self._read_stream(value)
            else:
                self._read_entry(value)

    def report(self) -> VerifyReport:
        """Compare the whole with the checkpoint and return the findings."""
        self._append_waiting()
        root = self.frontier.root()
        if self.checkpoint is not None:
            self._check_whole(self.checkpoint, root)
        return VerifyReport(
            ok=self.problem_count == 0,
            origin=self.log.name if self.checkpoint is None else self.checkpoint.origin,
            size=0 if self.checkpoint is None else self.checkpoint.size,
            root=root,
            problems=tuple(self.problems),
            problem_count=self.problem_count,
            entries=self.entries,
            openings_checked=self.openings_checked,
            openings_absent=self.openings_absent,
            streams_checked=len(self.streams),
            streams_disclosed=len(self.disclosed),
        )

    def complain(self, index: int | None, where: str, problem: str) -> None:
        """Add a problem to the report."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(index, where, problem))

    def _read_header(self, line: bytes) -> bool:
        value = _decode(line)
        if value is None or value.get("format") != FORMAT or value.get("version") != VERSION:
            return False
        note = value.get("checkpoint")
        if not isinstance(note, str):
            return False
        try:
            self.checkpoint = open_checkpoint(note.encode(), self.log, self.witnesses)
        except (NoteError, UnicodeEncodeError) as error:
            self.complain(None, "checkpoint", str(error))
            return True
        if (value.get("origin"), value.get("size")) != (self.checkpoint.origin, self.checkpoint.size):
            self.complain(None, "header", "origin or size differ from the signed checkpoint")
        return True

    def _read_stream(self, value: Mapping[str, Any]) -> None:
        name, secret = value.get("stream"), _hex(value.get("secret"))
        if not isinstance(name, str) or secret is None:
            self.complain(None, "stream", "a disclosed stream is a name and a secret in hex")
        elif self.entries:
            self.complain(None, f"stream {name}", "disclosed after the first entry")
        else:
            self.disclosed[name] = DisclosedStream(name, secret).tag

    def _read_entry(self, value: Mapping[str, Any]) -> None:
        index = self.entries
        self.entries += 1
        if value.get("index") != index:
            self.complain(index, "index", f"the line says {value.get('index')!r}")
        data = _base64(value.get("leaf"))
        if data is None:
            self.complain(index, "leaf", "not base64")
            return
        hashed = leaf_hash(data)
        self.waiting.append(hashed)
        if len(self.waiting) >= _BATCH:
            self._append_waiting()
        if value.get("leaf_hash") != hashed.hex():
            self.complain(index, "leaf_hash", "the leaf's bytes have another hash")
        try:
            leaf = parse_leaf(data)
        except MalformedLeaf as error:
            self.complain(index, error.field, error.problem)
            return
        self._check_streams(index, leaf)
        subjects = self._check_openings(index, leaf, value.get("openings"))
        if subjects is not None:
            self._check_labels(index, leaf, subjects)

    def _check_streams(self, index: int, leaf: Leaf) -> None:
        for position in leaf.streams:
            before = self.streams.get(position.tag)
            number = 1 if before is None else before.number + 1
            previous = None if before is None else before.index
            if position.number != number:
                self.complain(
                    index, f"streams/{position.tag}", f"number {position.number}, {number} comes next"
                )
            if position.previous != previous:
                self.complain(
                    index, f"streams/{position.tag}", f"predecessor {position.previous}, it is {previous}"
                )
            # Go on from what the leaf says, so that one gap is one problem.
            self.streams[position.tag] = _Stream(position.number, index)

    def _check_openings(self, index: int, leaf: Leaf, shown: object) -> list[str] | None:
        """Check what is disclosed; return the subjects when all of them are."""
        if not isinstance(shown, dict) or not shown.keys() <= {"actor", "subjects", "body"}:
            self.complain(index, "openings", "must hold at most actor, subjects and body")
            return None
        self._check_one(index, "actor", leaf.actor, shown.get("actor"))
        body = shown.get("body", {})
        if not isinstance(body, dict) or not body.keys() <= leaf.body.keys():
            self.complain(index, "openings/body", "discloses fields that the leaf does not have")
            body = {}
        for name, commitment in leaf.body.items():
            self._check_one(index, f"body/{name}", commitment, body.get(name))
        return self._check_subjects(index, leaf, shown.get("subjects"))

    def _check_subjects(self, index: int, leaf: Leaf, shown: object) -> list[str] | None:
        listed = [None] * len(leaf.subjects) if shown is None else shown
        if not isinstance(listed, list) or len(listed) != len(leaf.subjects):
            self.complain(index, "openings/subjects", f"the leaf has {len(leaf.subjects)} subjects")
            return None
        opened = [
            self._check_one(index, f"subjects/{place}", commitment, item)
            for place, (commitment, item) in enumerate(zip(leaf.subjects, listed, strict=True))
        ]
        names = [found.value for found in opened if found is not None and isinstance(found.value, str)]
        return names if len(names) == len(opened) else None

    def _check_one(self, index: int, where: str, commitment: str, shown: object) -> Opening | None:
        if shown is None:
            self.openings_absent += 1
            return None
        salt = (
            _hex(shown.get("salt")) if isinstance(shown, dict) and shown.keys() == {"salt", "value"} else None
        )
        if salt is None or not isinstance(shown, dict):
            self.complain(index, where, "a disclosure is a salt in hex and a value")
            return None
        opening = Opening(salt, shown["value"])
        if not check_opening(commitment, opening):
            self.complain(index, where, "the disclosed value is not the one that was committed to")
            return None
        self.openings_checked += 1
        return opening

    def _check_labels(self, index: int, leaf: Leaf, subjects: list[str]) -> None:
        try:
            names = streams_of(leaf.label_version, leaf.kind, subjects)
        except LabelError as error:
            self.complain(index, "label_version", str(error))
            return
        if len(names) != len(leaf.streams):
            self.complain(
                index, "streams", f"{len(leaf.streams)} in the leaf, its subjects belong to {len(names)}"
            )
        carried = {position.tag for position in leaf.streams}
        for name, tag in self.disclosed.items():
            if (name in names) != (tag in carried):
                what = "missing from" if name in names else "wrongly in"
                self.complain(index, "streams", f"{what} stream {name}")

    def _append_waiting(self) -> None:
        self.frontier = self.frontier.append_many(self.waiting)
        self.waiting = []

    def _check_whole(self, checkpoint: Checkpoint, root: bytes) -> None:
        if self.entries != checkpoint.size:
            self.complain(
                None, "size", f"{self.entries} entries, the signed checkpoint covers {checkpoint.size}"
            )
        elif root != checkpoint.root:
            self.complain(None, "root", "the entries lead to another root than the signed one")


def _open_for_reading(path: Path) -> BufferedIOBase:
    with path.open("rb") as probe:
        compressed = probe.read(2) == b"\x1f\x8b"
    return gzip.GzipFile(path, "rb") if compressed else path.open("rb")


def _lines(file: BufferedIOBase, run: _Verification) -> Iterator[bytes]:
    try:
        while line := file.readline(_MAX_LINE):
            if not line.endswith(b"\n"):
                run.complain(None, "file", "the last line is cut off or too long")
                return
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        run.complain(None, "file", f"damaged compression: {error}")


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _hex(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _base64(text: object) -> bytes | None:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else None
    except (Base64Error, ValueError):
        return None
