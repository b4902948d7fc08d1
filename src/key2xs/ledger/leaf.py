"""The leaf: the bytes of one entry that go into the Merkle tree. Version 1, see docs/reference/log.md.

A leaf shows id, kind, times, the entry's places in its streams and the *names* of body fields. Everything else is a
salted commitment: it proves what the entry said to whoever is shown value and salt, and says nothing once the salt
is destroyed.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from key2xs.core.errors import LedgerError

from .canonical import MAX_INTEGER, Json, NotCanonical, canonical, parse_canonical
from .labels import MAX_STREAMS, LabelError, TooManyStreams, check_kind

VERSION = 1
VERSION_BYTE = b"\x01"
MAX_LEAF_BYTES = 65_535  # C2SP tlog-tiles: entry bundles carry the length as an unsigned 16-bit number.
MIN_SALT_BYTES = 16
MAX_SALT_BYTES = 32

_COMMITMENT_DOMAIN = b"key2xs/commitment/v1\x00"
_SALT_DOMAIN = b"key2xs/salt/v1\x00"
_HMAC_BLOCK = 64  # RFC 2104 with SHA-256.
_INNER_PAD = bytes(value ^ 0x36 for value in range(256))
_OUTER_PAD = bytes(value ^ 0x5C for value in range(256))
_FIELDS = frozenset(
    {"actor", "body", "id", "kind", "label_version", "occurred_at", "recorded_at", "streams", "subjects", "v"}
)
_STREAM_FIELDS = frozenset({"number", "previous", "tag"})
_COMMITMENT = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"[0-9a-f]{32}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")


class LeafError(LedgerError):
    """The entry cannot become a leaf, or the bytes are not a leaf."""


class LeafTooLarge(LeafError):
    """The leaf is larger than 65,535 bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the leaf has {size} bytes, the limit is {MAX_LEAF_BYTES}")
        self.size = size


class MalformedLeaf(LeafError):
    """The bytes are not a leaf of a version known here."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens one commitment: the salt (16 to 32 random bytes) and the JSON value."""

    salt: bytes
    value: object


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """The entry's place in one stream: numbered from 1, with the log index of the stream's entry before it."""

    tag: str
    number: int
    previous: int | None


@dataclass(frozen=True, slots=True)
class LeafDraft:
    """What the writer knows of a leaf before the sequencer gives the entry its places."""

    id: UUID
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    label_version: int
    actor: Opening
    subjects: tuple[Opening, ...]
    body: Mapping[str, Opening]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf as read back; actor, subjects and body are commitments in hex."""

    id: UUID
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    label_version: int
    streams: tuple[StreamPosition, ...]
    actor: str
    subjects: tuple[str, ...]
    body: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CommittedDraft:
    """A draft after hashing: all that the sequencer needs to build the leaf, nothing it could disclose."""

    id: str
    kind: str
    occurred_at: str
    recorded_at: str
    label_version: int
    actor: str
    subjects: tuple[str, ...]
    body: Mapping[str, str]


def new_salt() -> bytes:
    """Return a fresh random salt. Use one per personal field, and keep it where the value is kept: sealed."""
    return secrets.token_bytes(MIN_SALT_BYTES)


class EntrySalts:
    """Derives the salts of an entry's fields from its 32-byte secret, so that one secret per entry is stored.

    For fields that are never erased on their own; a personal field needs its own `new_salt`. Giving one salt away
    reveals neither the secret nor another salt: it is half of HMAC-SHA256(secret, domain, 0x00, field).
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != MAX_SALT_BYTES:
            raise LeafError(f"an entry's secret has {MAX_SALT_BYTES} bytes, not {len(secret)}")
        # RFC 2104 by hand, pads computed once per entry: three times as fast as the library's one-shot call,
        # and salts are the largest part of an entry's hashing.
        padded = secret.ljust(_HMAC_BLOCK, b"\x00")
        self._inner = padded.translate(_INNER_PAD) + _SALT_DOMAIN
        self._outer = padded.translate(_OUTER_PAD)

    def of(self, field: str) -> bytes:
        """Return the salt of `actor`, `subjects/<place from 0>` or `body/<name>`."""
        inner = hashlib.sha256(self._inner + field.encode()).digest()
        return hashlib.sha256(self._outer + inner).digest()[:MIN_SALT_BYTES]


