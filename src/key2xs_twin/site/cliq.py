"""The CLIQ side on day one: cylinder groups, keys, updaters and programming keys of the tank farm and the jetties."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .model import Cylinder, CylinderGroup, Key, Person, ProgrammingKey, Sizes, Updater
from .plant import CLIQ_UNITS, Plant, new_guid

SYSTEM = "RTX-CLIQ"
FIRST_SERIAL = 104_200_001  # nine digits, engraved
FIRST_PROGRAMMING_SERIAL = 104_900_001
SHARED_SERIAL = 20  # the key whose serial an iLOQ key carries too
EMERGENCY_KEYS = 2
FIRE_BRIGADE_KEYS = 2
NORMAL_KEYS = 2
SHARE_OF_CONNECT = 0.4
UNITS_OF_A_PROGRAMMING_KEY = 2
# Who works out there and gets a Connect key of his own.
CONNECT_ROLES = ("isolating_authority", "gas_tester", "field_operator", "maintenance")
KEEPER_ROLE = "maintenance"


@dataclass(frozen=True, slots=True)
class CliqPart:
    """The result of `build_cliq`."""

    groups: tuple[CylinderGroup, ...]
    keys: tuple[Key, ...]
    updaters: tuple[Updater, ...]
    programming_keys: tuple[ProgrammingKey, ...]


def serial(index: int) -> str:
    """What is engraved on the key of this index."""
    return str(FIRST_SERIAL + index)


def build_cliq(sizes: Sizes, plant: Plant, people: tuple[Person, ...], rng: random.Random) -> CliqPart:
    """Everything of the CLIQ locking system that is no cylinder."""
    keys = _keys(sizes, people, rng)
    return CliqPart(
        _groups(plant, rng), keys, _updaters(plant, keys, rng), _programming_keys(plant, people, rng)
    )


def _groups(plant: Plant, rng: random.Random) -> tuple[CylinderGroup, ...]:
    """A group for each security zone, one for all ways out, and one for the fire brigade."""
    every = [cylinder for cylinder in plant.cylinders if cylinder.vendor == "cliq"]
    groups: list[CylinderGroup] = []

    def add(name: str, cylinders: list[Cylinder]) -> None:
        ids = tuple(cylinder.id for cylinder in cylinders)
        groups.append(CylinderGroup(new_guid(rng), name, ids))

    for zone in sorted({cylinder.zone for cylinder in every}):
        add(zone, [cylinder for cylinder in every if cylinder.zone == zone])
    add("Emergency", [c for c in every if c.safety_role in {"egress", "isolation"}])
    add("Fire brigade", [c for c in every if c.safety_role == "egress"])
    return tuple(groups)


def _keys(sizes: Sizes, people: tuple[Person, ...], rng: random.Random) -> tuple[Key, ...]:
    by_role = sorted(
        (person for person in people if person.scheme == "iam" and person.role in CONNECT_ROLES),
        key=lambda person: (CONNECT_ROLES.index(person.role), person.ref),
    )
    plan = [("dynamic", "emergency", "")] * EMERGENCY_KEYS
    plan += [("dynamic", "fire_brigade", "")] * FIRE_BRIGADE_KEYS
    connect = by_role[: int(sizes.cliq_keys * SHARE_OF_CONNECT)]
    plan += [("connect", "personal", person.ref) for person in connect]
    plan += [("dynamic", "pool", "")] * (sizes.cliq_keys - NORMAL_KEYS - len(plan))
    plan += [("normal", "pool", "")] * NORMAL_KEYS
    return tuple(
        Key(new_guid(rng), serial(n), kind, purpose, holder) for n, (kind, purpose, holder) in enumerate(plan)
    )


def _updaters(plant: Plant, keys: tuple[Key, ...], rng: random.Random) -> tuple[Updater, ...]:
    """On the wall of each equipment room out there and at the first site gate; on the desk; mobile; phones."""
    rooms = [
        point.id
        for point in plant.access_points
        if point.unit.startswith(CLIQ_UNITS) and point.name.endswith("local equipment room")
    ]
    gate = next(point.id for point in plant.access_points if point.name == "Site gate 1")
    found = [Updater(new_guid(rng), "wall", place) for place in (*rooms, gate)]
    found.append(Updater(new_guid(rng), "desk", "Key desk"))
    found.append(Updater(new_guid(rng), "mobile", "Shift car"))
    found += [
        Updater(new_guid(rng), "phone", f"Phone of {key.stamp}") for key in keys if key.kind == "connect"
    ]
    return tuple(found)


def _programming_keys(
    plant: Plant, people: tuple[Person, ...], rng: random.Random
) -> tuple[ProgrammingKey, ...]:
    units = sum(unit.code.startswith(CLIQ_UNITS) for unit in plant.units)
    keepers = [person.ref for person in people if person.scheme == "iam" and person.role == KEEPER_ROLE]
    count = max(2, units // UNITS_OF_A_PROGRAMMING_KEY)
    return tuple(
        ProgrammingKey(new_guid(rng), str(FIRST_PROGRAMMING_SERIAL + n), keepers[-1 - n % len(keepers)])
        for n in range(count)
    )
