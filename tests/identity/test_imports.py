"""Files of people: dry run, errors by row and field, the same file twice, a difference a person can read."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from key2xs import plant
from key2xs.core.errors import InvalidInput
from key2xs.core.imports import ImportReport
from key2xs.identity import ContractTerms, PersonStatement, Profile, end_of_day, start_of_day
from key2xs_twin.site import Person, generate_site, write_csv
from tests.identity.worlds import AMSTERDAM, World

FIRST_DAY = date(2026, 7, 1)
COMPANIES = [{"ref": "ACME", "name": "Acme Scaffolding"}, {"ref": "own", "name": "Site A"}]
PEOPLE = [
    {
        "scheme": "personnel_no", "ref": "1001", "personnel_no": "1001", "given_name": "Roos", "family_name": "Visser",
        "company": "own", "contract_start": "2020-01-01", "contract_end": "", "sponsor": "",
    },
    {
        "scheme": "personnel_no", "ref": "2001", "personnel_no": "", "given_name": "Bo", "family_name": "Smit",
        "company": "acme", "contract_start": "2026-01-05", "contract_end": "2026-06-30", "sponsor": "1001",
    },
]  # fmt: skip
UNITS = [{"code": "CDU-1", "name": "Crude unit 1", "area": "A1"}]
AREAS = [{"code": "A1", "name": "North"}]


async def load(world: World, kind: str, rows: list[dict[str, Any]], *, dry_run: bool = False) -> ImportReport:
    async with world.db.transaction() as tx:
        if kind in plant.KINDS:
            return await plant.import_csv(
                tx, world.identity.desk.ledger, kind, rows, at=world.clock.now(), actor="user:test"
            )
        return await world.identity.import_csv(
            tx, kind, rows, at=world.clock.now(), actor="user:test", dry_run=dry_run
        )


async def base(world: World) -> None:
    for kind, rows in (("companies", COMPANIES), ("people", PEOPLE), ("areas", AREAS), ("units", UNITS)):
        assert (await load(world, kind, rows)).ok


def duty(ref: str = "1001", **more: str) -> dict[str, str]:
    return {
        "person_scheme": "personnel_no", "person_ref": ref, "role": "shift_leader", "unit": "CDU-1",
        "from": "2026-03-02T18:00:00+01:00", "to": "2026-03-03T06:00:00+01:00", **more,
    }  # fmt: skip


def proof(ref: str = "1001", **more: str) -> dict[str, str]:
    return {
        "person_scheme": "personnel_no", "person_ref": ref, "kind": "GAS_TESTER", "number": "D-77",
        "valid_to": "2027-05-31", "checked_at": "2026-01-10", "checked_by": "hse", **more,
    }  # fmt: skip


async def test_a_dry_run_reports_the_same_and_writes_nothing(world: World) -> None:
    await load(world, "companies", COMPANIES)
    before = await world.kinds()
    dry = await load(world, "people", PEOPLE, dry_run=True)
    assert (dry.added, dry.changed, dry.errors) == (2, 0, [])
    assert await world.kinds() == before
    real = await load(world, "people", PEOPLE)
    assert (real.added, real.diff) == (dry.added, dry.diff)


async def test_the_same_files_twice_change_nothing(world: World) -> None:
    await base(world)
    rota = [
        {
            "team": "A",
            "shift": "night",
            "from": "2026-03-02T18:00:00+01:00",
            "to": "2026-03-03T06:00:00+01:00",
        }
    ]
    files = {
        "companies": COMPANIES, "people": PEOPLE, "qualifications": [proof(), proof("2001", kind="VCA_BASIC")],
        "duties": [duty()], "shifts": rota,
    }  # fmt: skip
    for kind, rows in files.items():
        assert (await load(world, kind, rows)).ok
    before = await world.kinds()
    for kind, rows in files.items():
        again = await load(world, kind, rows)
        assert (again.added, again.changed, again.unchanged, again.diff) == (0, 0, len(rows), []), kind
    assert await world.kinds() == before


async def test_only_what_differs_is_changed_and_told(world: World) -> None:
    await base(world)
    await load(world, "qualifications", [proof(), proof("2001")])
    await load(world, "duties", [duty()])
    people = [PEOPLE[0], PEOPLE[1] | {"contract_end": "2026-05-31"}]
    report = await load(world, "people", people)
    assert (report.added, report.changed, report.unchanged) == (0, 1, 1)
    assert (await world.kinds())[-1] == "identity:contract:change"
    report = await load(world, "qualifications", [proof(), proof("2001", valid_to="2026-04-30")])
    assert (report.changed, report.unchanged) == (1, 1)
    assert "2026-04-30" in report.diff[0]
    report = await load(world, "duties", [duty(to="2026-03-03T02:00:00+01:00")])
    assert report.changed == 1
    report = await load(world, "companies", [{"ref": "acme", "name": "Acme BV"}])
    assert report.diff == ["~ acme: name Acme Scaffolding -> Acme BV"]


WRONG: tuple[tuple[str, dict[str, str], str], ...] = (
    ("people", PEOPLE[0] | {"company": "NOBODY"}, "company"),
    ("people", PEOPLE[0] | {"company": ""}, "company"),
    ("people", PEOPLE[0] | {"scheme": "name"}, "scheme"),
    ("people", PEOPLE[0] | {"contract_end": "31/12/2026"}, "contract_end"),
    ("people", PEOPLE[0] | {"contract_end": "2019-12-31"}, "contract_end"),
    ("people", PEOPLE[0] | {"personnel_no": "9"}, "personnel_no"),
    ("qualifications", proof("nobody"), "person_ref"),
    ("qualifications", proof(valid_to="soon"), "valid_to"),
    ("qualifications", proof(checked_at="2027-01-01"), "checked_at"),
    ("qualifications", proof(valid_to="2026-01-01"), "valid_to"),
    ("duties", duty("nobody"), "person_ref"),
    ("duties", duty(unit="XYZ"), "unit"),
    ("duties", duty(to="2026-03-02T18:00:00+01:00"), "to"),
    ("duties", duty(to="2026-03-03T06:00:00"), "to"),
    ("duties", {name: value for name, value in duty().items() if name != "role"}, "role"),
    ("shifts", {"team": "A", "shift": "early", "from": "2026-03-02", "to": "2026-03-01"}, "to"),
    ("companies", {"ref": "X", "name": ""}, "name"),
)


async def test_a_wrong_row_is_named_and_the_others_are_taken(world: World) -> None:
    await base(world)
    good = {
        "people": PEOPLE[1], "qualifications": proof("2001"), "duties": duty("2001"), "companies": COMPANIES[0],
        "shifts": {"team": "B", "shift": "early", "from": "2026-03-02", "to": "2026-03-02"},
    }  # fmt: skip
    for kind, row, field in WRONG:
        report = await load(world, kind, [row, good[kind]])
        assert [(error.row, error.field) for error in report.errors] == [(2, field)], (
            kind,
            row,
            report.errors,
        )
        assert report.added + report.changed + report.unchanged == 1
        assert "Visser" not in repr(report)
    with pytest.raises(InvalidInput):
        await load(world, "pets", [])


async def test_overlapping_rows_are_refused_and_the_first_holds(world: World) -> None:
    await base(world)
    rows = [
        duty(),
        duty(**{"from": "2026-03-03T00:00:00+01:00", "to": "2026-03-03T08:00:00+01:00"}),
        duty("2001"),
    ]
    report = await load(world, "duties", rows)
    assert (report.added, [error.row for error in report.errors]) == (2, [3])
    twice = await load(world, "qualifications", [proof(), proof(valid_to="2030-01-01")])
    assert [(error.row, error.field) for error in twice.errors] == [(3, "kind")]


async def test_an_import_never_brings_an_ended_person_back(world: World) -> None:
    await base(world)
    async with world.db.transaction() as tx:
        person = await world.identity.find_person(tx, "personnel_no", "1001")
        assert person is not None
        await world.identity.end_person(tx, world.act(), person)
    await load(world, "people", PEOPLE)
    assert (await world.facts(person)).active == "no"


async def test_a_whole_site_is_taken_without_an_error(world: World, tmp_path: Path) -> None:
    site = generate_site("S", 7, first_day=FIRST_DAY, days=3)
    write_csv(site, tmp_path)
    world.clock.advance_to(start_of_day(FIRST_DAY, AMSTERDAM))
    for kind in ("areas", "units", "companies", "people", "shifts", "qualifications", "duties"):
        if kind == "people":
            await provision(world, [person for person in site.people if person.scheme == "iam"])
        with (tmp_path / f"{kind}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        report = await load(world, kind, rows)
        assert report.ok, (kind, report.errors[:5])
        assert report.added == len(rows)
    leader = next(duty for duty in site.duties if duty.role == "shift_leader")
    async with world.db.read() as tx:
        person = await world.identity.find_person(tx, leader.person_scheme, leader.person_ref)
        assert person is not None
        facts = await world.identity.person_facts(tx, person, max(leader.starts_at, world.clock.now()))
    assert (facts.active, facts.contract) == ("yes", "yes")
    assert "shift_leader" in {duty.role for duty in facts.duties}


async def provision(world: World, people: list[Person]) -> None:
    """Let an IAM tell of people, as its SCIM requests would."""
    async with world.db.transaction() as tx:
        for person in people:
            company = await world.identity.find_company(tx, person.company)
            assert company is not None
            end = person.contract_end
            statement = PersonStatement(
                source="entra",
                profile=Profile(given_name=person.given_name, family_name=person.family_name),
                active=True,
                contract=ContractTerms(
                    company=company.id, ends_at=end_of_day(end, AMSTERDAM) if end else None
                ),
                external_id=person.ref,
                personnel_no=person.personnel_no or None,
            )
            await world.identity.upsert_person_from_source(tx, world.act(), statement)
