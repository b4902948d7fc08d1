"""A site small enough to reason about: one area, one unit, six cylinders, four keys, a handful of people."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from key2xs_twin.cliq import CliqSite
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

_NAMESPACE = UUID("6f1d2a4e-0000-4000-8000-6b3279787300")
LOCK_GROUP = uuid5(_NAMESPACE, "lock group")
AREA, UNIT = "CDU", "CDU-1"

# marking, kind, criticality, egress_free, safety_role, has a clock, honours limits
POINTS = (
    ("C1", "cabinet", 3, "y", "none", True, True),
    ("C2", "cabinet", 3, "y", "none", True, True),
    ("C3", "door", 2, "y", "none", True, True),
    ("C4", "cabinet", 3, "y", "none", False, False),  # no bound: neither a clock nor limits
    ("C5", "valve_lock", 4, "y", "isolation", True, True),
    ("C6", "lock_box", 3, "y", "lock_box", True, True),
)
MARKINGS = tuple(point[0] for point in POINTS)


def twin_id(name: str) -> UUID:
    """Return the vendor's id of a thing of the tiny site."""
    return uuid5(_NAMESPACE, name)


def asset_of(marking: str) -> str:
    """Return the functional location that a cylinder serves."""
    return f"RTX-{UNIT}-{marking}"


@dataclass(frozen=True)
class TinySite:
    """The vendor's side and the files that the product imports."""

    iloq: IloqSite
    files: dict[str, list[dict[str, str]]]
    cliq: CliqSite | None = None


def tiny_site(keys: int = 4) -> TinySite:
    """Make the site."""
    rights = [
        SecurityAccessSpec(id=twin_id(f"right {m}"), name=f"AP {m}", type=RightType.API) for m in MARKINGS
    ]
    wide = SecurityAccessSpec(id=twin_id("right wide"), name="C1 and C2", type=RightType.API)
    locks = [
        LockSpec(
            flock_id=twin_id(marking),
            stamp=marking,
            lock_type=LockType.S50,
            clock_installed=clock,
            respects_time_limits=limits,
            security_access_ids=frozenset(
                {twin_id(f"right {marking}")}
                | ({twin_id("right wide")} if marking in {"C1", "C2"} else set())
            ),
        )
        for marking, _kind, _crit, _egress, _role, clock, limits in POINTS
    ]
    persons = [
        PersonSpec(
            person_id=twin_id(f"vendor person {n}"), external_person_id=f"u{n}", first_name="A", last_name="B"
        )
        for n in range(1, keys + 1)
    ]
    phones = [
        KeySpec(
            fnkey_id=twin_id(f"key {n}"),
            stamp=f"K{n:03d}",
            kind=KeyKind.PHONE,
            person_external_id=f"u{n}",
            phone_no="+31600000000",
            email="x@example.org",
        )
        for n in range(1, keys + 1)
    ]
    site = IloqSite(
        lock_group_id=LOCK_GROUP,
        security_accesses=(*rights, wide),
        persons=tuple(persons),
        locks=tuple(locks),
        keys=tuple(phones),
    )
    return TinySite(site, _files())


def _files() -> dict[str, list[dict[str, str]]]:
    zones = {crit: f"Z{crit}" for crit in (2, 3, 4)}
    return {
        "areas": [{"code": AREA, "name": "Crude distillation"}],
        "units": [{"code": UNIT, "name": "Crude unit 1", "area": AREA}],
        "zones": [{"code": code, "name": f"Zone {c}", "criticality": str(c)} for c, code in zones.items()],
        "assets": [
            {"scheme": "sap_floc", "id": asset_of(m), "name": m, "parent_id": "", "unit": UNIT}
            for m in MARKINGS
        ],
        "access_points": [
            {
                "access_point_id": f"AP-{m}",
                "name": f"Point {m}",
                "kind": kind,
                "area": AREA,
                "unit": UNIT,
                "asset_scheme": "sap_floc",
                "asset_id": asset_of(m),
                "lat": "",
                "lon": "",
            }
            for m, kind, *_ in POINTS
        ],
        "cylinders": [
            {
                "cylinder_id": str(twin_id(m)),
                "locking_system": str(LOCK_GROUP),
                "vendor": "iloq",
                "marking": m,
                "cylinder_type": "cabinet",
                "access_point_id": f"AP-{m}",
                "access_point_name": f"Point {m}",
                "kind": kind,
                "asset_scheme": "sap_floc",
                "asset_id": asset_of(m),
                "area": AREA,
                "unit": UNIT,
                "zone_ex": "",
                "online": "n",
                "egress_free": egress,
                "lat": "",
                "lon": "",
                "security_zone": zones[crit],
                "criticality": str(crit),
                "safety_role": role,
            }
            for m, kind, crit, egress, role, *_ in POINTS
        ],
        "asset_cylinders": [
            {
                "asset_scheme": "sap_floc",
                "asset_id": asset_of(m),
                "cylinder_id": str(twin_id(m)),
                "role": "content",
            }
            for m in MARKINGS
        ],
        "companies": [{"ref": "v017", "name": "Rotor & Seal"}, {"ref": "own", "name": "The operator"}],
    }
