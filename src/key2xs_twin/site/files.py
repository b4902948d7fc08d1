"""Write the import files of the product; README.md in this folder is their contract."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from .model import Site

Row = tuple[str, ...]

# File name -> columns, in import order: later files refer to earlier ones.
COLUMNS: dict[str, Row] = {
    "areas": ("code", "name"),
    "units": ("code", "name", "area"),
    "zones": ("code", "name", "criticality"),
    "assets": ("scheme", "id", "name", "parent_id", "unit"),
    "access_points": (
        "access_point_id",
        "name",
        "kind",
        "area",
        "unit",
        "asset_scheme",
        "asset_id",
        "lat",
        "lon",
    ),
    "cylinders": (
        "cylinder_id",
        "locking_system",
        "vendor",
        "marking",
        "cylinder_type",
        "access_point_id",
        "access_point_name",
        "kind",
        "asset_scheme",
        "asset_id",
        "area",
        "unit",
        "zone_ex",
        "online",
        "egress_free",
        "lat",
        "lon",
        "security_zone",
        "criticality",
        "safety_role",
    ),
    "asset_cylinders": ("asset_scheme", "asset_id", "cylinder_id", "role"),
    "companies": ("ref", "name"),
    "people": (
        "scheme",
        "ref",
        "personnel_no",
        "given_name",
        "family_name",
        "company",
        "contract_start",
        "contract_end",
        "sponsor",
    ),
    "qualifications": (
        "person_scheme",
        "person_ref",
        "kind",
        "number",
        "valid_to",
        "checked_at",
        "checked_by",
    ),
    "shifts": ("team", "shift", "from", "to"),
    "duties": ("person_scheme", "person_ref", "role", "unit", "from", "to"),
    "keys": ("key_system", "stamp", "external_id", "kind", "purpose"),
}


def write_csv(site: Site, folder: Path) -> list[Path]:
    """Write all files into `folder` (made if missing) and return their paths in import order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, columns in COLUMNS.items():
        path = folder / f"{kind}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows(site, kind))
        paths.append(path)
    return paths


def records(site: Site, kind: str) -> list[dict[str, str]]:
    """The rows of one file as mappings, for tests that import without a file in between."""
    return [dict(zip(COLUMNS[kind], row, strict=True)) for row in rows(site, kind)]


def rows(site: Site, kind: str) -> Iterator[Row]:
    """The rows of one file in the order of its columns; KeyError for an unknown kind."""
    makers: dict[str, Callable[[], Iterator[Row]]] = {
        "areas": lambda: ((a.code, a.name) for a in site.areas),
        "units": lambda: ((u.code, u.name, u.area) for u in site.units),
        "zones": lambda: ((z.code, z.name, str(z.criticality)) for z in site.zones),
        "assets": lambda: ((a.scheme, a.id, a.name, a.parent_id, a.unit) for a in site.assets),
        "access_points": lambda: (
            (p.id, p.name, p.kind, p.area, p.unit, p.asset_scheme, p.asset_id, p.lat, p.lon)
            for p in site.access_points
        ),
        "cylinders": lambda: _cylinders(site),
        "asset_cylinders": lambda: (
            (x.asset_scheme, x.asset_id, x.cylinder_id, x.role) for x in site.asset_cylinders
        ),
        "companies": lambda: ((c.ref, c.name) for c in site.companies),
        "people": lambda: _people(site),
        "qualifications": lambda: (
            (
                q.person_scheme,
                q.person_ref,
                q.kind,
                q.number,
                q.valid_to.isoformat(),
                q.checked_at.isoformat(),
                q.checked_by,
            )
            for q in site.qualifications
        ),
        "shifts": lambda: (
            (s.team, s.name, s.starts_at.isoformat(), s.ends_at.isoformat()) for s in site.shifts
        ),
        "duties": lambda: (
            (d.person_scheme, d.person_ref, d.role, d.unit, d.starts_at.isoformat(), d.ends_at.isoformat())
            for d in site.duties
        ),
        "keys": lambda: _keys(site),
    }
    return makers[kind]()


def _cylinders(site: Site) -> Iterator[Row]:
    points = {point.id: point for point in site.access_points}
    for c in site.cylinders:
        point = points[c.access_point_id]
        yield (
            c.id,
            site.locking_system_of(c),
            c.vendor,
            c.marking,
            c.cylinder_type,
            point.id,
            point.name,
            point.kind,
            point.asset_scheme,
            point.asset_id,
            point.area,
            point.unit,
            c.zone_ex,
            "y" if c.online else "n",
            c.egress_free,
            point.lat,
            point.lon,
            c.zone,
            str(c.criticality),
            c.safety_role,
        )


def _keys(site: Site) -> Iterator[Row]:
    for system, keys in ((site.locking_system_id, site.keys), (site.cliq_system, site.cliq_keys)):
        for key in keys:
            yield (system, key.stamp, key.id, key.kind, key.purpose)


def _people(site: Site) -> Iterator[Row]:
    for p in site.people:
        if p.scheme == "iam":  # comes by SCIM
            continue
        contract = (_day(p.contract_start), _day(p.contract_end))
        yield (
            p.scheme,
            p.ref,
            p.personnel_no,
            p.given_name,
            p.family_name,
            p.company,
            *contract,
            p.sponsor,
        )


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
