import base64
import contextlib
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from key2xs.ledger.checkpoint import Checkpoint, sign_checkpoint
from key2xs.ledger.export import (
    DisclosedStream,
    ExportedEntry,
    ExportError,
    ExportWriter,
    Openings,
    write_export,
)
from key2xs.ledger.labels import blind, stream_secret, streams_of
from key2xs.ledger.leaf import LeafDraft, Opening, StreamPosition, build_leaf, derive_salt
from key2xs.ledger.merkle import leaf_hash, leaf_hashes, root_of
from key2xs.ledger.note import NoteError, Signer
from key2xs.ledger.verify import MAX_PROBLEMS, VerifyReport, verify_export

LOG = Signer.from_seed("key2xs.example/site", bytes(range(32)))
STRANGER = Signer.from_seed("key2xs.example/site", bytes(32))
SITE_KEY = bytes(range(32, 64))
AT = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
SIZE = 40


@dataclass
class World:
    """A small log: cylinders 0-4 take turns, each entry is also about one of three zones and one person."""

    entries: list[ExportedEntry]
    note: bytes
    streams: list[DisclosedStream]


def make_world() -> World:
    entries: list[ExportedEntry] = []
    places: dict[str, tuple[int, int]] = {}
    for index in range(SIZE):
        subjects = (f"cylinder:{index % 5}", f"zone:{index % 3}", f"person:{index % 7}")
        positions = []
        for name in streams_of(1, "keys:lock:open", subjects):
            number, previous = places.get(name, (0, None))
            positions.append(StreamPosition(blind(SITE_KEY, name), number + 1, previous))
            places[name] = (number + 1, index)
        entries.append(make_entry(index, subjects, positions))
    root = root_of(leaf_hashes(entry.leaf for entry in entries))
    streams = [DisclosedStream(name, stream_secret(SITE_KEY, name)) for name in sorted(places)]
    return World(entries, sign_checkpoint(Checkpoint(LOG.name, SIZE, root), LOG), streams)


def make_entry(index: int, subjects: tuple[str, ...], positions: list[StreamPosition]) -> ExportedEntry:
    secret = bytes([index]) * 32
    openings = Openings(
        actor=Opening(derive_salt(secret, "actor"), "system:locks"),
        subjects=tuple(
            Opening(derive_salt(secret, f"subjects/{place}"), name) for place, name in enumerate(subjects)
        ),
        body={"outcome": Opening(derive_salt(secret, "body/outcome"), {"opened": True, "tries": index})},
    )
    assert openings.actor is not None
    draft = LeafDraft(
        id=UUID(int=index),
        kind="keys:lock:open",
        occurred_at=AT + timedelta(minutes=index),
        recorded_at=AT + timedelta(minutes=index, seconds=5),
        label_version=1,
        actor=openings.actor,
        subjects=tuple(found for found in openings.subjects if found is not None),
        body=openings.body,
    )
    return ExportedEntry(index, build_leaf(draft, positions), openings)


WORLD = make_world()
Line = dict[str, Any]


def export_lines(path: Path) -> list[Line]:
    write_export(path, WORLD.note, WORLD.entries, WORLD.streams)
    return [json.loads(line) for line in path.read_text().splitlines()]


def save(path: Path, lines: list[Line]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def verify(path: Path) -> VerifyReport:
    return verify_export(path, LOG.verifier.vkey)


def entry_at(lines: list[Line], index: int) -> Line:
    return lines[1 + len(WORLD.streams) + index]


def read_leaf(line: Line) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(line["leaf"])[1:])
    return found


def put_leaf(line: Line, leaf: bytes) -> None:
    """Replace a leaf as a careful forger would: with the matching hash beside it."""
    line["leaf"] = base64.b64encode(leaf).decode()
    line["leaf_hash"] = leaf_hash(leaf).hex()


