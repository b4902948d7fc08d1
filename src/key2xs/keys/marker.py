"""From the log to the targets: which keys must be looked at again."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId
from key2xs.core.sql import load_queries
from key2xs.ledger import ReadEntry

from .lanes import WorkLane, lane_of
from .registry import Registry
from .targets import Targets

_SQL = load_queries("key2xs.keys")


class TargetMarker:
    """A reader of the log that makes targets due; it decides and writes nothing at vendors."""

    name = "targets"
    idle = False
    passes_over: Final = ("keys:opening",)

    def __init__(self, registry: Registry, targets: Targets) -> None:
        """Make targets with `targets` for keys seen for the first time."""
        self._registry, self._targets = registry, targets

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Make due every key of a person whose grants or custody changed, and every key that changed itself."""
        self.idle = True
        persons: dict[UUID, WorkLane] = {}
        keys: dict[UUID, WorkLane] = {}
        for entry in entries:
            lane = lane_of(entry.kind, entry.body)
            if entry.kind.startswith(("grants:lease:", "keys:custody:")):
                _note(persons, entry, "person:", lane)
            if entry.kind.startswith(("keys:custody:", "keys:key:", "keys:standing:")):
                _note(keys, entry, "key:", lane)
        if any(entry.kind == "keys:system:inventory" for entry in entries):
            # Whoever asks who can open a cabinet wants to hear of keys that nobody handed out here, too.
            for row in await tx.fetch(_SQL["keys_without_target"]):
                keys.setdefault(row["id"], WorkLane.GRANT)
        if not persons and not keys:
            return
        at = max(entry.recorded_at for entry in entries)
        for row in await tx.fetch(_SQL["keys_to_mark"], sorted(persons), at):
            # Each key by what was said of it or its holder: what comes new for one must not overtake with another's stop.
            keys[row["id"]] = min(keys.get(row["id"], WorkLane.GRANT), persons[row["person_id"]])
        for row in await tx.fetch(_SQL["keys_beside"], sorted(keys), at):
            # What finds no room on one key goes onto another one of the same holder: they are planned together.
            keys.setdefault(row["id"], WorkLane.GRANT)
        self.idle = not keys
        for key_id, lane in sorted(keys.items()):
            key = await self._registry.get_key(tx, KeyId(key_id))
            target = await self._targets.ensure(tx, key, at)
            await tx.execute(_SQL["mark_work"], target.id, at, lane)


def _note(lanes: dict[UUID, WorkLane], entry: ReadEntry, noun: str, lane: WorkLane) -> None:
    for subject in entry.subjects:
        if subject.startswith(noun):
            named = UUID(subject.removeprefix(noun))
            lanes[named] = min(lanes.get(named, WorkLane.GRANT), lane)
