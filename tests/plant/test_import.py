"""Importing plant files."""

import time
from collections.abc import Mapping
from datetime import timedelta

import pytest

from key2xs import plant
from key2xs.core.database import Database
from key2xs.core.errors import InvalidInput
from key2xs.ledger import Ledger
from tests.plant.worlds import ACTOR, AREAS, AT, CYLINDERS, SMALL, load, load_small

Files = Mapping[str, list[dict[str, str]]]


async def count(db: Database, table: str) -> int:
    async with db.read() as tx:
        return int(await tx.fetchval(f"SELECT count(*) FROM {table}"))


async def test_the_whole_synthetic_site_imports_in_seconds_and_again_without_a_change(
    db: Database, ledger: Ledger, site_files: Files
) -> None:
    started = time.monotonic()
    for kind in plant.KINDS:
        async with db.transaction() as tx:
            report = await plant.import_csv(tx, ledger, kind, site_files[kind], at=AT, actor=ACTOR)
        assert report.ok, (kind, report.errors[:3])
        assert report.added == len(site_files[kind])
    assert time.monotonic() - started < 20
    entries = await count(db, "log_body")
    for kind in plant.KINDS:
        async with db.transaction() as tx:
            report = await plant.import_csv(
                tx, ledger, kind, site_files[kind], at=AT + timedelta(days=1), actor=ACTOR
            )
        assert (report.added, report.changed, report.removed_missing) == (0, 0, 0)
        assert report.unchanged == len(site_files[kind])
    assert await count(db, "log_body") == entries


async def test_five_thousand_cylinders_import_in_seconds(db: Database, ledger: Ledger) -> None:
    for kind in ("areas", "units", "zones", "assets", "access_points"):
        await load(db, ledger, kind, SMALL[kind])
    head = CYLINDERS.splitlines()[0]
    rows = "\n".join(f"n{n},g1,iloq,N-{n},cabinet,AP1,n,,Z1,2,none" for n in range(5000))
    started = time.monotonic()
    report = await load(db, ledger, "cylinders", f"{head}\n{rows}\n")
    assert report.added == 5000
    assert time.monotonic() - started < 30


async def test_a_dry_run_reports_what_the_real_run_does_and_writes_nothing(
    db: Database, ledger: Ledger
) -> None:
    dry = await load(db, ledger, "areas", AREAS, dry_run=True)
    assert await count(db, "plant_area") == 0
    assert await count(db, "log_body") == 0
    real = await load(db, ledger, "areas", AREAS)
    assert (dry.added, dry.diff, dry.errors) == (real.added, real.diff, real.errors)


async def test_good_rows_go_on_when_bad_rows_fail_and_every_bad_one_is_named(
    db: Database, ledger: Ledger
) -> None:
    report = await load(
        db, ledger, "zones", "code,name,criticality\nZ1,One,5\n,Two,1\nZ3,Three,3\nZ4,Four,x\n"
    )
    assert report.added == 1
    assert [(error.row, error.field) for error in report.errors] == [
        (2, "criticality"), (3, "code"), (5, "criticality"),
    ]  # fmt: skip
    assert report.errors[0].problem == "must be a whole number from 1 to 4"


@pytest.mark.parametrize(
    ("kind", "text", "field", "problem"),
    [
        ("units", "code,name,area\nU9,Nine,NOWHERE\n", "area", "is not known"),
        ("assets", "scheme,id,name,parent_id\nsap_floc,B,B,B\n", "parent_id", "names the asset itself"),
        ("assets", "scheme,id,name,parent_id\nsap_floc,B,B,C\n", "parent_id", "is not known"),
        ("access_points", "access_point_id,name,kind,area\nX,X,hatch,CDU\n", "kind", "must be one of gate, door, substation, cabinet, valve_lock, lock_box, tank_dip, manway, jetty, vehicle"),
        ("access_points", "access_point_id,name,kind,area,unit\nX,X,door,TANK,U1\n", "unit", "lies in another area than the row says"),
        ("access_points", "access_point_id,name,kind,area,lat\nX,X,door,CDU,nan\n", "lat", "must be degrees from -90 to 90"),
        ("cylinders", "cylinder_id,locking_system,vendor,access_point_id,online,security_zone,criticality\nX,g,v,AP1,n,Z1,3\n", "criticality", "the security zone has criticality 2"),
        ("cylinders", "cylinder_id,locking_system,vendor,access_point_id,online,security_zone\nX,g,v,AP1,,Z1\n", "online", "is empty; must be y or n"),
        ("asset_cylinders", "asset_scheme,asset_id,cylinder_id,role\nsap_floc,A-1,c9,room\n", "cylinder_id", "is not known"),
        ("areas", "code,name\nA,One\nA,Two\n", "row", "says something else about A than row 2"),
        ("areas", f"code,name\nA,{'x' * 201}\n", "name", "is longer than 200 characters"),
        ("areas", "code,name\nA,be\x07ll\n", "name", "holds characters that cannot be printed"),
    ],
)  # fmt: skip
async def test_a_wrong_cell_is_named_with_row_field_and_problem(
    db: Database, ledger: Ledger, kind: str, text: str, field: str, problem: str
) -> None:
    await load_small(db, ledger)
    report = await load(db, ledger, kind, text)
    assert [(error.field, error.problem) for error in report.errors] == [(field, problem)]


async def test_a_child_may_stand_before_its_parent(db: Database, ledger: Ledger) -> None:
    report = await load(db, ledger, "assets", "scheme,id,name,parent_id\nx,C,c,B\nx,B,b,A\nx,A,a,\n")
    assert report.ok
    assert report.added == 3


async def test_an_unknown_kind_is_refused(db: Database, ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="kind"):
        await load(db, ledger, "people", "a\n1\n")


async def test_a_change_is_told_old_to_new_and_absent_records_stay(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    changed = CYLINDERS.splitlines()[0] + "\nc1,g1,iloq,M-1,cabinet,AP2,n,y,Z2,4,egress\n"
    report = await load(db, ledger, "cylinders", changed)
    assert report.changed == 1
    assert report.removed_missing == 1
    assert report.diff == [
        (
            "~ g1 c1: access_point_id AP1 -> AP2, zone_id Z1 -> Z2, egress_free unknown -> yes, "
            "safety_role none -> egress"
        ),
        "- g1 c2 (not in the file; kept)",
    ]
    async with db.read() as tx:
        assert (await plant.get_cylinder(tx, "M-2")).zone == "Z2"


async def test_each_change_has_an_entry_of_its_own_under_one_for_the_run(
    db: Database, ledger: Ledger
) -> None:
    await load_small(db, ledger)
    async with db.read() as tx:
        kinds = await tx.fetch("SELECT kind, count(*) AS n FROM log_body GROUP BY kind ORDER BY kind")
    assert {row["kind"]: row["n"] for row in kinds} == {
        "plant:access_point:add": 2, "plant:area:add": 2, "plant:asset:add": 2, "plant:asset:map": 2,
        "plant:cylinder:add": 2, "plant:import:run": 7, "plant:unit:add": 1, "plant:zone:add": 2,
    }  # fmt: skip