def put_fields(line: Line, fields: dict[str, Any]) -> None:
    put_leaf(line, b"\x01" + json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_an_untouched_export_verifies_and_says_what_was_checked(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert write_export(path, WORLD.note, WORLD.entries, WORLD.streams) == SIZE
    report = verify(path)
    assert report.problems == ()
    assert report.ok
    assert (report.origin, report.size, report.entries) == (LOG.name, SIZE, SIZE)
    assert report.root == root_of(leaf_hashes(entry.leaf for entry in WORLD.entries))
    assert (report.openings_checked, report.openings_absent) == (5 * SIZE, 0)
    assert (report.streams_checked, report.streams_disclosed) == (8, 8)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_the_same_log_gives_the_same_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one.gz", tmp_path / "two.gz"
    for path in (one, two):
        write_export(path, WORLD.note, WORLD.entries)
    # The name a gzip file was written under stands in its header; the contents are equal.
    assert gzip.decompress(one.read_bytes()) == gzip.decompress(two.read_bytes())
    assert len(one.read_bytes()) == len(two.read_bytes())


def test_erased_and_withheld_values_are_counted_and_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = export_lines(path)
    openings = entry_at(lines, 3)["openings"]
    del openings["actor"], openings["body"]["outcome"]
    openings["subjects"][2] = None
    entry_at(lines, 4)["openings"] = {}
    save(path, lines)
    report = verify(path)
    assert report.ok, report.problems
    assert report.openings_absent == 3 + 5


def test_an_empty_log_verifies(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    note = sign_checkpoint(Checkpoint(LOG.name, 0, root_of([])), LOG)
    write_export(path, note, [])
    assert verify(path).ok


Plant = Callable[[list[Line]], object]


def flip_a_byte(lines: list[Line]) -> None:
    line = entry_at(lines, 9)
    leaf = bytearray(base64.b64decode(line["leaf"]))
    leaf[40] ^= 1
    line["leaf"] = base64.b64encode(leaf).decode()


def flip_a_commitment(lines: list[Line]) -> None:
    line = entry_at(lines, 9)
    fields = read_leaf(line)
    fields["body"]["outcome"] = "00" * 32
    put_fields(line, fields)


def drop_a_leaf(lines: list[Line]) -> None:
    lines.remove(entry_at(lines, 9))


def drop_a_leaf_and_renumber(lines: list[Line]) -> None:
    drop_a_leaf(lines)
    for index in range(9, SIZE - 1):
        entry_at(lines, index)["index"] = index


def drop_the_tail(lines: list[Line]) -> None:
    lines.pop()


def swap_two_leaves(lines: list[Line]) -> None:
    one, two = entry_at(lines, 9), entry_at(lines, 10)
    for name in ("leaf", "leaf_hash", "openings"):
        one[name], two[name] = two[name], one[name]


def renumber_a_stream(lines: list[Line]) -> None:
    fields = read_leaf(entry_at(lines, 9))
    fields["streams"][0]["number"] += 1
    put_fields(entry_at(lines, 9), fields)


def point_to_another_predecessor(lines: list[Line]) -> None:
    fields = read_leaf(entry_at(lines, 9))
    fields["streams"][0]["previous"] -= 1
    put_fields(entry_at(lines, 9), fields)


def lie_about_a_value(lines: list[Line]) -> None:
    entry_at(lines, 9)["openings"]["body"]["outcome"]["value"]["opened"] = False


def lie_about_the_actor(lines: list[Line]) -> None:
    entry_at(lines, 9)["openings"]["actor"]["value"] = "person:4"


def lie_about_a_subject(lines: list[Line]) -> None:
    entry_at(lines, 9)["openings"]["subjects"][0]["value"] = "cylinder:3"


def lie_about_a_salt(lines: list[Line]) -> None:
    entry_at(lines, 9)["openings"]["actor"]["salt"] = "00" * 16


def disclose_an_unknown_field(lines: list[Line]) -> None:
    entry_at(lines, 9)["openings"]["body"]["other"] = {"salt": "00" * 16, "value": 1}


def disclose_one_subject_too_few(lines: list[Line]) -> None:
    entry_at(lines, 9)["openings"]["subjects"].pop()


def leave_out_the_salt(lines: list[Line]) -> None:
    del entry_at(lines, 9)["openings"]["actor"]["salt"]


def add_something_to_the_openings(lines: list[Line]) -> None:
    entry_at(lines, 9)["openings"]["note"] = 1


def spoil_the_base64(lines: list[Line]) -> None:
    entry_at(lines, 9)["leaf"] = "!"


def forge_the_checkpoint(lines: list[Line]) -> None:
    head = Checkpoint(LOG.name, SIZE, bytes(32))
    lines[0]["checkpoint"] = sign_checkpoint(head, STRANGER).decode()


def change_the_signed_root(lines: list[Line]) -> None:
    note = lines[0]["checkpoint"].split("\n")
    note[2] = base64.b64encode(bytes(32)).decode()
    lines[0]["checkpoint"] = "\n".join(note)


def claim_another_size(lines: list[Line]) -> None:
    lines[0]["size"] = SIZE - 1


def swap_the_names_of_two_streams(lines: list[Line]) -> None:
    lines[1]["secret"], lines[2]["secret"] = lines[2]["secret"], lines[1]["secret"]


def spoil_a_stream(lines: list[Line]) -> None:
    lines[1]["secret"] = "zz"


def disclose_a_stream_late(lines: list[Line]) -> None:
    lines.append(lines.pop(1))


@pytest.mark.parametrize(
    ("plant", "index", "field"),
    [
        (flip_a_byte, 9, "leaf_hash"),
        (flip_a_commitment, 9, "body/outcome"),
        (flip_a_commitment, None, "root"),
        (drop_a_leaf, 9, "index"),
        (drop_a_leaf, None, "size"),
        (drop_a_leaf_and_renumber, 13, "streams/"),
        (drop_the_tail, None, "size"),
        (swap_two_leaves, None, "root"),
        (renumber_a_stream, 9, "streams/"),
        (renumber_a_stream, None, "root"),
        (point_to_another_predecessor, 9, "streams/"),
        (lie_about_a_value, 9, "body/outcome"),
        (lie_about_the_actor, 9, "actor"),
        (lie_about_a_subject, 9, "subjects/0"),
        (lie_about_a_salt, 9, "actor"),
        (disclose_an_unknown_field, 9, "openings/body"),
        (disclose_one_subject_too_few, 9, "openings/subjects"),
        (leave_out_the_salt, 9, "actor"),
        (add_something_to_the_openings, 9, "openings"),
        (spoil_the_base64, 9, "leaf"),
        (forge_the_checkpoint, None, "checkpoint"),
        (change_the_signed_root, None, "checkpoint"),
        (claim_another_size, None, "header"),
        (swap_the_names_of_two_streams, 0, "streams"),
        (spoil_a_stream, None, "stream"),
        (disclose_a_stream_late, None, "stream "),
    ],
)
def test_every_planted_fault_is_found_where_it_is(
    tmp_path: Path, plant: Plant, index: int | None, field: str
) -> None:
    path = tmp_path / "log.jsonl"
    lines = export_lines(path)
    plant(lines)
    save(path, lines)
    report = verify(path)
    assert not report.ok
    assert any(found.index == index and found.field.startswith(field) for found in report.problems), [
        str(found) for found in report.problems
    ]


def test_an_entry_kept_out_of_its_stream_is_found_where_subjects_are_disclosed(tmp_path: Path) -> None:
    """Even a log whose own key signed the lie: entry 9 is about cylinder 4 and hides from its stream."""
    entries = [*WORLD.entries]
    for position in range(9, SIZE):
        entry = entries[position]
        subjects = tuple(str(found.value) for found in entry.openings.subjects if found is not None)
        if "cylinder:4" in subjects:
            fields = json.loads(entry.leaf[1:])
            tag = blind(SITE_KEY, "cylinder:4")
            kept = [
                StreamPosition(item["tag"], item["number"], item["previous"])
                for item in fields["streams"]
                if item["tag"] != tag
            ]
            entries[position] = make_entry(position, subjects, kept)
    root = root_of(leaf_hashes(entry.leaf for entry in entries))
    note = sign_checkpoint(Checkpoint(LOG.name, SIZE, root), LOG)
    path = tmp_path / "log.jsonl"
    write_export(path, note, entries, WORLD.streams)
    report = verify(path)
    assert [str(found) for found in report.problems if found.index == 9] == [
        "entry 9: streams: 1 in the leaf, its subjects belong to 2",
        "entry 9: streams: missing from stream cylinder:4",
    ]


def test_the_file_must_be_the_one_of_this_logs_key(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    export_lines(path)
    report = verify_export(path, STRANGER.verifier.vkey)
    assert [found.field for found in report.problems] == ["checkpoint"]
    with pytest.raises(NoteError):
        verify_export(path, "not a vkey")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b'{"format":"key2xs-log-export","version":2}\n',
        b'{"format":"key2xs-log-export","version":1}\n',
        b'{"format":"key2xs-log-export","version":1,"checkpoint":"\\ud800"}\n',
        b"\x1f\x8bnot really gzip",
        b"no newline",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_file_that_is_no_export_is_a_finding_and_not_a_crash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    report = verify(path)
    assert not report.ok
    assert report.problems


def test_a_file_cut_off_anywhere_does_not_verify(tmp_path: Path) -> None:
    for name in ("log.jsonl", "log.jsonl.gz"):
        path = tmp_path / name
        write_export(path, WORLD.note, WORLD.entries)
        whole = path.read_bytes()
        for end in range(0, len(whole), 997):
            path.write_bytes(whole[:end])
            assert not verify(path).ok


def test_lines_that_are_not_objects_are_found_and_the_rest_is_still_checked(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    export_lines(path)
    path.write_bytes(path.read_bytes() + b"garbage\n" * (MAX_PROBLEMS + 5))
    report = verify(path)
    assert report.problem_count == MAX_PROBLEMS + 5
    assert len(report.problems) == MAX_PROBLEMS
    assert report.entries == SIZE


def test_a_writer_that_stops_early_leaves_no_file_that_looks_complete(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with pytest.raises(ExportError, match="40 entries, 39"):
        write_export(path, WORLD.note, WORLD.entries[:-1])
    with contextlib.suppress(KeyError), ExportWriter(path, WORLD.note) as writer:
        writer.add(WORLD.entries[0])
        raise KeyError
    assert not path.exists()


def test_entries_are_written_in_order_and_no_more_than_the_checkpoint_covers(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with pytest.raises(ExportError, match="out of order"):
        write_export(path, WORLD.note, WORLD.entries[1:])
    with pytest.raises(ExportError, match="out of order"):
        write_export(path, WORLD.note, [*WORLD.entries, ExportedEntry(SIZE, b"")])
    with pytest.raises(ExportError, match="not open"):
        ExportWriter(path, WORLD.note).add(WORLD.entries[0])
