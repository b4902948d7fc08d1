"""A world as bytes: the proof that a run is repeatable."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from key2xs_twin.world import World


def snapshot(world: World) -> dict[str, Any]:
    """Everything that is in a world, as plain values in a fixed order."""
    state = world.iloq.state
    return {
        "now": world.now,
        "keys": [world.keys[key_id] for key_id in sorted(world.keys)],
        "locks": [world.locks[lock_id] for lock_id in sorted(world.locks)],
        "holders": sorted((str(key), person) for key, person in world.holders.items()),
        "places": sorted(world.places.items()),
        "openings": world.openings,
        "books": [state.keys[key_id] for key_id in sorted(state.keys)],
        "installed": [state.locks[lock_id] for lock_id in sorted(state.locks)],
        "persons": sorted(str(person_id) for person_id in state.persons),
        "blocks": state.blocks,
        "log": state.log,
        "tags": [state.tags[tag_id] for tag_id in sorted(state.tags)],
        "calls": sorted(world.iloq.calls.items()),
        "faults": world.faults.fired(),
    }


def digest(world: World) -> str:
    """SHA-256 over :func:`snapshot` as canonical JSON."""
    content = msgspec.json.encode(snapshot(world), order="deterministic", enc_hook=_plain)
    return hashlib.sha256(content).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, deque):
        return list(value)
    raise TypeError(f"the snapshot holds a {type(value).__name__}")
