"""What identity systems send, checked against the documented forms."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx2
import pytest

from key2xs_twin.clients.scim import (
    CORE_USER,
    ENTRA_GROUP,
    KEY2XS,
    EntraClient,
    OktaClient,
    ScimPerson,
    ScimRefusedError,
)
from key2xs_twin.site import generate_site

PERSON = ScimPerson(
    external_id="u10200",
    user_name="u10200@refinery.test",
    given_name="Noor",
    family_name="Maasoever",
    employee_number="00004299",
    company="v001",
    sponsor="u10116",
    contract_end=date(2026, 7, 31),
)


@dataclass
class Memory:
    """A service provider that only remembers; independent of the product on purpose."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[httpx2.Request] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        path = request.url.path.removeprefix("/scim/x/v2/")
        body = json.loads(request.content) if request.content else {}
        if request.method == "POST":
            created = {**body, "id": f"id-{len(self.resources) + 1}"}
            self.resources[f"{path}/{created['id']}"] = created
            return httpx2.Response(201, json=created)
        if request.method == "GET" and "/" not in path:
            attribute, value = request.url.params["filter"].split(" eq ")
            hits = [
                r
                for k, r in self.resources.items()
                if k.startswith(path) and r[attribute] == json.loads(value)
            ]
            return httpx2.Response(200, json={"totalResults": len(hits), "Resources": hits})
        if path not in self.resources:
            return httpx2.Response(404, json={"status": "404", "detail": "no such resource"})
        if request.method == "PUT":
            self.resources[path] = body
        return (
            httpx2.Response(204)
            if request.method == "PATCH"
            else httpx2.Response(200, json=self.resources[path])
        )

    def operations(self) -> list[dict[str, Any]]:
        operations: list[dict[str, Any]] = []
        for request in self.requests:
            if request.method == "PATCH":
                body = json.loads(request.content)
                assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
                operations += body["Operations"]
        return operations


def entra(server: Memory, *, flag: bool) -> EntraClient:
    return EntraClient("http://idm.test/scim/x/v2", "secret", httpx2.MockTransport(server), flag=flag)


def okta(server: Memory, integration: str) -> OktaClient:
    client = OktaClient("http://idm.test/scim/x/v2", "secret", httpx2.MockTransport(server))
    client.integration = "aiw" if integration == "aiw" else "oin"
    return client


async def test_entra_without_the_flag_sends_capitals_and_string_booleans() -> None:
    server = Memory()
    async with entra(server, flag=False) as client:
        user = await client.create_user(PERSON)
        group = await client.create_group("key2xs-fitter", "g-1")
        await client.disable(user)
        await client.enable(user)
        await client.set_contract_end(user, date(2026, 7, 9))
        await client.add_member(group, user)
        await client.remove_member(group, user)
    member = [{"$ref": None, "value": user}]
    assert server.operations() == [
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Replace", "path": "active", "value": "True"},
        {"op": "Replace", "path": f"{KEY2XS}:contractEnd", "value": "2026-07-09"},
        {"op": "Add", "path": "members", "value": member},
        {"op": "Remove", "path": "members", "value": member},
    ]
    assert all("aadOptscim062020" not in str(request.url) for request in server.requests)


async def test_entra_with_the_flag_sends_lower_case_booleans_and_values_without_path() -> None:
    server = Memory()
    async with entra(server, flag=True) as client:
        user = await client.create_user(PERSON)
        group = await client.create_group("key2xs-fitter", "g-1")
        await client.disable(user)
        await client.set_contract_end(user, date(2026, 7, 9))
        await client.add_member(group, user)
        await client.remove_member(group, user)
    assert server.operations() == [
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "value": {f"{KEY2XS}:contractEnd": "2026-07-09"}},
        {"op": "add", "path": "members", "value": [{"$ref": None, "value": user}]},
        {"op": "remove", "path": f'members[value eq "{user}"]'},
    ]
    assert all("aadOptscim062020" in request.url.params for request in server.requests)


