"""From the log to the targets: which keys must be looked at again."""

from collections.abc import Sequence

from key2xs.core.database import Connection
from key2xs.core.sql import load_queries
from key2xs.ledger import ReadEntry

from .registry import Registry
from .targets import Targets

_SQL = load_queries("key2xs.keys")
_URGENT = frozenset({"grants:lease:end", "keys:key:block", "keys:custody:take_back", "keys:custody:transfer"})


class TargetMarker:
    """A reader of the log that makes targets due; it decides and writes nothing at vendors."""

    name = "targets"
    idle = False

    def __init__(self, registry: Registry, targets: Targets) -> None:
        """Make targets with `targets` for keys seen for the first time."""
        self._registry, self._targets = registry, targets

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Make due every key of a person whose grants or custody changed, and every key that changed itself."""
        self.idle = True
        persons: set[str] = set()
        keys: set[str] = set()
        for entry in entries:
            if entry.kind.startswith(("grants:lease:", "keys:custody:")):
                persons.update(s.partition(":")[2] for s in entry.subjects if s.startswith("person:"))
            if entry.kind.startswith(("keys:custody:", "keys:key:", "keys:standing:")):
                keys.update(s.partition(":")[2] for s in entry.subjects if s.startswith("key:"))
        if any(entry.kind == "keys:system:inventory" for entry in entries):
            # Whoever asks who can open a cabinet wants to hear of keys that nobody handed out here, too.
            keys.update(str(row["id"]) for row in await tx.fetch(_SQL["keys_without_target"]))
        if not persons and not keys:
            return
        at = max(entry.recorded_at for entry in entries)
        lane = min(int(entry.kind in _URGENT) ^ 1 for entry in entries)
        rows = await tx.fetch(_SQL["keys_to_mark"], sorted(persons), sorted(keys), at)
        self.idle = not rows
        for row in rows:
            key = await self._registry.get_key(tx, row["id"])
            target = await self._targets.ensure(tx, key, at)
            await tx.execute(_SQL["mark_work"], target.id, at, lane)
