"""The synthetic site: sizes after the formulas, references that hold, the same bytes for the same seed."""

from __future__ import annotations

import csv
import hashlib
import re
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from key2xs_twin.iloq.inventory import KeyKind, RightType
from key2xs_twin.site import COLUMNS, Site, generate_site, records, write_csv
from key2xs_twin.site.sizes import SIZES

README = Path(__file__).parents[3] / "src/key2xs_twin/site/README.md"


@pytest.fixture(scope="module")
def site() -> Site:
    return generate_site("S", 7)


def digest(folder: Path) -> str:
    hashed = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        hashed.update(path.name.encode() + path.read_bytes())
    return hashed.hexdigest()


@pytest.mark.parametrize(
    ("size", "cylinders", "lock_boxes", "keys", "firms"),
    [
        ("S", 460, 60, 300, 20),
        ("M", 1442, 250, 1250, 60),  # the published table rounds to 1,440
        ("L", 3620, 600, 1350, 100),
    ],
)
def test_a_size_has_as_much_as_its_formula_says(
    size: str, cylinders: int, lock_boxes: int, keys: int, firms: int
) -> None:
    site = generate_site(size, 1, days=1)
    assert len(site.cylinders) == SIZES[size].cylinders == cylinders
    assert sum(c.safety_role == "lock_box" for c in site.cylinders) == lock_boxes
    assert len(site.keys) == keys
    assert len(site.companies) == firms + 1
    assert sum(p.company == "own" for p in site.people) == SIZES[size].own_people


def test_an_unknown_size_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="S, M, L, not 'XL'"):
        generate_site("XL")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        write_csv(generate_site("S", seed), tmp_path / folder)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_the_same_seed_gives_the_same_vendor_inventory(site: Site) -> None:
    assert site.iloq_inventory() == generate_site("S", 7).iloq_inventory()


def test_the_readme_names_exactly_the_columns_that_are_written(tmp_path: Path, site: Site) -> None:
    documented = {}
    for name, columns in re.findall(
        r"\| \d+ \| `(\w+)\.csv` \| `([^`]+)`", README.read_text(encoding="utf-8")
    ):
        documented[name] = tuple(column.rstrip("*") for column in columns.split(","))
    assert documented == COLUMNS
    for path in write_csv(site, tmp_path):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert tuple(rows[0]) == COLUMNS[path.stem]
        assert len(rows) > 1, f"{path.name} is empty"


def test_columns_marked_never_empty_are_never_empty(site: Site) -> None:
    for name, columns in re.findall(
        r"\| \d+ \| `(\w+)\.csv` \| `([^`]+)`", README.read_text(encoding="utf-8")
    ):
        required = [column[:-1] for column in columns.split(",") if column.endswith("*")]
        for record in records(site, name):
            assert all(record[column] for column in required), (name, record)


def test_every_reference_in_a_file_points_to_a_row_of_an_earlier_file(site: Site) -> None:
    rows = {kind: records(site, kind) for kind in COLUMNS}

    def ids(kind: str, *columns: str) -> set[tuple[str, ...]]:
        found = [tuple(row[column] for column in columns) for row in rows[kind]]
        assert len(found) == len(set(found)), f"{kind} repeats a key"
        return set(found)

    areas, units, zones = ids("areas", "code"), ids("units", "code"), ids("zones", "code")
    assets, points = ids("assets", "scheme", "id"), ids("access_points", "access_point_id")
    cylinders = ids("cylinders", "cylinder_id")
    ids("cylinders", "marking")
    people = {("iam", p.ref) for p in site.people if p.scheme == "iam"} | ids("people", "scheme", "ref")
    companies = ids("companies", "ref")

    assert all((u["area"],) in areas for u in rows["units"])
    seen: set[str] = {""}
    for asset in rows["assets"]:
        assert asset["parent_id"] in seen, "a parent comes before its children"
        seen.add(asset["id"])
        assert len(asset["id"]) <= 30, "SAP allows 30 characters"
    for cylinder in rows["cylinders"]:
        assert (cylinder["access_point_id"],) in points
        assert (cylinder["asset_scheme"], cylinder["asset_id"]) in assets
        assert (cylinder["unit"],) in units
        assert (cylinder["security_zone"],) in zones
    for link in rows["asset_cylinders"]:
        assert (link["asset_scheme"], link["asset_id"]) in assets
        assert (link["cylinder_id"],) in cylinders
    ids("asset_cylinders", "asset_scheme", "asset_id", "cylinder_id")
    assert all((p["company"],) in companies for p in rows["people"])
    assert all(("iam", p["sponsor"]) in people for p in rows["people"])
    for kind in ("qualifications", "duties"):
        assert all((row["person_scheme"], row["person_ref"]) in people for row in rows[kind])
    assert all((d["unit"],) in units for d in rows["duties"])
    ids("duties", "person_scheme", "person_ref", "role", "unit", "from")


