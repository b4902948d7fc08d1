"""Seeded randomness: one named stream for each purpose, so that a new use never shifts an old one."""

from __future__ import annotations

import hashlib
import random
from datetime import timedelta
from uuid import UUID


class Randomness:
    """All chance in one world; the same seed and names give the same values on every machine."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[tuple[object, ...], random.Random] = {}

    def _bytes(self, *name: object) -> bytes:
        text = "\x1f".join(str(part) for part in (self.seed, *name))
        return hashlib.sha256(text.encode()).digest()

    def stream(self, *name: object) -> random.Random:
        """The generator of this name, made on first use and kept."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = random.Random(self._bytes("stream", *name))
        return found

    def uuid(self, *name: object) -> UUID:
        """An id that depends on the seed and the name only (version 4 layout)."""
        return UUID(bytes=self._bytes("uuid", *name)[:16], version=4)

    def between(self, low: float, high: float, *name: object) -> float:
        """A number that depends on the seed and the name only, for properties of a thing."""
        share = int.from_bytes(self._bytes("between", *name)[:8], "big") / 2**64
        return low + (high - low) * share

    def delay(self, low: timedelta, high: timedelta, *name: object) -> timedelta:
        """The next delay of the named stream; no draw when there is nothing to choose."""
        if high <= low:
            return low
        return low + (high - low) * self.stream(*name).random()
