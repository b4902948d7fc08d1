"""People and groups as Entra ID and Okta send them, by a client that was written from the vendors' documents."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest

from key2xs_twin.clients.scim import EntraClient, OktaClient, ScimClient, ScimPerson, ScimRefusedError
from tests.identity.worlds import KEY2XS, TOKENS, World, patch_body, user_body

JAN = ScimPerson(
    external_id="8f3c-jan",
    user_name="jan.jansen@acme.test",
    given_name="Jan",
    family_name="Jansen",
    employee_number="700123",
    company="ACME",
    sponsor="own-0007",
    contract_start=date(2026, 1, 5),
    contract_end=date(2026, 6, 30),
)
FORMS: dict[str, tuple[type[ScimClient], dict[str, Any]]] = {
    "entra": (EntraClient, {"flag": False}),
    "entra with flag": (EntraClient, {"flag": True}),
    "okta gallery": (OktaClient, {"integration": "oin"}),
    "okta wizard": (OktaClient, {"integration": "aiw"}),
}


@pytest.fixture
async def connect(app: Any) -> AsyncIterator[Callable[[str], ScimClient]]:
    async with AsyncExitStack() as stack:
        opened: list[ScimClient] = []

        def open_client(form: str) -> ScimClient:
            kind, options = FORMS[form]
            source = form.split(maxsplit=1)[0]
            client = kind(
                f"http://site.test/scim/{source}/v2/",
                TOKENS[source],
                transport=httpx2.ASGITransport(app),
                **options,
            )
            opened.append(client)
            stack.push_async_callback(client.aclose)
            return client

        yield open_client


@pytest.mark.parametrize("form", FORMS)
async def test_a_person_arrives_leaves_and_comes_back_without_roles(
    world: World, connect: Callable[[str], ScimClient], form: str
) -> None:
    company = await world.company()
    client = connect(form)
    person = await client.create_user(JAN)
    assert await client.create_user(JAN) == person, "a second cycle finds the first one's user"
    group = await client.create_group("Key2XS Gas Tester", "grp-1")
    await client.add_member(group, person)

    facts = await world.facts(person)
    assert (facts.active, facts.contract, facts.company_id) == ("yes", "yes", company)
    assert facts.contract_until == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert facts.roles == {"gas_tester"}
    async with world.db.read() as tx:
        assert str(await world.identity.find_person(tx, "iam", JAN.external_id)) == person

    world.clock.advance_to(world.clock.now() + timedelta(hours=1))
    await client.disable(person)
    gone = await world.facts(person)
    assert (gone.active, gone.roles) == ("no", frozenset())
    assert (await client.get_user(person))["active"] is False, "a disabled user stays readable"

    world.clock.advance_to(world.clock.now() + timedelta(hours=1))
    await client.enable(person)
    back = await world.facts(person)
    assert (back.active, back.roles) == ("yes", frozenset()), "only the status comes back"
    kinds = await world.kinds()
    assert kinds.count("identity:person:disable") == 1
    assert kinds.count("identity:person:enable") == 1


@pytest.mark.parametrize("form", FORMS)
async def test_a_contract_end_is_changed_and_a_member_is_removed(
    world: World, connect: Callable[[str], ScimClient], form: str
) -> None:
    await world.company()
    client = connect(form)
    person = await client.create_user(JAN)
    group = await client.create_group("loto", "grp-2")
    await client.add_member(group, person)
    await client.set_contract_end(person, date(2026, 3, 2))
    await client.remove_member(group, person)
    await client.remove_member(group, person)  # the IAM repeats itself

    facts = await world.facts(person)
    assert facts.contract_until == datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert facts.next_change_at == facts.contract_until
    assert facts.roles == frozenset()
    assert (await world.facts(person, datetime(2026, 3, 2, 23, tzinfo=UTC))).contract == "no"


async def test_a_deleted_user_is_a_tombstone(world: World, connect: Callable[[str], ScimClient]) -> None:
    await world.company()
    client = connect("entra")
    person = await client.create_user(JAN)
    await client.delete(person)
    for method in ("GET", "DELETE"):
        with pytest.raises(ScimRefusedError) as refused:
            await client.send(method, f"Users/{person}")
        assert refused.value.exchange.status == 404
    assert await client.find_user(JAN.user_name) is None
    facts = await world.facts(person)
    assert facts.active == "no", "the person is kept, and ended"
    assert (await world.kinds())[-1] == "identity:person:delete"


async def test_the_same_person_created_again_is_the_same_person_without_roles(
    world: World, connect: Callable[[str], ScimClient]
) -> None:
    await world.company()
    client = connect("entra")
    person = await client.create_user(JAN)
    group = await client.create_group("loto", "grp-2")
    await client.add_member(group, person)
    await client.delete(person)
    world.clock.advance_to(world.clock.now() + timedelta(days=1))
    assert await client.create_user(JAN) == person
    assert (await world.facts(person)).roles == frozenset()


async def test_a_recycled_user_name_is_another_person(
    world: World, connect: Callable[[str], ScimClient]
) -> None:
    await world.company()
    client = connect("entra")
    person = await client.create_user(JAN)
    await client.delete(person)
    other = ScimPerson(
        external_id="another", user_name=JAN.user_name, given_name="Jan", family_name="Jansen", company="ACME"
    )
    assert await client.create_user(other) != person


async def test_two_sources_meet_by_personnel_number_and_the_stricter_wins(
    world: World, connect: Callable[[str], ScimClient]
) -> None:
    await world.company()
    person = await connect("entra").create_user(JAN)
    okta = connect("okta gallery")
    same = ScimPerson(
        external_id="00u1", user_name="jj", given_name="Jan", family_name="Jansen", employee_number="700123",
        company="ACME", contract_end=date(2026, 4, 30),
    )  # fmt: skip
    # Okta's user has no enterprise extension in this form; the number comes by PUT.
    assert await okta.create_user(same) != person
    body = {**okta.user_body(same), "userName": "jj2", "externalId": "00u2"}
    body["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = {"employeeNumber": "700123"}
    assert (await okta.send("POST", "Users", body))["id"] == person
    facts = await world.facts(person)
    assert facts.contract_until == datetime(2026, 4, 30, 22, tzinfo=UTC), "the earlier end"
    await okta.disable(person)
    assert (await world.facts(person)).active == "no", "one no is enough"


async def test_a_personnel_number_of_somebody_else_is_refused(world: World, scim: httpx2.AsyncClient) -> None:
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    for name, number in (("a", "1"), ("b", "2")):
        body = {**user_body(name), enterprise: {"employeeNumber": number}}
        assert (await scim.post("Users", json=body)).status_code == 201
    other = (await scim.get("Users", params={"filter": 'userName eq "b"'})).json()["Resources"][0]["id"]
    operation = {"op": "Replace", "path": "employeeNumber", "value": "1"}
    answer = await scim.patch(f"Users/{other}", json=patch_body(operation))
    assert answer.status_code == 409
    assert "employeeNumber" in answer.json()["detail"]


async def test_silence_never_lifts_a_contract_end(world: World, scim: httpx2.AsyncClient) -> None:
    await world.company()
    created = await scim.post(
        "Users", json=user_body(key2xs={"company": "ACME", "contractEnd": "2026-04-01"})
    )
    person = created.json()["id"]
    end = datetime(2026, 4, 1, 22, tzinfo=UTC)
    assert (await scim.put(f"Users/{person}", json=user_body())).status_code == 200
    assert (await world.facts(person)).contract_until == end
    removal = {"op": "Remove", "path": f"{KEY2XS}:contractEnd"}
    assert (await scim.patch(f"Users/{person}", json=patch_body(removal))).status_code == 200
    assert (await world.facts(person)).contract_until == end
    lifted = {"op": "Replace", "path": "contractEnd", "value": "9999-12-31"}
    assert (await scim.patch(f"Users/{person}", json=patch_body(lifted))).status_code == 200
    facts = await world.facts(person)
    assert (facts.contract, facts.contract_until) == ("yes", None)


ODD_FORMS: tuple[dict[str, Any], ...] = (
    {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+31 6 1"},
    {"op": "Add", "path": "manager", "value": [{"$ref": "../Users/1", "value": "m1"}]},
    {"op": "Add", "path": "manager", "value": "m1"},
    {"op": "Replace", "path": "manager", "value": ""},
    {"op": "Replace", "path": "department", "value": "Turnaround"},  # known, not kept
    {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "x"},  # not kept
    {"op": "replace", "value": {"displayName": "J", "name.givenName": "Johan"}},
    {"op": "Add", "path": "urn:some:unknown:2.0:User:thing", "value": "x"},
)


async def test_the_odd_forms_of_entra_are_taken(world: World, scim: httpx2.AsyncClient) -> None:
    person = (await scim.post("Users", json=user_body())).json()["id"]
    for operation in ODD_FORMS:
        answer = await scim.patch(f"Users/{person}", json=patch_body(operation))
        assert answer.status_code == 200, (operation, answer.text)
    kept = (await scim.get(f"Users/{person}")).json()
    assert kept["phoneNumbers"] == [{"type": "mobile", "value": "+31 6 1"}]
    assert (kept["displayName"], kept["name"]["givenName"]) == ("J", "Johan")
    assert not {"roles", "department", "urn:some:unknown:2.0:User"} & set(kept)
    assert (await world.facts(person)).active == "yes"


async def test_a_manager_is_stored_and_can_be_asked_for(scim: httpx2.AsyncClient) -> None:
    person = (await scim.post("Users", json=user_body())).json()["id"]
    await scim.patch(f"Users/{person}", json=patch_body({"op": "Add", "path": "manager", "value": "m1"}))
    found = await scim.get("Users", params={"filter": f'id eq "{person}" and manager eq "m1"'})
    assert found.json()["totalResults"] == 1
    missed = await scim.get("Users", params={"filter": f'id eq "{person}" and manager eq "m2"'})
    assert missed.json()["totalResults"] == 0


FILTERS = (
    ('userName eq "JAN@firm.test"', 1),
    ('externalId eq "ext-jan@firm.test"', 1),
    ('externalId eq "EXT-jan@firm.test"', 0),
    ('emails[type eq "work"].value eq "j@firm.test"', 1),
    ('emails[type eq "home"].value eq "j@firm.test"', 0),
    ('emails.value eq "J@FIRM.test"', 1),
    ('employeeNumber eq "77"', 1),
    ('userName eq "a1b2c3d4-0000-0000-0000-000000000000"', 0),  # Entra's test of the connection
    ('id eq "not-an-id"', 0),
    ('name.familyName sw "Jan"', 2),
    ('not (userName eq "jan@firm.test")', 1),
    ('userName eq "jan@firm.test" or userName eq "piet@firm.test"', 2),
    ('contractEnd eq "2026-12-31"', 1),
)


async def test_filters_find_what_they_say(world: World, scim: httpx2.AsyncClient) -> None:
    await world.company()
    emails = [{"type": "work", "value": "j@firm.test", "primary": True}]
    jan = user_body(emails=emails, employeeNumber="77", key2xs={"contractEnd": "2026-12-31"})
    assert (await scim.post("Users", json=jan)).status_code == 201
    assert (await scim.post("Users", json=user_body("piet@firm.test"))).status_code == 201
    for condition, matches in FILTERS:
        answer = await scim.get("Users", params={"filter": condition})
        assert answer.status_code == 200, (condition, answer.text)
        assert answer.json()["totalResults"] == matches, condition


async def test_a_renamed_group_is_another_role(world: World, scim: httpx2.AsyncClient) -> None:
    person = (await scim.post("Users", json=user_body())).json()["id"]
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "fire watch"}
    group = (await scim.post("Groups", json={**body, "members": [{"value": person}]})).json()["id"]
    assert (await world.facts(person)).roles == {"fire_watch"}
    world.clock.advance_to(world.clock.now() + timedelta(minutes=5))
    rename = {"op": "replace", "value": {"id": group, "displayName": "standby"}}
    assert (await scim.patch(f"Groups/{group}", json=patch_body(rename))).status_code == 204
    assert (await world.facts(person)).roles == {"standby"}
    assert (await world.facts(person, world.clock.now() - timedelta(minutes=1))).roles == {"fire_watch"}
    assert (await scim.delete(f"Groups/{group}")).status_code == 204
    assert (await world.facts(person)).roles == frozenset()
    assert (await scim.get(f"Groups/{group}")).status_code == 404


async def test_a_large_group_is_changed_by_one_member_without_loading_it(
    world: World, scim: httpx2.AsyncClient
) -> None:
    people = [(await scim.post("Users", json=user_body(f"u{number}"))).json()["id"] for number in range(60)]
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "big"}
    made = await scim.post("Groups", json={**body, "members": [{"value": each} for each in people[:-1]]})
    group = made.json()["id"]
    answer = await scim.patch(
        f"Groups/{group}",
        json=patch_body(
            {"op": "Add", "path": "members", "value": [{"$ref": None, "value": people[-1]}]},
            {"op": "Remove", "path": f'members[value eq "{people[0]}"]'},
        ),
        headers={"If-Match": made.headers["etag"]},
    )
    assert answer.status_code == 204
    members = (await scim.get(f"Groups/{group}")).json()["members"]
    assert {each["value"] for each in members} == set(people[1:])
    without = await scim.get(f"Groups/{group}", params={"excludedAttributes": "members"})
    assert "members" not in without.json()
    stale = await scim.patch(
        f"Groups/{group}",
        json=patch_body({"op": "Remove", "path": "members"}),
        headers={"If-Match": made.headers["etag"]},
    )
    assert stale.status_code == 412


async def test_patches_at_the_same_time_all_take_effect(world: World, scim: httpx2.AsyncClient) -> None:
    person = (await scim.post("Users", json=user_body())).json()["id"]
    operations = [
        {"op": "Replace", "path": "displayName", "value": "J"},
        {"op": "Replace", "path": "name.givenName", "value": "Johan"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "1"},
        {"op": "Replace", "path": "active", "value": "False"},
    ]
    answers = await asyncio.gather(
        *(scim.patch(f"Users/{person}", json=patch_body(operation)) for operation in operations)
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    kept = (await scim.get(f"Users/{person}")).json()
    assert (kept["displayName"], kept["name"]["givenName"], kept["active"]) == ("J", "Johan", False)
    assert kept["phoneNumbers"][0]["value"] == "1"
    assert len(await world.kinds()) == 5


async def test_two_creations_of_one_user_at_the_same_time_are_one(
    world: World, scim: httpx2.AsyncClient
) -> None:
    answers = await asyncio.gather(*(scim.post("Users", json=user_body()) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert await world.kinds() == ["identity:person:create"]
