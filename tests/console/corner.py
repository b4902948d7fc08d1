"""A corner of a refinery with names that read like one: a substation, valves, a lock box, doors, and ten keys."""

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
from tests.support.tiny import LOCK_GROUP, TinySite, twin_id

AREA, UNIT = "CDU", "CDU-2"

# marking, access point, name, kind, criticality, egress free, safety role, has a clock and honours limits
POINTS = (
    ("4711", "MCC2-DOOR", "MCC 2, door to the switch room", "door", 2, "y", "none", True),
    ("4712", "MCC2-F07", "MCC 2, feeder 07, pump P-2031A", "cabinet", 3, "y", "none", True),
    ("4713", "MCC2-F08", "MCC 2, feeder 08, pump P-2031B", "cabinet", 3, "y", "none", True),
    ("5120", "V-2041", "Feed isolation valve V-2041", "valve_lock", 4, "y", "isolation", True),
    ("5121", "V-2042", "Bypass valve V-2042", "valve_lock", 4, "y", "isolation", True),
    ("6003", "LB-17", "Group lock box 17", "lock_box", 3, "y", "lock_box", True),
    ("2210", "AH-3", "Analyser house 3", "door", 2, "n", "none", True),
    ("2218", "UPS-1", "UPS room 1", "door", 3, "", "none", False),
)
MARKINGS = tuple(point[0] for point in POINTS)
COMPANIES = {"v017": "Rotor & Seal", "v022": "Volt & Vessel", "own": "Delta Refining"}

PHONES = ("1041", "1042", "1043", "1044", "1045", "1046", "1047")
FOBS = ("1061", "1062")
METAL = ("0307",)


def asset_of(marking: str) -> str:
    """Return the functional location that a lock serves."""
    return f"RTX-{UNIT}-{marking}"


def corner() -> TinySite:
    """Make the site."""
    return TinySite(
        IloqSite(
            lock_group_id=LOCK_GROUP,
            security_accesses=tuple(
                SecurityAccessSpec(id=twin_id(f"right {m}"), name=f"AP {m}", type=RightType.API)
                for m in MARKINGS
            ),
            persons=tuple(
                PersonSpec(
                    person_id=twin_id(f"vendor person {stamp}"),
                    external_person_id=f"holder-{stamp}",
                    first_name="A",
                    last_name="B",
                )
                for stamp in (*PHONES, *FOBS, *METAL)
            ),
            locks=tuple(
                LockSpec(
                    flock_id=twin_id(marking),
                    stamp=marking,
                    lock_type=LockType.S50,
                    clock_installed=clock,
                    respects_time_limits=clock,
                    security_access_ids=frozenset({twin_id(f"right {marking}")}),
                )
                for marking, *_, clock in POINTS
            ),
            keys=(
                *(_key(stamp, KeyKind.PHONE) for stamp in PHONES),
                *(_key(stamp, KeyKind.FOB) for stamp in FOBS),
                *(_key(stamp, KeyKind.METAL) for stamp in METAL),
            ),
        ),
        _files(),
    )


def _key(stamp: str, kind: KeyKind) -> KeySpec:
    is_phone = kind is KeyKind.PHONE
    return KeySpec(
        fnkey_id=twin_id(f"key {stamp}"),
        stamp=stamp,
        kind=kind,
        person_external_id=f"holder-{stamp}",
        phone_no="+31600000000" if is_phone else "",
        email="x@example.org" if is_phone else "",
    )


def _files() -> dict[str, list[dict[str, str]]]:
    zones = {crit: f"Z{crit}" for crit in (2, 3, 4)}
    return {
        "areas": [{"code": AREA, "name": "Crude distillation"}],
        "units": [{"code": UNIT, "name": "Crude unit 2", "area": AREA}],
        "zones": [
            {"code": code, "name": f"Zone {crit}", "criticality": str(crit)} for crit, code in zones.items()
        ],
        "assets": [
            {"scheme": "sap_floc", "id": asset_of(m), "name": m, "parent_id": "", "unit": UNIT}
            for m in MARKINGS
        ],
        "access_points": [
            {
                "access_point_id": code,
                "name": name,
                "kind": kind,
                "area": AREA,
                "unit": UNIT,
                "asset_scheme": "sap_floc",
                "asset_id": asset_of(m),
                "lat": "",
                "lon": "",
            }
            for m, code, name, kind, *_ in POINTS
        ],
        "cylinders": [
            {
                "cylinder_id": str(twin_id(m)),
                "locking_system": str(LOCK_GROUP),
                "vendor": "iloq",
                "marking": m,
                "cylinder_type": "cabinet",
                "access_point_id": code,
                "access_point_name": name,
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
            for m, code, name, kind, crit, egress, role, _clock in POINTS
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
        "companies": [{"ref": ref, "name": name} for ref, name in COMPANIES.items()],
    }
