"""Webhook signatures after Standard Webhooks: who sent these bytes, and when.

The signed text is `id.timestamp.body`; the header carries one or several signatures, separated by blanks, each with
its version in front. While a secret is being replaced the receiver accepts several secrets, and the sender may send
several signatures. Some permit systems sign another string: that is `Scheme`, a site's setting.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from key2xs.core.clock import require_utc
from key2xs.core.errors import Key2XSError
from key2xs.core.secret import Secret

TOLERANCE = timedelta(minutes=5)  # Standard Webhooks: the tolerance its libraries use, both ways
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix, not a secret
MOST_SIGNATURES = 8  # in one header; more than any rotation needs
LONGEST_ID = 200  # characters of a message id


class BadSignature(Key2XSError):
    """The message is not signed by somebody we know, or not now. Says nothing about which secret was tried."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """Which headers carry what, and what is signed.

    `signed` may use `{id}`, `{timestamp}` and `{body}`; the body's bytes go in unchanged.
    """

    id_header: str = "webhook-id"
    timestamp_header: str = "webhook-timestamp"
    signature_header: str = "webhook-signature"
    version: str = "v1"
    signed: str = "{id}.{timestamp}.{body}"


STANDARD = Scheme()


@dataclass(frozen=True, slots=True)
class Message:
    """What the headers of a verified message say."""

    id: str
    sent_at: datetime


def verify(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[Secret],
    now: datetime,
    scheme: Scheme = STANDARD,
    tolerance: timedelta = TOLERANCE,
) -> Message:
    """Return who sent a message and when, or refuse it.

    Args:
        headers: header names in lower case.
        body: the bytes as they came, before anything read them.
        secrets: every secret that is valid now; two while one is being replaced.
        now: domain time.
        scheme: what the sender signs.
        tolerance: how far the message's own time may lie from `now`, either way.

    Raises:
        BadSignature: no, wrong, too old or too new a signature.
    """
    message_id, stamp, given = (
        _header(headers, name)
        for name in (scheme.id_header, scheme.timestamp_header, scheme.signature_header)
    )
    if len(message_id) > LONGEST_ID or not message_id.isprintable():
        raise BadSignature(f"{scheme.id_header} is not usable as an id")
    sent_at = _instant(stamp, scheme)
    _check_signature(_signed_bytes(scheme, message_id, stamp, body), given, secrets, scheme)
    # Last, so that only a known sender learns anything about our clock.
    if abs(require_utc(now) - sent_at) > tolerance:
        raise BadSignature(f"{scheme.timestamp_header} is more than {tolerance.total_seconds():g} s away")
    return Message(message_id, sent_at)


def sign(
    message_id: str, sent_at: datetime, body: bytes, *, secret: Secret, scheme: Scheme = STANDARD
) -> dict[str, str]:
    """Return the headers of a signed message; for our own outgoing webhooks."""
    stamp = str(int(require_utc(sent_at).timestamp()))
    digest = _digest(_key(secret), _signed_bytes(scheme, message_id, stamp, body))
    return {
        scheme.id_header: message_id,
        scheme.timestamp_header: stamp,
        scheme.signature_header: f"{scheme.version},{base64.b64encode(digest).decode()}",
    }


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "").strip()
    if not value:
        raise BadSignature(f"header {name} is missing")
    return value


def _instant(stamp: str, scheme: Scheme) -> datetime:
    # Ten digits last until the year 2286; anything longer is milliseconds or worse.
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 10):
        raise BadSignature(f"{scheme.timestamp_header} is not a number of seconds since 1970")
    return datetime.fromtimestamp(int(stamp), UTC)


def _signed_bytes(scheme: Scheme, message_id: str, stamp: str, body: bytes) -> bytes:
    before, found, after = scheme.signed.partition("{body}")
    if not found:
        message = "a signature scheme that leaves out the body signs nothing"
        raise ValueError(message)
    fill = {"id": message_id, "timestamp": stamp}
    return before.format(**fill).encode() + body + after.format(**fill).encode()


def _check_signature(signed: bytes, given: str, secrets: Sequence[Secret], scheme: Scheme) -> None:
    candidates = [part.partition(",") for part in given.split()[:MOST_SIGNATURES]]
    offered = [text for version, _, text in candidates if version == scheme.version]
    matches = False
    # An empty key would make everybody's signature right; a missing secret is not a secret.
    for key in filter(None, map(_key, secrets)):
        digest = _digest(key, signed)
        for text in offered:
            # Never stop at the first match: the time taken must not tell which secret or place it was.
            matches |= hmac.compare_digest(digest, _decoded(text))
    if not matches:
        raise BadSignature("no signature of a known secret")


def _key(secret: Secret) -> bytes:
    """Return the key bytes: base64 behind the prefix, else the text itself."""
    text = secret.reveal()
    if not text.startswith(SECRET_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        message = f"a secret with the prefix {SECRET_PREFIX} must be base64 behind it"
        raise ValueError(message) from error


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _digest(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()
