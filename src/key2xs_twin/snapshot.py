"""A world as bytes: the proof that a run is repeatable."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

if TYPE_CHECKING:
    from key2xs_twin.gateway import Gateway
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
        "cliq": _cliq(world),
        "calls": sorted(world.iloq.calls.items()),
        "faults": world.faults.fired(),
        "limits": [_gateway(each) for each in (world.iloq.gateway, world.cliq.gateway)],
    }


def _gateway(gateway: Gateway) -> dict[str, Any]:
    return {
        "limits": gateway.limits,
        "calls_today": gateway.calls_today,
        "turned_away": gateway.turned_away,
        "told": gateway.told,
    }


def _cliq(world: World) -> dict[str, Any]:
    field, state = world.cliq_field, world.cliq.state
    return {
        "keys": [field.keys[each] for each in sorted(field.keys)],
        "cylinders": [field.cylinders[each] for each in sorted(field.cylinders)],
        "updaters": [field.updaters[each] for each in sorted(field.updaters)],
        "programming_keys": [field.programming_keys[each] for each in sorted(field.programming_keys)],
        "books": [state.keys[each] for each in sorted(state.keys)],
        "installed": [state.cylinders[each] for each in sorted(state.cylinders)],
        "groups": [state.groups[each] for each in sorted(state.groups)],
        "profiles": [state.profiles[each] for each in sorted(state.profiles)],
        "hung_up": [state.updaters[each] for each in sorted(state.updaters)],
        "carriers": [state.programming_keys[each] for each in sorted(state.programming_keys)],
        "jobs": list(state.jobs.values()),
        "events": state.events,
        "calls": sorted(world.cliq.calls.items()),
    }


def digest(world: World) -> str:
    """SHA-256 over :func:`snapshot` as canonical JSON."""
    content = msgspec.json.encode(snapshot(world), order="deterministic", enc_hook=_plain)
    return hashlib.sha256(content).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, deque):
        return list(value)
    if isinstance(value, ZoneInfo):
        return value.key
    raise TypeError(f"the snapshot holds a {type(value).__name__}")
