"""What other rooms ask the plant."""

from datetime import timedelta
from typing import Any

import pytest

from key2xs import plant
from key2xs.core.database import Database
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.ledger import Ledger
from tests.plant.worlds import ACTOR, AT, load, load_small


async def test_a_code_with_other_zeros_or_case_is_found_while_only_one_fits(
    db: Database, ledger: Ledger
) -> None:
    await load_small(db, ledger)
    await load(
        db, ledger, "asset_cylinders", "asset_scheme,asset_id,cylinder_id,role\nsap_floc,000A-2,c2,room\n"
    )
    async with db.read() as tx:
        mapping = await plant.cylinders_of_assets(tx, [("SAP_FLOC", "a-2")])
    assert [len(links) for links in mapping.found.values()] == [1]
    assert not mapping.unmapped


async def test_a_code_that_fits_several_assets_is_unmapped_and_never_guessed(
    db: Database, ledger: Ledger
) -> None:
    await load_small(db, ledger)
    await load(db, ledger, "assets", "scheme,id,name\nsap_floc,0A-1,Other\n")
    async with db.read() as tx:
        mapping = await plant.cylinders_of_assets(
            tx, [("sap_floc", "00A-1"), ("sap_floc", "A-1"), ("sap_floc", "A-9"), ("sap_floc", "0A-1")]
        )
    assert set(mapping.found) == {("sap_floc", "A-1")}
    assert {(each.code, each.reason) for each in mapping.unmapped} == {
        ("00A-1", "ambiguous"), ("A-9", "unknown"), ("0A-1", "no_cylinder"),
    }  # fmt: skip