def derive_salt(entry_secret: bytes, field: str) -> bytes:
    """Return the salt of one field of an entry; see `EntrySalts`."""
    return EntrySalts(entry_secret).of(field)


def commit(opening: Opening) -> str:
    """Return the commitment in hex: SHA-256(domain, 0x00, length of salt, salt, canonical value)."""
    salt = opening.salt
    if not MIN_SALT_BYTES <= len(salt) <= MAX_SALT_BYTES:
        raise LeafError(f"a salt has {MIN_SALT_BYTES} to {MAX_SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(
        b"".join((_COMMITMENT_DOMAIN, bytes((len(salt),)), salt, canonical(opening.value)))
    ).hexdigest()


def check_opening(commitment: str, opening: Opening) -> bool:
    """Tell whether salt and value are those that were committed to."""
    try:
        return hmac.compare_digest(commit(opening), commitment)
    except (LeafError, NotCanonical):
        return False


def commit_draft(draft: LeafDraft) -> CommittedDraft:
    """Hash a draft's openings. The writer may do this in its own transaction, so that the sequencer hashes less."""
    check_kind(draft.kind)
    return CommittedDraft(
        id=str(draft.id),
        kind=draft.kind,
        occurred_at=format_instant(draft.occurred_at),
        recorded_at=format_instant(draft.recorded_at),
        label_version=draft.label_version,
        actor=commit(draft.actor),
        subjects=tuple([commit(subject) for subject in draft.subjects]),
        body={name: commit(opening) for name, opening in draft.body.items()},
    )


def build_leaf(draft: LeafDraft | CommittedDraft, streams: Iterable[StreamPosition]) -> bytes:
    """Return the leaf bytes: version byte 0x01 and canonical JSON.

    Args:
        draft: the entry, with its openings or already hashed.
        streams: its places, at most 16, in any order; the leaf carries them sorted by tag.

    Raises:
        LeafError: a naive time, a bad salt or a stream position that cannot be.
        LeafTooLarge: more than 65,535 bytes.
        TooManyStreams: more than 16 streams.
    """
    hashed = commit_draft(draft) if isinstance(draft, LeafDraft) else draft
    positions = sorted(streams, key=lambda position: position.tag)
    _check_positions(positions)
    leaf = VERSION_BYTE + canonical(
        {
            "actor": hashed.actor,
            "body": hashed.body,
            "id": hashed.id,
            "kind": hashed.kind,
            "label_version": hashed.label_version,
            "occurred_at": hashed.occurred_at,
            "recorded_at": hashed.recorded_at,
            "streams": [{"number": p.number, "previous": p.previous, "tag": p.tag} for p in positions],
            "subjects": hashed.subjects,
            "v": VERSION,
        }
    )
    if len(leaf) > MAX_LEAF_BYTES:
        raise LeafTooLarge(len(leaf))
    return leaf


def parse_leaf(data: bytes) -> Leaf:
    """Read leaf bytes strictly: known version, canonical form, every field present and of its form, none more.

    Raises:
        MalformedLeaf: names the field and what is wrong with it.
    """
    fields = _open_envelope(data)
    kind = _text(fields, "kind")
    try:
        check_kind(kind)
    except LabelError as error:
        raise MalformedLeaf("kind", str(error)) from error
    return Leaf(
        id=_parse_id(_text(fields, "id")),
        kind=kind,
        occurred_at=_parse_time(fields, "occurred_at"),
        recorded_at=_parse_time(fields, "recorded_at"),
        label_version=_whole(fields["label_version"], "label_version", least=1),
        streams=_parse_streams(fields["streams"]),
        actor=_parse_commitment(fields["actor"], "actor"),
        subjects=_parse_subjects(fields["subjects"]),
        body=_parse_body(fields["body"]),
    )


