"""An inventory as big as a whole refinery group's, for benchmarks: plain, quick to make, and dull.

Locks hang in units of two hundred; every twenty share an API right, every unit has a standard right. Most keys carry
something from before Key2XS; every seventh has no holder.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from uuid import UUID

from key2xs_twin.iloq.inventory import (
    IloqSite,
    KeyKind,
    KeySpec,
    LockSpec,
    PersonSpec,
    RightType,
    SecurityAccessSpec,
)

LOCKS_OF_A_RIGHT = 20
LOCKS_OF_A_UNIT = 200
FIRST_STAMP = 100_001
KINDS = (KeyKind.PHONE, KeyKind.FOB, KeyKind.METAL)
WITHOUT_HOLDER = 7  # every so many
BLANK = 5
Row = dict[str, str]


def big_inventory(keys: int = 30_000, locks: int = 40_000, *, seed: int = 7) -> IloqSite:
    """A locking system of so many keys and locks; the same numbers and seed give the same system."""
    rng = random.Random(f"big/{seed}")

    def guid() -> UUID:
        return UUID(int=rng.getrandbits(128), version=4)

    system = guid()
    api = [SecurityAccessSpec(id=guid(), name=f"API {n:05d}") for n in range(-(-locks // LOCKS_OF_A_RIGHT))]
    units = [
        SecurityAccessSpec(id=guid(), name=f"Operators {_unit(n * LOCKS_OF_A_UNIT)}", type=RightType.STANDARD)
        for n in range(-(-locks // LOCKS_OF_A_UNIT))
    ]
    lock_specs = tuple(
        LockSpec(
            flock_id=guid(),
            stamp=_marking(n),
            clock_installed=n % 25 != 0,
            security_access_ids=frozenset({api[n // LOCKS_OF_A_RIGHT].id, units[n // LOCKS_OF_A_UNIT].id}),
            serial_number=n + 1,
            description=f"AP-{n:05d}",
            location_code=_unit(n),
        )
        for n in range(locks)
    )
    people = tuple(
        PersonSpec(
            person_id=guid(),
            external_person_id=f"u{10001 + n}",
            first_name=f"Given{n}",
            last_name=f"Family{n}",
        )
        for n in range(keys - keys // WITHOUT_HOLDER)
    )
    holders = iter(people)
    return IloqSite(
        lock_group_id=system,
        name=f"Big {keys}/{locks}",
        security_accesses=(*api, *units),
        persons=people,
        locks=lock_specs,
        keys=tuple(_key(n, guid(), _holder(n, holders), rng, api, units) for n in range(keys)),
    )


def _holder(n: int, holders: Iterator[PersonSpec]) -> PersonSpec | None:
    return None if n % WITHOUT_HOLDER == 0 else next(holders, None)


def _key(
    n: int,
    key_id: UUID,
    holder: PersonSpec | None,
    rng: random.Random,
    api: list[SecurityAccessSpec],
    units: list[SecurityAccessSpec],
) -> KeySpec:
    rights: list[SecurityAccessSpec] = []
    if n % BLANK:
        rights = [units[rng.randrange(len(units))]] if n % 3 == 0 else rng.sample(api, min(4, len(api)))
    kind = KINDS[n % 3] if holder is not None else KINDS[1 + n % 2]  # a phone has a person
    countdown = 28_800 if kind is not KeyKind.METAL and n % 2 else 0
    return KeySpec(
        fnkey_id=key_id,
        stamp=str(FIRST_STAMP + n),
        kind=kind,
        person_id=holder.person_id if holder is not None else None,
        person_external_id=holder.external_person_id if holder is not None else None,
        security_access_ids=frozenset(right.id for right in rights),
        offline_expiration_seconds=countdown,
        programmed=True,
        phone_no=f"+310000{n:05d}" if kind is KeyKind.PHONE else None,
    )


def big_records(site: IloqSite) -> dict[str, list[Row]]:
    """The product's import rows for such a system: areas to cylinders, and keys."""
    units = sorted({lock.location_code for lock in site.locks})
    return {
        "areas": [{"code": "A01", "name": "Everything"}],
        "units": [{"code": unit, "name": f"Unit {unit}", "area": "A01"} for unit in units],
        "zones": [
            {"code": f"{unit}-FLD", "name": f"Unit {unit}, field", "criticality": "2"} for unit in units
        ],
        "assets": [
            {"scheme": "sap_floc", "id": f"RTX-{unit}", "name": f"Unit {unit}", "parent_id": "", "unit": unit}
            for unit in units
        ],
        "access_points": [_access_point(lock) for lock in site.locks],
        "cylinders": [_cylinder(lock, site) for lock in site.locks],
        "keys": [
            {
                "key_system": str(site.lock_group_id),
                "stamp": key.stamp,
                "external_id": str(key.fnkey_id),
                "kind": str(key.kind),
                "purpose": "personal" if key.person_id else "pool",
            }
            for key in site.keys
        ],
    }


def _access_point(lock: LockSpec) -> Row:
    unit = lock.location_code
    return {
        "access_point_id": lock.description,
        "name": f"Panel {lock.stamp}",
        "kind": "cabinet",
        "area": "A01",
        "unit": unit,
        "asset_scheme": "sap_floc",
        "asset_id": f"RTX-{unit}",
        "lat": "",
        "lon": "",
    }


def _cylinder(lock: LockSpec, site: IloqSite) -> Row:
    return {
        "cylinder_id": str(lock.flock_id),
        "locking_system": str(site.lock_group_id),
        "vendor": "iloq",
        "marking": lock.stamp,
        "cylinder_type": "cabinet",
        "online": "n",
        "egress_free": "y",
        "security_zone": f"{lock.location_code}-FLD",
        "criticality": "2",
        "safety_role": "none",
    } | {name: value for name, value in _access_point(lock).items() if name != "name"}


def _unit(n: int) -> str:
    return f"U{n // LOCKS_OF_A_UNIT:03d}"


def _marking(n: int) -> str:
    return f"{_unit(n)}-{n % LOCKS_OF_A_UNIT:03d}"