async def test_a_parents_cylinders_are_not_taken_over(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    async with db.read() as tx:
        mapping = await plant.cylinders_of_assets(tx, [("sap_floc", "000A-2")])
    assert mapping.cylinders == frozenset()


async def test_an_access_point_gives_its_cylinders_by_id_and_by_code(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    async with db.read() as tx:
        point = await plant.find_access_point(tx, "AP1")
        assert point
        by_code = await plant.cylinders_of_access_points(tx, ["AP1", "ap9"])
        by_id = await plant.cylinders_of_access_points(tx, [point.id])
    assert by_code.cylinders == by_id.cylinders
    assert [each.reason for each in by_code.unmapped] == ["unknown"]


async def test_facts_are_as_true_then_and_as_known_then(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    async with db.read() as tx:
        cylinder = await plant.get_cylinder(tx, "M-1")
        before = await tx.fetchval("SELECT max(seq) FROM log_body")
    async with db.transaction() as tx:
        rows = [{"code": "Z1", "name": "Cabinets", "criticality": "4"}]
        later = AT + timedelta(days=2)
        await plant.import_csv(tx, ledger, "zones", rows, at=later, actor=ACTOR)
    async with db.read() as tx:
        ids = [cylinder.id]
        then = (await plant.cylinder_facts(tx, ids, at=AT + timedelta(days=1)))[cylinder.id]
        now = (await plant.cylinder_facts(tx, ids, at=AT + timedelta(days=3)))[cylinder.id]
        as_known = (await plant.cylinder_facts(tx, ids, at=AT + timedelta(days=3), known_at=before))[
            cylinder.id
        ]
        assert await plant.cylinder_facts(tx, ids, at=AT - timedelta(days=1)) == {}
    assert (then.criticality, now.criticality, as_known.criticality) == (2, 4, 2)
    assert then.class_key != now.class_key
    assert f"zone:{cylinder.zone_id}" in now.heads


async def test_an_empty_egress_cell_is_unknown_and_never_free(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    async with db.read() as tx:
        assert (await plant.get_cylinder(tx, "M-1")).egress_free == "unknown"


async def test_a_stamp_that_two_cylinders_carry_is_a_conflict(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    head = "cylinder_id,locking_system,vendor,marking,access_point_id,online,security_zone\n"
    await load(db, ledger, "cylinders", head + "c9,g2,iloq,m-1,AP1,n,Z1\n")
    async with db.read() as tx:
        with pytest.raises(Conflict):
            await plant.get_cylinder(tx, "M-1")
        with pytest.raises(NotFound):
            await plant.get_cylinder(tx, "M-77")
        assert (await plant.get_cylinder(tx, "c9")).locking_system == "g2"


async def test_a_link_that_ended_maps_no_longer_but_did_before(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    row = {
        "asset_scheme": "sap_floc",
        "asset_id": "A-1",
        "cylinder_id": "c2",
        "role": "isolation",
        "ended": "y",
    }
    later = AT + timedelta(days=2)
    async with db.transaction() as tx:
        report = await plant.import_csv(tx, ledger, "asset_cylinders", [row], at=later, actor=ACTOR)
    assert report.changed == 1
    async with db.read() as tx:
        now = await plant.cylinders_of_assets(tx, [("sap_floc", "A-1")], at=later)
        then = await plant.cylinders_of_assets(tx, [("sap_floc", "A-1")], at=AT + timedelta(days=1))
    assert (len(now.cylinders), len(then.cylinders)) == (1, 2)
    again = [{**row, "ended": ""}]
    async with db.transaction() as tx:
        await plant.import_csv(
            tx, ledger, "asset_cylinders", again, at=later + timedelta(days=1), actor=ACTOR
        )
    async with db.read() as tx:
        assert len((await plant.cylinders_of_assets(tx, [("sap_floc", "A-1")])).cylinders) == 2


async def test_a_zone_begins_to_observe_and_changes_mode_with_a_reason(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    async with db.transaction() as tx:
        zone = (await plant.list_zones(tx))[0]
        assert zone.mode == "observe"
        number = await plant.set_zone_mode(
            tx, ledger, zone.id, mode="enforce", actor=ACTOR, at=AT + timedelta(hours=1), reason="pilot done"
        )
        entry = await tx.fetchrow("SELECT kind, heads, body FROM log_body WHERE seq = $1", number)
    assert entry
    assert entry["kind"] == "plant:zone:mode"
    assert entry["heads"] == [f"zone:{zone.id}"]
    assert (entry["body"]["before"], entry["body"]["after"]) == ("observe", "enforce")
    async with db.read() as tx:
        assert (await plant.get_zone(tx, zone.id)).mode == "enforce"
        assert [change.mode for change in await plant.zone_history(tx, zone.id)] == ["observe", "enforce"]
        assert (await plant.get_zone(tx, zone.id, at=AT)).mode == "observe"


async def test_a_mode_needs_a_reason_a_change_and_another_second_person(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    async with db.transaction() as tx:
        zone = (await plant.list_zones(tx))[0]
        tries: tuple[tuple[type[Exception], Any, str, str | None], ...] = (
            (InvalidInput, "enforce", " ", None),
            (InvalidInput, "open", "why not", None),
            (InvalidInput, "enforce", "pilot", ACTOR),
            (Conflict, "observe", "again", None),
        )
        for error, mode, reason, second in tries:
            with pytest.raises(error):
                await plant.set_zone_mode(
                    tx,
                    ledger,
                    zone.id,
                    mode=mode,
                    actor=ACTOR,
                    at=AT,
                    reason=reason,
                    confirmed_by=second,
                )


async def test_an_import_keeps_a_zones_mode(db: Database, ledger: Ledger) -> None:
    await load_small(db, ledger)
    async with db.transaction() as tx:
        zone = (await plant.list_zones(tx))[0]
        await plant.set_zone_mode(tx, ledger, zone.id, mode="advise", actor=ACTOR, at=AT, reason="pilot")
    await load(db, ledger, "zones", "code,name,criticality\nZ1,Cabinets,3\n")
    async with db.read() as tx:
        after = await plant.get_zone(tx, zone.id)
    assert (after.mode, after.criticality) == ("advise", 3)
