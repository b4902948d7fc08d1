"""Signed notes (C2SP signed-note) with Ed25519: text, a blank line, and signature lines that say who signed.

Rules a reader relies on: signatures of unknown keys are ignored, a known key whose signature fails spoils the whole
note, and a note without any valid signature of a known key is refused.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from key2xs.core.errors import LedgerError

MAX_SIGNATURES = 64  # The format asks readers to take at least 16 and advises some limit.
_ED25519 = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 4
_DASH = "\u2014 "
_LF = "\n"


class NoteError(LedgerError):
    """The note is malformed, or not signed as it must be."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name. `vkey` is the form to hand out: `<name>+<key id>+<base64>`."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse names that a signature line cannot carry, and keys of the wrong length."""
        _check_name(self.name)
        if len(self.public_key) != _KEY_BYTES:
            raise NoteError(f"an Ed25519 public key has {_KEY_BYTES} bytes, not {len(self.public_key)}")

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Read a vkey; its key id must belong to name and key."""
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3:
            raise NoteError("a vkey has the form <name>+<key id>+<base64 key>")
        name, key_id, encoded = parts
        raw = _decode(encoded, "vkey")
        if raw[:1] != _ED25519:
            raise NoteError("the vkey is not an Ed25519 note key (type 0x01)")
        found = cls(name, raw[1:])
        if found.key_id.hex() != key_id:
            raise NoteError(f"the vkey says key id {key_id}, name and key give {found.key_id.hex()}")
        return found

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name, LF, type, key)."""
        named = self.name.encode() + b"\n" + _ED25519 + self.public_key
        return hashlib.sha256(named).digest()[:_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key in the form that is handed to verifiers."""
        encoded = base64.b64encode(_ED25519 + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Tell whether the 64 bytes are this key's signature over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name. Never prints the key."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse names that a signature line cannot carry."""
        _check_name(self.name)

    @classmethod
    def generate(cls, name: str) -> "Signer":
        """Return a signer with a new random key."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> "Signer":
        """Return the signer of a stored 32-byte seed."""
        if len(seed) != _KEY_BYTES:
            raise NoteError(f"an Ed25519 seed has {_KEY_BYTES} bytes, not {len(seed)}")
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def seed(self) -> bytes:
        """The private key's 32 bytes, for storing. Secret."""
        return self.key.private_bytes_raw()

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.key.public_key().public_bytes_raw())

    def sign_line(self, text: str) -> str:
        """Return the signature line over a note's text."""
        signature = self.verifier.key_id + self.key.sign(text.encode())
        return f"{_DASH}{self.name} {base64.b64encode(signature).decode()}{_LF}"


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature as it stands in a note."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note's text, with the keys whose signatures were checked and the lines of keys not known here."""

    text: str
    signed_by: tuple[Verifier, ...]
    ignored: tuple[SignatureLine, ...]


def sign_note(text: str, signers: Iterable[Signer]) -> bytes:
    """Return the signed note. The text must end in a newline and hold no other control characters."""
    _check_text(text)
    lines = [signer.sign_line(text) for signer in signers]
    if not lines:
        raise NoteError("a note needs at least one signature")
    return (text + _LF + "".join(lines)).encode()


def open_note(note: bytes, verifiers: Sequence[Verifier]) -> OpenedNote:
    """Check a note and return its text.

    Raises:
        NoteError: malformed, a known key's signature fails, or no known key signed it.
    """
    text, lines = split_note(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    if len(known) != len(set(verifiers)):
        raise NoteError("two of the known keys share name and key id")
    signed_by: dict[Verifier, None] = {}
    ignored = []
    for line in lines:
        verifier = known.get((line.name, line.key_id))
        if verifier is None:
            ignored.append(line)
        elif verifier.is_signed(text.encode(), line.signature):
            signed_by[verifier] = None
        else:
            raise NoteError(f"the signature of {line.name} is not valid")
    if not signed_by:
        raise NoteError("no signature by a known key")
    return OpenedNote(text, tuple(signed_by), tuple(ignored))


def split_note(note: bytes) -> tuple[str, tuple[SignatureLine, ...]]:
    """Take a note apart without checking any signature."""
    try:
        whole = note.decode()
    except UnicodeDecodeError as error:
        raise NoteError("the note is not UTF-8") from error
    at = whole.rfind("\n\n")
    if at < 0 or not whole.endswith(_LF):
        raise NoteError("a note is a text, a blank line and signature lines that end in a newline")
    text, tail = whole[: at + 1], whole[at + 2 :]
    _check_text(text)
    lines = tail.split(_LF)[:-1]
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        raise NoteError(f"a note carries 1 to {MAX_SIGNATURES} signatures, not {len(lines)}")
    return text, tuple(_parse_line(line) for line in lines)


def _parse_line(line: str) -> SignatureLine:
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not separator:
        raise NoteError("a signature line is a dash (U+2014), a name and base64")
    _check_name(name)
    raw = _decode(encoded, "signature line")
    if len(raw) <= _ID_BYTES:
        raise NoteError("a signature is longer than its key id")
    return SignatureLine(name, raw[:_ID_BYTES], raw[_ID_BYTES:])


def _check_name(name: str) -> None:
    if not name or "+" in name or any(char.isspace() or char < " " for char in name):
        raise NoteError("a key's name is not empty and holds no spaces and no +")


def _check_text(text: str) -> None:
    if not text.endswith(_LF):
        raise NoteError("a note's text ends in a newline")
    if any(char < " " and char != _LF for char in text):
        raise NoteError("a note holds no control characters but newline")


def _decode(encoded: str, where: str) -> bytes:
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{where}: not base64") from error
    if base64.b64encode(raw).decode() != encoded:
        raise NoteError(f"{where}: base64 with stray bits")
    return raw
