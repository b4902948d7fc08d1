"""The place where a brake on bulk writes sits: asked before every write that is not urgent."""

from datetime import datetime
from typing import Protocol

from key2xs.core.database import Connection
from key2xs.core.ids import KeySystemId

from .planner import Wanted
from .types import StoredKey


class Brake(Protocol):
    """Stops writes of a key system that are too many at once."""

    async def check(
        self, tx: Connection, system_id: KeySystemId, key: StoredKey, wanted: Wanted, now: datetime
    ) -> None:
        """Let one write pass, in the transaction that records its intent.

        Raises:
            NeedsPerson: a person has to confirm before bulk writes of this system go on. Nothing was written.
        """
        ...


class NoBrake:
    """Lets everything pass."""

    async def check(
        self, tx: Connection, system_id: KeySystemId, key: StoredKey, wanted: Wanted, now: datetime
    ) -> None:
        """Let the write pass."""