async def test_entra_looks_before_it_creates_and_sends_our_extension() -> None:
    server = Memory()
    async with entra(server, flag=False) as client:
        first = await client.create_user(PERSON)
        assert await client.create_user(PERSON) == first, "found, not created again"
        await client.create_group("key2xs-fitter", "g-1")
    assert [(r.method, r.url.path.rsplit("/", 1)[1]) for r in server.requests] == [
        ("GET", "Users"),
        ("POST", "Users"),
        ("GET", "Users"),
        ("GET", "Groups"),
        ("POST", "Groups"),
    ]
    look, create = server.requests[0], server.requests[1]
    assert look.url.params["filter"] == 'userName eq "u10200@refinery.test"'
    assert look.headers["authorization"] == "Bearer secret"
    assert create.headers["content-type"] == "application/scim+json"
    body = json.loads(create.content)
    assert {CORE_USER, KEY2XS} <= set(body["schemas"])
    assert body["externalId"] == "u10200"
    assert body["active"] is True
    assert body["roles"] == []
    assert body["title"] is None
    assert body["name"]["familyName"] == "Maasoever"
    assert body[KEY2XS] == {"contractEnd": "2026-07-31", "company": "v001", "sponsor": "u10116"}
    assert server.requests[3].url.params["excludedAttributes"] == "members"
    group = json.loads(server.requests[4].content)
    assert ENTRA_GROUP in group["schemas"]
    assert (group["displayName"], group["externalId"], group["members"]) == ("key2xs-fitter", "g-1", [])


async def test_entra_deletes_and_a_second_delete_is_refused() -> None:
    server = Memory()
    async with entra(server, flag=False) as client:
        with pytest.raises(ScimRefusedError, match="DELETE Users/gone: 404 no such resource"):
            await client.delete("gone")


async def test_okta_gallery_deactivates_by_patch_without_path_and_never_deletes() -> None:
    server = Memory()
    async with okta(server, "oin") as client:
        user = await client.create_user(PERSON)
        group = await client.create_group("key2xs-fitter", "ignored")
        await client.disable(user)
        await client.delete(user)
        await client.enable(user)
        await client.add_member(group, user)
        await client.remove_member(group, user)
        await client.set_contract_end(user, date(2026, 7, 9))
    assert server.operations() == [
        {"op": "replace", "value": {"active": False}},
        {"op": "replace", "value": {"active": False}},
        {"op": "replace", "value": {"active": True}},
        {"op": "add", "path": "members", "value": [{"value": user}]},
        {"op": "remove", "path": f'members[value eq "{user}"]'},
    ]
    assert "DELETE" not in {request.method for request in server.requests}
    put = next(request for request in server.requests if request.method == "PUT")
    sent = json.loads(put.content)
    assert sent[KEY2XS] == {"contractEnd": "2026-07-09", "company": "v001", "sponsor": "u10116"}
    assert sent["userName"] == PERSON.user_name, "the whole profile goes along"


async def test_an_okta_wizard_application_says_everything_by_get_and_put() -> None:
    server = Memory()
    async with okta(server, "aiw") as client:
        user = await client.create_user(PERSON)
        group = await client.create_group("key2xs-fitter", "ignored")
        await client.disable(user)
        assert server.resources[f"Users/{user}"]["active"] is False
        await client.add_member(group, user)
        assert server.resources[f"Groups/{group}"]["members"] == [{"value": user}]
        await client.add_member(group, user)
        assert len(server.resources[f"Groups/{group}"]["members"]) == 1
        await client.remove_member(group, user)
        assert server.resources[f"Groups/{group}"]["members"] == []
    assert server.operations() == []
    created = json.loads(server.requests[1].content)
    assert created["groups"] == []
    assert created["locale"]
    assert created["password"]
    assert created["externalId"] == "u10200"


def test_a_person_of_the_site_becomes_a_scim_person_with_its_contract() -> None:
    site = generate_site("S", 7, days=1)
    contractor = next(p for p in site.people if p.role == "contractor_supervisor" and p.scheme == "iam")
    assert contractor.contract_end is not None
    extension = ScimPerson.of(contractor).extension()
    assert extension["company"] == contractor.company
    assert extension["contractEnd"] == contractor.contract_end.isoformat()
    assert extension["sponsor"] == contractor.sponsor
    own = ScimPerson.of(site.people[0])
    assert "contractEnd" not in own.extension(), "no end, no attribute"
