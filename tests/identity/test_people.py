"""People as facts: one entry a change, both times, erasure, and nothing personal in the clear."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from key2xs.core.database import Connection, Database
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import PersonId, UnitId, new_id
from key2xs.core.postgres import RoleDsns
from key2xs.core.vault import ERASED
from key2xs.identity import ContractTerms, Duty, PersonStatement, Profile, Qualification, persons_of_company
from key2xs.identity.desk import SQL
from tests.identity.worlds import KEY2XS, World, patch_body, user_body

PLANTED = "Zwaluwenberg"
STATEMENT = PersonStatement(
    source="entra",
    profile=Profile(
        display_name=f"Roos {PLANTED}",
        given_name="Roos",
        family_name=PLANTED,
        email=f"roos@{PLANTED}.test",
        phone="+31 10 765 4321",
        user_name=f"roos.{PLANTED}",
        sponsor="own-0007",
    ),
    active=True,
    external_id="obj-1",
    personnel_no="700123",
)
HOUR = timedelta(hours=1)


async def state(world: World, statement: PersonStatement = STATEMENT, at: datetime | None = None) -> PersonId:
    async with world.db.transaction() as tx:
        result = await world.identity.upsert_person_from_source(tx, world.act(at=at), statement)
    return result.person_id


async def test_the_same_statement_twice_is_one_entry(world: World) -> None:
    first = await state(world)
    assert await state(world, at=world.clock.now() + HOUR) == first
    assert await world.kinds() == ["identity:person:create"]


async def test_a_person_nobody_speaks_of_is_unknown_and_not_active(world: World) -> None:
    person = await state(world, replace(STATEMENT, active=None))
    facts = await world.facts(person)
    assert (facts.active, facts.contract) == ("unknown", "unknown")
    with pytest.raises(NotFound):
        await world.facts(new_id())


async def test_facts_are_true_then_and_known_then(world: World) -> None:
    company, start = await world.company(), world.clock.now()
    terms = ContractTerms(company=company, starts_at=start - HOUR, ends_at=start + 10 * HOUR)
    person = await state(world, replace(STATEMENT, contract=terms))
    known_first = (await world.db.transact(lambda tx: tx.fetchval("SELECT max(seq) FROM log_body"))) or 0
    # Learnt at +5 h: it had ended at +3 h.
    corrected = replace(STATEMENT, contract=replace(terms, ends_at=start + 3 * HOUR))
    await state(world, corrected, at=start + 5 * HOUR)

    at = start + 4 * HOUR
    assert (await world.facts(person, at)).contract == "no"
    assert (await world.facts(person, at, known_at=known_first)).contract == "yes"
    assert (await world.facts(person, start)).contract == "yes"
    assert (await world.facts(person, start)).contract_until == start + 3 * HOUR
    assert (await world.facts(person, start - 2 * HOUR)).contract == "no"
    async with world.db.read() as tx:
        assert await persons_of_company(tx, company, start) == [person]
        assert await persons_of_company(tx, company, at) == []


async def test_the_local_word_limits_every_source(world: World) -> None:
    company, now = await world.company(), world.clock.now()
    person = await state(world, replace(STATEMENT, contract=ContractTerms(company=company, open_ended=True)))
    async with world.db.transaction() as tx:
        await world.identity.end_contract(tx, world.act(), person, ends_at=now + HOUR)
        await world.identity.end_person(tx, world.act(), person)
        assert await world.identity.end_person(tx, world.act(), person) is None
    facts = await world.facts(person)
    assert (facts.active, facts.contract, facts.contract_until, facts.company_id) == (
        "no",
        "yes",
        now + HOUR,
        company,
    )
    assert (await world.facts(person, now + HOUR)).contract == "no"
    await state(
        world, replace(STATEMENT, contract=ContractTerms(company=company, open_ended=True)), at=now + HOUR
    )
    assert (await world.facts(person, now + 2 * HOUR)).active == "no"


async def test_next_change_is_the_earliest_of_all(world: World) -> None:
    company, now = await world.company(), world.clock.now()
    unit = UnitId(new_id())
    terms = ContractTerms(company=company, ends_at=now + 20 * HOUR)
    person = await state(world, replace(STATEMENT, contract=terms))
    async with world.db.transaction() as tx:
        act = world.act()
        await world.identity.put_qualification(
            tx, act, person, Qualification("GAS_TESTER", now - HOUR, now + 9 * HOUR, number="D-1")
        )
        await world.identity.put_duty(
            tx, act, person, Duty("field_operator", unit, now + HOUR, now + 13 * HOUR)
        )
    facts = await world.facts(person)
    assert facts.next_change_at == now + HOUR
    assert dict(facts.qualifications) == {"GAS_TESTER": now + 9 * HOUR}
    assert facts.duties == ()
    later = await world.facts(person, now + HOUR)
    assert [(duty.role, duty.unit_id, duty.until) for duty in later.duties] == [
        ("field_operator", unit, now + 13 * HOUR)
    ]
    assert later.next_change_at == now + 9 * HOUR
    assert (await world.facts(person, now + 9 * HOUR)).qualifications == {}


async def test_overlapping_duties_are_refused_and_a_moved_end_is_not(world: World) -> None:
    person, now, unit = await state(world), world.clock.now(), UnitId(new_id())
    shift = Duty("shift_leader", unit, now, now + 12 * HOUR)
    async with world.db.transaction() as tx:
        await world.identity.put_duty(tx, world.act(), person, shift)
        assert await world.identity.put_duty(tx, world.act(), person, shift) is None
        with pytest.raises(Conflict):
            await world.identity.put_duty(
                tx, world.act(), person, Duty("shift_leader", unit, now + HOUR, now + 13 * HOUR)
            )
        await world.identity.put_duty(
            tx, world.act(), person, Duty("shift_leader", unit, now, now + 8 * HOUR)
        )
    assert (await world.facts(person)).duties[0].until == now + 8 * HOUR
    async with world.db.transaction() as tx:
        await world.identity.end_duties(tx, world.act(at=now + HOUR), person)
    assert (await world.facts(person, now + HOUR)).duties == ()
    assert len((await world.facts(person)).duties) == 1, "it was so until then"


TABLES = (
    "company", "contract", "duty", "group", "person", "person_link", "qualification", "role", "scim_user", "shift",
    "status",
)  # fmt: skip


async def test_every_table_but_the_cursor_is_guarded(world: World) -> None:
    async with world.db.read() as tx:
        guarded = await tx.fetch(
            "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgfoid = 'log_require_entry'::regproc"
        )
        tables = await tx.fetch("SELECT tablename FROM pg_tables WHERE tablename LIKE 'identity%'")
    names = {row["tablename"] for row in tables}
    assert {f"identity_{table}" for table in TABLES} == names - {"identity_boundary"}
    assert names - {row["name"] for row in guarded} == {"identity_boundary"}


async def test_a_direct_write_is_refused(world: World) -> None:
    person = await state(world)
    for statement in (
        "UPDATE identity_status SET active = true WHERE person = $1",
        "UPDATE identity_status SET active = false, entry = entry + 1 WHERE person = $1",
    ):
        with pytest.raises(asyncpg.PostgresError, match="without its entry"):
            async with world.db.transaction() as tx:
                await tx.execute(statement, person)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with world.db.transaction() as tx:
            await tx.execute("DELETE FROM identity_status WHERE person = $1", person)


async def test_two_truths_at_once_cannot_be_stored(world: World) -> None:
    person = await state(world)

    async def contradict(tx: Connection) -> None:
        desk = world.identity.desk
        entry = await desk.write_entry(tx, world.act(), "identity:person:change", person, {})
        row = (person, "entra", False, world.clock.now() + HOUR, None, entry, world.clock.now())
        await tx.execute(SQL["write_status"], *row)

    with pytest.raises(asyncpg.ExclusionViolationError):
        await world.db.transact(contradict)


async def test_nothing_personal_stands_in_the_clear_in_any_column(
    world: World, scim: httpx2.AsyncClient, db_dsns: RoleDsns
) -> None:
    await world.company()
    body = user_body(
        f"roos.{PLANTED}",
        externalId=f"obj-{PLANTED}",
        name={"givenName": PLANTED, "familyName": PLANTED, "formatted": PLANTED},
        displayName=PLANTED,
        emails=[{"value": f"{PLANTED}@firm.test", "type": "work", "primary": True}],
        phoneNumbers=[{"value": PLANTED, "type": "work"}],
        title=PLANTED,
        nickName=PLANTED,
        addresses=[{"formatted": PLANTED}],
        key2xs={"company": "ACME", "sponsor": PLANTED, "contractEnd": "2026-12-31"},
    )
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    body[enterprise] = {"employeeNumber": PLANTED, "manager": {"value": PLANTED}, "department": PLANTED}
    made = await scim.post("Users", json=body)
    person = PersonId(UUID(made.json()["id"]))
    await scim.put(f"Users/{person}", json={**body, "displayName": f"Mrs {PLANTED}"})
    now = world.clock.now()
    async with world.db.transaction() as tx:
        await world.identity.put_qualification(
            tx, world.act(), person, Qualification("VCA_VOL", now, None, number=PLANTED, checked_by=PLANTED)
        )
        row = {
            "person_scheme": "personnel_no",
            "person_ref": PLANTED,
            "kind": "LOTO",
            "valid_to": "2027-01-01",
        }
        report = await world.identity.import_csv(
            tx,
            "qualifications",
            [{**row, "number": PLANTED, "checked_by": PLANTED}],
            at=now,
            actor="user:test",
        )
    assert report.added == 1
    assert PLANTED not in repr(report)
    await scim.delete(f"Users/{person}")
    owner = await Database.open(db_dsns.owner)
    try:
        assert await _tables_with(owner, PLANTED) == []
    finally:
        await owner.close()


async def _tables_with(owner: Database, word: str) -> list[str]:
    found = []
    async with owner.read() as tx:
        names = await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for name in (row["tablename"] for row in names):
            # Every column, bytea included: its text form is hex, so the word's bytes are looked for as well.
            hits = await tx.fetchval(
                f'SELECT count(*) FROM "{name}" AS t WHERE t::text ILIKE $1 OR t::text ILIKE $2',
                f"%{word}%",
                f"%{word.encode().hex()}%",
            )
            if hits:
                found.append(name)
    assert names, "the scan looked at nothing"
    return found


async def test_the_scan_for_clear_text_finds_what_is_there(world: World, db_dsns: RoleDsns) -> None:
    await world.company(name=PLANTED)
    owner = await Database.open(db_dsns.owner)
    try:
        assert "identity_company" in await _tables_with(owner, PLANTED)
    finally:
        await owner.close()


async def test_an_erased_person_is_nowhere_to_be_found(world: World, scim: httpx2.AsyncClient) -> None:
    person = PersonId(UUID((await scim.post("Users", json=user_body())).json()["id"]))
    await world.identity.erase_person(world.db, world.act(), person)
    await world.identity.erase_person(world.db, world.act(), person)  # after a crash it is simply done again
    async with world.db.read() as tx:
        assert await world.identity.profile(tx, person) == Profile()
        assert await world.identity.names(tx, [person]) == {person: None}
        assert await world.identity.find_person(tx, "iam", "ext-jan@firm.test") is None
        assert await world.identity.find_person(tx, "person", str(person)) is None
        body = await tx.fetchval("SELECT body FROM log_body ORDER BY seq LIMIT 1")
        assert await world.identity.desk.ledger.reveal(body["given_name"]) is ERASED
    assert (await scim.get(f"Users/{person}")).status_code == 404
    assert (await scim.get("Users")).json()["totalResults"] == 0
    assert (await world.kinds()).count("identity:person:erase") == 1
    assert (await world.facts(person)).active == "yes", "facts about an opaque id stay provable"
    again = await scim.post("Users", json=user_body())
    assert again.status_code == 201
    assert again.json()["id"] != str(person)


async def test_a_destroyed_key_alone_already_hides_a_person(world: World, scim: httpx2.AsyncClient) -> None:
    person = PersonId(UUID((await scim.post("Users", json=user_body())).json()["id"]))
    await world.vault.erase(person)
    async with world.db.read() as tx:
        assert await world.identity.find_person(tx, "iam", "ext-jan@firm.test") is None
        assert await world.identity.profile(tx, person) == Profile()
    found = await scim.get("Users", params={"filter": 'userName eq "jan@firm.test"'})
    assert found.json()["totalResults"] == 0
    assert (await scim.get(f"Users/{person}")).status_code == 404
    assert (await scim.post("Users", json=user_body())).status_code == 409


async def test_an_id_that_two_people_share_means_nobody(world: World) -> None:
    await state(world)
    await state(world, replace(STATEMENT, source="okta", personnel_no=None))
    async with world.db.read() as tx:
        assert await world.identity.find_person(tx, "iam", "obj-1") is None
        assert await world.identity.find_person(tx, "okta", "obj-1") is not None
        assert await world.identity.find_person(tx, "entra", "obj-1") is not None
        assert await world.identity.find_person(tx, "personnel_no", "700123") is not None
        assert await world.identity.find_person(tx, "personnel_no", "7001") is None


async def test_many_writers_of_one_person_end_in_one_truth(world: World) -> None:
    person = await state(world)

    async def flip(*, active: bool, after: int) -> None:
        async with world.db.transaction() as tx:
            act = world.act(at=world.clock.now() + after * HOUR)
            await world.identity.set_active(tx, act, person, active=active, source="entra")

    await asyncio.gather(*(flip(active=number % 2 == 0, after=1) for number in range(8)))
    async with world.db.read() as tx:
        rows = await tx.fetchval(
            "SELECT count(*) FROM identity_status WHERE person = $1 AND upper_inf(known) AND during @> $2::timestamptz",
            person,
            world.clock.now() + 2 * HOUR,
        )
    assert rows == 1


async def test_a_date_only_contract_end_holds_until_midnight_at_the_site(
    world: World, scim: httpx2.AsyncClient
) -> None:
    await world.company()
    # The night of 28 to 29 March 2026: the clocks go forward at 02:00.
    made = await scim.post("Users", json=user_body(key2xs={"company": "ACME", "contractEnd": "2026-03-28"}))
    end = datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert (await world.facts(made.json()["id"], end - timedelta(seconds=1))).contract == "yes"
    assert (await world.facts(made.json()["id"], end)).contract == "no"
    patch: Any = {"op": "replace", "value": {f"{KEY2XS}:contractEnd": "2026-03-29"}}
    await scim.patch(f"Users/{made.json()['id']}", json=patch_body(patch))
    assert (await world.facts(made.json()["id"])).contract_until == datetime(2026, 3, 29, 22, tzinfo=UTC)
