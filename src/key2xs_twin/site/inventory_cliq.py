"""Turn a synthetic site into what the simulated CLIQ locking system holds on day one."""

from __future__ import annotations

from uuid import UUID

from key2xs_twin.cliq.inventory import (
    CliqKeyKind,
    CliqKeySpec,
    CliqSite,
    CylinderGroupSpec,
    CylinderSpec,
    ProgrammingKeySpec,
    UpdaterKind,
    UpdaterSpec,
)
from key2xs_twin.cliq.plan import KeyPlan

from .ids import uuid_of
from .model import Key, Site

# Every so many pool keys one still opens the tank farm's field without any limit: what adoption finds.
LEGACY_EVERY = 6
LEGACY_GROUP = "TNK-FLD"
REVALIDATION = 480  # minutes: one shift


def cliq_inventory(site: Site) -> CliqSite:
    """Cylinders, groups, keys, updaters and programming keys; deterministic for one site."""
    groups = {group.name: uuid_of(group.id) for group in site.cliq_groups}
    phones = {updater.place: uuid_of(updater.id) for updater in site.updaters if updater.kind == "phone"}
    normal = frozenset(uuid_of(key.id) for key in site.cliq_keys if key.kind == "normal")
    return CliqSite(
        name=site.cliq_system,
        time_zone=site.time_zone,
        cylinders=tuple(
            CylinderSpec(
                cylinder_id=uuid_of(c.id),
                marking=c.marking,
                domain=c.unit,
                place=c.access_point_id,
                # Normal keys are listed in cylinders: the lock boxes, from before there were dynamic keys.
                normal_key_ids=normal if c.safety_role == "lock_box" else frozenset(),
            )
            for c in site.cylinders
            if c.vendor == "cliq"
        ),
        groups=tuple(
            CylinderGroupSpec(
                group_id=uuid_of(group.id),
                name=group.name,
                member_ids=frozenset(uuid_of(each) for each in group.cylinder_ids),
                # What opens the ways out is given by the site's fire chief, not by an interface.
                writable=group.name not in {"Emergency", "Fire brigade"},
            )
            for group in site.cliq_groups
        ),
        keys=tuple(_key(key, n, groups, phones) for n, key in enumerate(site.cliq_keys)),
        updaters=tuple(
            UpdaterSpec(updater_id=uuid_of(each.id), kind=UpdaterKind(each.kind), place=each.place)
            for each in site.updaters
        ),
        programming_keys=tuple(
            ProgrammingKeySpec(programming_key_id=uuid_of(each.id), serial=each.serial, holder=each.holder)
            for each in site.programming_keys
        ),
    )


def _key(key: Key, index: int, groups: dict[str, UUID], phones: dict[str, UUID]) -> CliqKeySpec:
    return CliqKeySpec(
        key_id=uuid_of(key.id),
        serial=key.stamp,
        kind=CliqKeyKind(key.kind),
        holder=key.holder or None,
        plan=_standing(key, index, groups),
        phone_id=phones.get(f"Phone of {key.stamp}"),
    )


def _standing(key: Key, index: int, groups: dict[str, UUID]) -> KeyPlan:
    """What the key has carried since before Key2XS."""
    names = {"emergency": "Emergency", "fire_brigade": "Fire brigade"}
    if key.purpose in names:
        return KeyPlan(group_ids=frozenset({groups[names[key.purpose]]}))
    if key.purpose == "pool" and key.kind == "dynamic" and index % LEGACY_EVERY == 0:
        return KeyPlan(group_ids=frozenset({groups[LEGACY_GROUP]}))
    return KeyPlan(revalidation_minutes=REVALIDATION)
