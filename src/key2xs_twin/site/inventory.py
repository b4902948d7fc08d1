"""Turn a synthetic site into what the simulated iLOQ locking system holds on day one."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from key2xs_twin.iloq.inventory import (
    IloqSite,
    KeyKind,
    KeySpec,
    LockSpec,
    LockType,
    PersonSpec,
    RightType,
    SecurityAccessSpec,
)

from .ids import uuid_of
from .model import Cylinder, Key, Person, Site

# Every so many pool fobs one still carries a broad right from the old days: the standing access that adoption finds.
LEGACY_EVERY = 12


def iloq_inventory(site: Site) -> IloqSite:
    """Rights, locks, keys and persons in the vendor's words; deterministic for one site."""
    rights_of_lock: dict[str, set[UUID]] = {}
    for right in site.rights:
        for cylinder_id in right.cylinder_ids:
            rights_of_lock.setdefault(cylinder_id, set()).add(uuid_of(right.id))
    standard = {right.name: uuid_of(right.id) for right in site.rights if not right.api}
    holders = {key.holder for key in site.keys if key.holder}
    persons = tuple(_person(person, site) for person in site.people if person.ref in holders)
    person_ids = {spec.external_person_id: spec.person_id for spec in persons}
    serials = {cylinder.id: 100_001 + n for n, cylinder in enumerate(site.cylinders)}
    return IloqSite(
        lock_group_id=uuid_of(site.locking_system_id),
        name=f"{site.code} {site.size}",
        time_zone=site.time_zone,
        security_accesses=tuple(
            SecurityAccessSpec(
                id=uuid_of(right.id), name=right.name, type=RightType.API if right.api else RightType.STANDARD
            )
            for right in site.rights
        ),
        persons=persons,
        locks=tuple(
            _lock(cylinder, frozenset(rights_of_lock.get(cylinder.id, ())), serials[cylinder.id])
            for cylinder in site.cylinders
            if cylinder.vendor == "iloq"
        ),
        keys=tuple(_key(key, n, person_ids, standard) for n, key in enumerate(site.keys)),
    )


def _person(person: Person, site: Site) -> PersonSpec:
    return PersonSpec(
        person_id=uuid5(NAMESPACE_URL, f"{site.code}/{site.seed}/{person.ref}"),
        external_person_id=person.ref,
        first_name=person.given_name,
        last_name=person.family_name,
        company_name=person.company,
    )


def _lock(cylinder: Cylinder, rights: frozenset[UUID], serial: int) -> LockSpec:
    return LockSpec(
        flock_id=uuid_of(cylinder.id),
        stamp=cylinder.marking,
        lock_type=_lock_type(cylinder),
        clock_installed=cylinder.has_clock,
        respects_time_limits=cylinder.honours_limits,
        online=cylinder.online,
        # The main gates ask the server at every opening; everything inside the fence must work without a network.
        online_required=cylinder.online and cylinder.zone == "PER",
        hot_spot=cylinder.online and cylinder.zone == "PER",
        security_access_ids=rights,
        serial_number=serial,
        sw_version=_FIRMWARE[_lock_type(cylinder)],
        description=cylinder.access_point_id,
        location_code=cylinder.unit,
    )


# D5 locks take 23 slots from 135 (Public API v2); the padlocks of a site are older than its doors.
_FIRMWARE: Final = {LockType.S50: 112, LockType.C5: 138, LockType.S5_ONLINE: 130, LockType.D5: 135}


def _lock_type(cylinder: Cylinder) -> LockType:
    if cylinder.online:
        return LockType.S5_ONLINE
    return LockType.S50 if cylinder.cylinder_type == "padlock" else LockType.D5


def _key(key: Key, index: int, person_ids: dict[str | None, UUID], standard: dict[str, UUID]) -> KeySpec:
    return KeySpec(
        fnkey_id=uuid_of(key.id),
        stamp=key.stamp,
        kind=KeyKind(key.kind),
        person_external_id=key.holder or None,
        person_id=person_ids.get(key.holder) if key.holder else None,
        security_access_ids=_standing(key, index, standard),
        programmed=True,
        # Not a number that anybody could be assigned.
        phone_no=f"+31000000{key.stamp}" if key.kind == "phone" else None,
        description=key.purpose,
    )


def _standing(key: Key, index: int, standard: dict[str, UUID]) -> frozenset[UUID]:
    """Rights that the key has had since before Key2XS."""
    if key.purpose == "emergency":
        return frozenset({standard["Emergency"]})
    if key.purpose == "fire_brigade":
        return frozenset({standard["Fire brigade"]})
    if key.purpose == "pool" and index % LEGACY_EVERY == 0:
        return frozenset({standard["Maintenance"]})
    return frozenset()
