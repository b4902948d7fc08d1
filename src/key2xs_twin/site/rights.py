"""The vendor's side on day one: access rights and keys.

Three shapes of rights exist on purpose. Most access points have an API right of their own. Some API rights span several
points (all cells of a substation, all field locks of a unit), so that a right may only be written when every lock behind it
lies inside the grant. Fence doors have nothing but one right for the whole fence: a grant for one of them cannot be carried.
Broad standard rights belong to the old world: they may be read, never written.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .cliq import SHARED_SERIAL, serial
from .model import Key, Person, Sizes, VendorRight
from .plant import Plant, new_guid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Cylinder

EMERGENCY_KEYS = 4
FIRE_BRIGADE_KEYS = 4
SHARE_OF_PHONES = 0.55  # most personal keys are phones, the pool for contractors' crews is fobs
FIRST_STAMP = 1001  # iLOQ prints four digits
# Who gets a personal phone key while there are enough.
PHONE_ROLES = (
    "shift_leader",
    "isolating_authority",
    "gas_tester",
    "panel_operator",
    "contractor_supervisor",
    "maintenance",
    "field_operator",
)


def build_rights(plant: Plant, rng: random.Random) -> tuple[VendorRight, ...]:
    """All access rights of the iLOQ locking system."""
    by_point: dict[str, list[str]] = {}
    every = [cylinder for cylinder in plant.cylinders if cylinder.vendor == "iloq"]
    for cylinder in every:
        by_point.setdefault(cylinder.access_point_id, []).append(cylinder.id)
    fence = {point.id for point in plant.access_points if point.name.startswith("Fence door")}
    rights = [
        VendorRight(new_guid(rng), f"API {point_id}", api=True, cylinder_ids=tuple(ids))
        for point_id, ids in by_point.items()
        if point_id not in fence
    ]

    def add(name: str, cylinders: Iterable[Cylinder], *, api: bool) -> None:
        ids = tuple(cylinder.id for cylinder in cylinders)
        if ids:
            rights.append(VendorRight(new_guid(rng), name, api=api, cylinder_ids=ids))

    add("API fence", (c for c in every if c.access_point_id in fence), api=True)
    for unit in plant.units:
        add(f"API {unit.code} field", (c for c in every if c.zone == f"{unit.code}-FLD"), api=True)
        add(f"API {unit.code} electrical", (c for c in every if c.zone == f"{unit.code}-ELE"), api=True)
        add(f"Operators {unit.code}", (c for c in every if c.unit == unit.code), api=False)
    plain, ways_out, brigade = (
        {"none", "egress"},
        {"emergency", "egress", "isolation"},
        {"emergency", "egress"},
    )
    add("Maintenance", (c for c in every if c.safety_role in plain and c.criticality <= 2), api=False)
    add("Emergency", (c for c in every if c.safety_role in ways_out), api=False)
    add("Fire brigade", (c for c in every if c.safety_role in brigade), api=False)
    return tuple(rights)


def build_keys(sizes: Sizes, people: tuple[Person, ...], rng: random.Random) -> tuple[Key, ...]:
    """Emergency and fire-brigade fobs, personal phones, and the pool of fobs and metal keys.

    The last metal key but one has the serial of a CLIQ key for a stamp: somebody had it engraved to match.
    """
    by_role = sorted(
        (person for person in people if person.scheme == "iam" and person.role in PHONE_ROLES),
        key=lambda person: (PHONE_ROLES.index(person.role), person.ref),
    )
    holders = by_role[: int(sizes.keys * SHARE_OF_PHONES)]
    plan = [("fob", "emergency", "")] * EMERGENCY_KEYS + [("fob", "fire_brigade", "")] * FIRE_BRIGADE_KEYS
    plan += [("phone", "personal", person.ref) for person in holders]
    plan += [("fob", "pool", "")] * (sizes.keys - sizes.metal_keys - len(plan))
    plan += [("metal", "pool", "")] * sizes.metal_keys
    stamps = [str(FIRST_STAMP + n) for n in range(len(plan))]
    stamps[-2] = serial(SHARED_SERIAL)
    return tuple(
        Key(new_guid(rng), stamp, kind, purpose, holder)
        for stamp, (kind, purpose, holder) in zip(stamps, plan, strict=True)
    )