def format_instant(at: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC with microseconds, e.g. `2026-11-21T14:02:11.000000Z`."""
    if at.tzinfo is None:
        raise LeafError("a time without zone cannot go on the log")
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


def parse_instant(text: str) -> datetime:
    """Read a time in exactly the form that `format_instant` writes."""
    if _INSTANT.fullmatch(text) is None:
        raise LeafError(f"{text!r} is not a UTC time with microseconds")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise LeafError(f"{text!r} is not a time: {error}") from error


def _check_positions(positions: list[StreamPosition]) -> None:
    if len(positions) > MAX_STREAMS:
        raise TooManyStreams(len(positions))
    tags = {position.tag for position in positions}
    if len(tags) != len(positions):
        raise LeafError("a stream occurs twice in one leaf")
    for position in positions:
        problem = _position_problem(position)
        if problem is not None:
            raise LeafError(f"stream {position.tag}: {problem}")


def _position_problem(position: StreamPosition) -> str | None:
    if _TAG.fullmatch(position.tag) is None:
        return "a tag is 32 lower-case hex digits"
    if position.number < 1:
        return "streams are numbered from 1"
    if (position.number == 1) != (position.previous is None):
        return "the first entry of a stream, and only the first, has no predecessor"
    if position.previous is not None and position.previous < 0:
        return "a predecessor's index is not negative"
    return None


def _open_envelope(data: bytes) -> dict[str, Json]:
    if len(data) > MAX_LEAF_BYTES:
        raise MalformedLeaf("leaf", f"{len(data)} bytes, the limit is {MAX_LEAF_BYTES}")
    if data[:1] != VERSION_BYTE:
        raise MalformedLeaf("version byte", f"0x{data[:1].hex() or '--'} is not a version known here")
    try:
        value = parse_canonical(data[1:])
    except NotCanonical as error:
        raise MalformedLeaf("leaf", str(error)) from error
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        raise MalformedLeaf("leaf", f"must hold exactly the fields {', '.join(sorted(_FIELDS))}")
    if _whole(value["v"], "v", least=0) != VERSION:
        raise MalformedLeaf("v", "differs from the version byte")
    return value


def _text(fields: Mapping[str, Json], field: str) -> str:
    value = fields[field]
    if not isinstance(value, str):
        raise MalformedLeaf(field, "not text")
    return value


def _whole(value: Json, field: str, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_INTEGER:
        raise MalformedLeaf(field, f"not a whole number from {least}")
    return value


def _parse_id(text: str) -> UUID:
    try:
        found = UUID(text)
    except ValueError as error:
        raise MalformedLeaf("id", "not a UUID") from error
    if str(found) != text:
        raise MalformedLeaf("id", "not a UUID in its usual form")
    return found


def _parse_time(fields: Mapping[str, Json], field: str) -> datetime:
    try:
        return parse_instant(_text(fields, field))
    except MalformedLeaf:
        raise
    except LeafError as error:
        raise MalformedLeaf(field, str(error)) from error


def _parse_commitment(value: Json, field: str) -> str:
    if not isinstance(value, str) or _COMMITMENT.fullmatch(value) is None:
        raise MalformedLeaf(field, "not a commitment of 64 lower-case hex digits")
    return value


def _parse_subjects(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise MalformedLeaf("subjects", "not a list")
    return tuple(_parse_commitment(item, f"subjects/{place}") for place, item in enumerate(value))


def _parse_body(value: Json) -> dict[str, str]:
    if not isinstance(value, dict):
        raise MalformedLeaf("body", "not an object")
    return {name: _parse_commitment(item, f"body/{name}") for name, item in value.items()}


def _parse_streams(value: Json) -> tuple[StreamPosition, ...]:
    if not isinstance(value, list):
        raise MalformedLeaf("streams", "not a list")
    if len(value) > MAX_STREAMS:
        raise MalformedLeaf("streams", f"more than {MAX_STREAMS}")
    positions = tuple(_parse_position(item, f"streams/{place}") for place, item in enumerate(value))
    tags = [position.tag for position in positions]
    if tags != sorted(set(tags)):
        raise MalformedLeaf("streams", "not sorted by tag, or a tag occurs twice")
    return positions


def _parse_position(item: Json, field: str) -> StreamPosition:
    if not isinstance(item, dict) or item.keys() != _STREAM_FIELDS:
        raise MalformedLeaf(field, "must hold exactly number, previous and tag")
    previous = item["previous"]
    position = StreamPosition(
        tag=_text(item, "tag"),
        number=_whole(item["number"], f"{field}/number", least=1),
        previous=None if previous is None else _whole(previous, f"{field}/previous", least=0),
    )
    problem = _position_problem(position)
    if problem is not None:
        raise MalformedLeaf(field, problem)
    return position