def test_people_of_the_identity_system_are_not_in_the_people_file(site: Site) -> None:
    by_file = {row["ref"] for row in records(site, "people")}
    assert by_file == {p.ref for p in site.people if p.scheme == "personnel_no"}
    assert by_file
    assert {ref for refs in site.groups().values() for ref in refs} == {
        p.ref for p in site.people if p.scheme == "iam"
    }


def test_a_site_has_every_case_that_the_product_must_tell_apart(site: Site) -> None:
    assert {c.safety_role for c in site.cylinders} == {"none", "isolation", "emergency", "lock_box", "egress"}
    assert {c.egress_free for c in site.cylinders} == {"y", "n", ""}
    assert {c.criticality for c in site.cylinders} == {1, 2, 3, 4}
    assert any(not c.has_clock for c in site.cylinders)
    assert any(c.has_clock and not c.honours_limits for c in site.cylinders)
    assert any(not site.cylinders_of(point.id) for point in site.access_points), "a mechanical lock"
    assert any(len(site.cylinders_of(point.id)) > 1 for point in site.access_points)
    assert {k.purpose for k in site.keys} == {"personal", "pool", "emergency", "fire_brigade"}
    criticality = {zone.code: zone.criticality for zone in site.zones}
    assert all(c.criticality == criticality[c.zone] for c in site.cylinders)


def test_most_points_have_a_right_of_their_own_and_some_can_only_be_reached_by_a_wider_one(
    site: Site,
) -> None:
    own, wide_only = 0, 0
    for point in site.access_points:
        ids = {c.id for c in site.cylinders_of(point.id) if c.vendor == "iloq"}
        if not ids:
            continue
        usable = [r for r in site.rights if r.api and set(r.cylinder_ids) <= ids]
        own, wide_only = own + bool(usable), wide_only + (not usable)
    assert own > 200
    assert wide_only > 0
    assert any(not right.api for right in site.rights)


def test_at_any_hour_exactly_one_team_is_on_and_every_unit_has_its_duty_roles(site: Site) -> None:
    start = min(shift.starts_at for shift in site.shifts)
    for hour in range(24 * site.days):
        at = start + timedelta(hours=8 + hour, minutes=1)
        on = [shift for shift in site.shifts if shift.starts_at <= at < shift.ends_at]
        assert len(on) == 1, at
    at = datetime.fromisoformat("2026-07-01T18:00:00+02:00")
    held = {(d.role, d.unit) for d in site.duties if d.starts_at <= at < d.ends_at}
    roles = {
        "shift_leader",
        "issuing_authority",
        "area_authority",
        "isolating_authority",
        "gas_tester",
        "field_operator",
    }
    assert held == {(role, unit.code) for role in roles for unit in site.units}


def test_a_team_works_two_early_two_late_two_night_and_is_four_days_off() -> None:
    site = generate_site("S", 7, days=10)
    names = [s.name for s in site.shifts if s.team == "A" and s.starts_at.date() >= site.first_day]
    assert names == ["early"] * 2 + ["late"] * 2 + ["night"] * 2


def test_the_night_shift_of_the_clock_change_is_an_hour_longer_in_real_time() -> None:
    site = generate_site("S", 7, first_day=date(2026, 10, 24), days=2)  # clocks go back on the 25th
    night = next(s for s in site.shifts if s.name == "night" and s.starts_at.date() == date(2026, 10, 24))
    assert night.ends_at.timestamp() - night.starts_at.timestamp() == 9 * 3600
    assert (night.starts_at.isoformat()[-6:], night.ends_at.isoformat()[-6:]) == ("+02:00", "+01:00")


def test_the_vendor_inventory_agrees_with_the_import_files(site: Site) -> None:
    inventory = site.iloq_inventory()
    ours = str(inventory.lock_group_id)
    assert [str(lock.flock_id) for lock in inventory.locks] == [
        row["cylinder_id"] for row in records(site, "cylinders") if row["locking_system"] == ours
    ]
    assert [(k.stamp, str(k.fnkey_id), k.kind.value) for k in inventory.keys] == [
        (row["stamp"], row["external_id"], row["kind"])
        for row in records(site, "keys")
        if row["key_system"] == ours
    ]
    known = {access.id for access in inventory.security_accesses}
    assert all(lock.security_access_ids <= known for lock in inventory.locks)
    types = {access.id: access.type for access in inventory.security_accesses}
    assert all(
        types[right] is RightType.STANDARD for key in inventory.keys for right in key.security_access_ids
    ), "only the old world has standing rights"
    persons = {person.external_person_id: person.person_id for person in inventory.persons}
    for key in inventory.keys:
        if key.kind is KeyKind.PHONE:  # a phone key cannot exist without its person
            assert key.person_id == persons[key.person_external_id]
            assert key.phone_no
