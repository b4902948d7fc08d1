"""Streams: which entry belongs to which gap-free, numbered sub-sequences of the log, and under which blinded tag.

The labelling function is versioned and published: with it a verifier can tell that no entry about a cylinder was
left out of that cylinder's stream. Stream names never appear in a leaf; tags do. Whoever is given the secret of one
stream can recompute the tag of that stream and of no other.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping

from key2xs.core.errors import LedgerError

MAX_STREAMS = 16  # Per leaf. Anything that touches more is a parent and its children in one transaction.
LABEL_VERSION = 1  # What new entries are labelled with.
SITE_KEY_BYTES = 32  # At least: the key of HMAC-SHA256 should not be shorter than its output.
TAG_BYTES = 16

# Version 1. People, companies and grants have no stream: a numbered stream about a person would be a profile.
# The site as a whole needs none: it is the log itself.
_STREAM_NOUNS_V1 = frozenset({"access_point", "cylinder", "key", "key_system", "permit", "zone"})

_KIND = re.compile(r"[a-z][a-z0-9_]*(?::[a-z][a-z0-9_]*){2}")
_SUBJECT = re.compile(r"([a-z][a-z0-9_]*):(\S+)")
_SECRET_DOMAIN = b"key2xs/stream/v1\x00"
_TAG_DOMAIN = b"key2xs/stream-tag/v1\x00"


class LabelError(LedgerError):
    """The entry cannot be labelled."""


class TooManyStreams(LabelError):
    """The entry touches more than 16 streams: record a parent and its children instead."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"the entry touches {count} streams, a leaf holds {MAX_STREAMS}: record one parent entry and children"
        )
        self.count = count


def streams_of(version: int, kind: str, subjects: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the streams an entry belongs to, sorted and without repeats.

    Args:
        version: the labelling version that the leaf names.
        kind: `domain:subject:action`. Version 1 checks its form and labels all kinds alike.
        subjects: what the entry is about, as `noun:id`.

    Raises:
        LabelError: unknown version, or a kind or subject of the wrong form.
        TooManyStreams: more than 16 streams.
    """
    label = _LABELLINGS.get(version)
    if label is None:
        raise LabelError(f"unknown labelling version {version}")
    check_kind(kind)
    names = tuple(sorted(label(subjects)))
    if len(names) > MAX_STREAMS:
        raise TooManyStreams(len(names))
    return names


def check_kind(kind: str) -> None:
    """Refuse a kind that is not `domain:subject:action` in lower-case words."""
    if _KIND.fullmatch(kind) is None:
        raise LabelError(f"kind {kind!r} is not of the form domain:subject:action")


def stream_secret(site_key: bytes, name: str) -> bytes:
    """Return the 32-byte secret of one stream. Giving it away reveals this stream only."""
    if len(site_key) < SITE_KEY_BYTES:
        raise LabelError(
            f"the site's stream key has {len(site_key)} bytes, at least {SITE_KEY_BYTES} are needed"
        )
    return hmac.digest(site_key, _SECRET_DOMAIN + name.encode(), "sha256")


def stream_tag(secret: bytes, name: str) -> str:
    """Return the tag that stands for the stream in leaves: 32 lower-case hex digits."""
    return hashlib.sha256(_TAG_DOMAIN + secret + name.encode()).digest()[:TAG_BYTES].hex()


def blind(site_key: bytes, name: str) -> str:
    """Return the tag of a stream for the holder of the site's stream key."""
    return stream_tag(stream_secret(site_key, name), name)


def _label_v1(subjects: Iterable[str]) -> set[str]:
    names = set()
    for subject in subjects:
        match = _SUBJECT.fullmatch(subject)
        if match is None:
            raise LabelError(f"subject {subject!r} is not of the form noun:id")
        if match[1] in _STREAM_NOUNS_V1:
            names.add(subject)
    return names


_LABELLINGS: Mapping[int, Callable[[Iterable[str]], set[str]]] = {1: _label_v1}
