"""What a key carries in its memory, and the block list that devices hand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One delivered programming packet.

    ``starts_lg`` and ``ends_lg`` are local wall-clock times without offset, as the device stores them:
    in the hour that a clock change repeats they mean both instants. ``offline_expiration_seconds`` 0 means
    that the key works offline for ever.
    """

    packet: int
    right_ids: frozenset[UUID] = frozenset()
    starts_lg: datetime | None = None
    ends_lg: datetime | None = None
    offline_expiration_seconds: int = 0


@dataclass(frozen=True, slots=True)
class BlockCopy:
    """A version of the block list as one device holds it."""

    version: int
    key_ids: frozenset[UUID]


NO_BLOCKS = BlockCopy(0, frozenset())


def newer(one: BlockCopy, other: BlockCopy) -> BlockCopy:
    """The copy with the higher version; versions rise by one at each change and are never reused."""
    return one if one.version >= other.version else other
