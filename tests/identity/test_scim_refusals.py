"""Bad input: each gets a precise SCIM error, nothing changes, nothing of what was sent is stored."""

import json
from typing import Any

import httpx2

from key2xs.identity.scim import scim_app
from tests.identity.worlds import GROUP, KEY2XS, TOKENS, USER, World, authenticate, patch_body, user_body

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


def assert_scim_error(answer: httpx2.Response, status: int, naming: str = "", about: object = None) -> None:
    assert answer.status_code == status, (about, answer.text)
    assert answer.headers["content-type"] == "application/scim+json"
    body = answer.json()
    assert body["schemas"] == [ERROR]
    assert body["status"] == str(status)
    assert naming.casefold() in body.get("detail", "").casefold()


REFUSED_OPERATIONS: tuple[dict[str, Any], ...] = (
    {"op": "Replace", "path": "active", "value": "no"},
    {"op": "Replace", "path": "active", "value": "Flase"},
    {"op": "Replace", "path": "active", "value": 0},
    {"op": "Replace", "path": "active", "value": None},
    {"op": "Replace", "path": "active", "value": ["False"]},
    {"op": "Replace", "path": "active.value", "value": False},
    {"op": "Replace", "path": "activ", "value": "False"},
    {"op": "Replace", "path": "isActive", "value": "False"},
    {"op": "Replace", "path": "accountEnabled", "value": "False"},
    {"op": "replace", "value": {"Enabled": False}},
    {"op": "replace", "value": {"active": "disabled"}},
    {"op": "replace", "value": {f"{USER}:active": "off"}},
    {"op": "Replace", "path": "contract_end", "value": "2026-03-01"},
    {"op": "Replace", "path": "endDate", "value": "2026-03-01"},
    {"op": "Replace", "path": f"{KEY2XS}:contractEndDate", "value": "2026-03-01"},
    {"op": "Replace", "path": f"{KEY2XS}:contractEnd", "value": "next Friday"},
    {"op": "Replace", "path": f"{KEY2XS}:contractEnd", "value": 20260301},
    {"op": "Replace", "path": KEY2XS, "value": {"contractend2": "2026-03-01"}},
    {"op": "replace", "value": {KEY2XS: {"ContractEnds": "2026-03-01"}}},
    {"op": "Replace", "path": "contractEnd", "value": "2026-03-01T12:00:00"},
    {"op": "Remove"},
    {"op": "Obliterate", "path": "active"},
    {"op": "Replace", "path": "((", "value": 1},
    {"op": "Replace", "path": ["active"], "value": False},
)


async def test_nothing_that_may_mean_an_end_is_ignored(world: World, scim: httpx2.AsyncClient) -> None:
    person = (await scim.post("Users", json=user_body())).json()["id"]
    for operation in REFUSED_OPERATIONS:
        assert_scim_error(
            await scim.patch(f"Users/{person}", json=patch_body(operation)), 400, about=operation
        )
    assert await world.kinds() == ["identity:person:create"]
    assert (await world.facts(person)).active == "yes"


REFUSED_USERS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"active": "yes"}, "active"),
    ({"active": None}, "active"),
    ({"Active": 1}, "active"),
    ({"active": True, "ACTIVE": False}, "twice"),
    ({"isActive": False}, "isActive"),
    ({KEY2XS: {"company": "NOBODY"}}, f"{KEY2XS}:company"),
    ({KEY2XS: {"contractEnd": "31-12-2026"}}, f"{KEY2XS}:contractEnd"),
    ({KEY2XS: {"contractStart": "2026-05-01", "contractEnd": "2026-04-01"}}, "contractEnd"),
    ({KEY2XS: {"contract_end": "2026-12-31"}}, "contract_end"),
    ({"contractEnd": 5}, "contractEnd"),
    ({"userName": None}, ""),
    ({"userName": ""}, ""),
    ({"emails": "not a list"}, ""),
)


async def test_a_user_that_cannot_be_understood_is_not_created(
    world: World, scim: httpx2.AsyncClient
) -> None:
    for change, naming in REFUSED_USERS:
        body = user_body() | change
        if "active" not in change and "Active" in change:
            del body["active"]
        assert_scim_error(await scim.post("Users", json=body), 400, naming, change)
    assert await world.kinds() == []


MALFORMED = (
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"nonsense",
        b"\xff\xfe",
        b'{"userName": NaN}',
        b'{"userName": "a", "userName": "b"}',
        b'{"userName": "\\ud800"}',
        b'{"userName": "a\\u0000b"}',
        b"[" * 200_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        json.dumps({"schemas": [USER], "userName": "x", "name": {"a": {"b": [[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]}}}).encode(),
)  # fmt: skip


async def test_a_malformed_body_is_a_400(world: World, scim: httpx2.AsyncClient) -> None:
    for path in ("Users", "Groups", "Users/.search"):
        for body in MALFORMED:
            assert_scim_error(await scim.post(path, content=body), 400, about=(path, body[:40]))
    assert await world.kinds() == []


async def test_a_body_over_the_limit_is_a_413(world: World, scim: httpx2.AsyncClient) -> None:
    body = json.dumps(user_body(displayName="x" * 1_048_577)).encode()
    assert_scim_error(await scim.post("Users", content=body), 413)

    async def chunks() -> Any:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    assert_scim_error(await scim.post("Users", content=chunks()), 413)  # without a content-length
    assert await world.kinds() == []


async def test_another_media_type_is_a_415(scim: httpx2.AsyncClient) -> None:
    answer = await scim.post("Users", content=b"<user/>", headers={"Content-Type": "application/xml"})
    assert_scim_error(answer, 415)


UNAUTHENTICATED: tuple[tuple[str, dict[str, str]], ...] = (
    ("http://site.test/scim/entra/v2/Users", {"Authorization": ""}),
    ("http://site.test/scim/entra/v2/Users", {"Authorization": "Bearer wrong"}),
    ("http://site.test/scim/entra/v2/Users", {"Authorization": f"Basic {TOKENS['entra']}"}),
    ("http://site.test/scim/okta/v2/Users", {}),  # another source's token
    ("http://site.test/scim/nobody/v2/Users", {}),
    ("http://site.test/scim/entra/v2/ServiceProviderConfig", {"Authorization": "Bearer x"}),
)


async def test_without_the_source_s_own_token_nothing_is_answered(scim: httpx2.AsyncClient) -> None:
    for path, headers in UNAUTHENTICATED:
        answer = await scim.get(path, headers=headers)
        assert_scim_error(answer, 401, about=(path, headers))
        assert answer.headers["www-authenticate"].startswith("Bearer")


ABSENT = (
    ("GET", "Users/not-an-id", 404),
    ("GET", "Users/00000000-0000-7000-8000-000000000000", 404),
    ("GET", "Robots", 404),
    ("GET", "Groups/00000000-0000-7000-8000-000000000000", 404),
    ("DELETE", "Users", 405),
    ("POST", "Bulk", 501),
    ("GET", "Me", 501),
    ("GET", "Users?filter=userName%20eq", 400),
    ("GET", "Users?filter=nothing%20eq%20%22a%22%20%27", 400),
    ("GET", "Users?filter=%FF", 400),
    ("GET", "http://site.test/scim/entra/v1/Users", 404),
    ("GET", "http://site.test/scim/v2/Users", 401),
)


async def test_what_is_not_there_says_so(scim: httpx2.AsyncClient) -> None:
    for method, path, status in ABSENT:
        assert_scim_error(await scim.request(method, path), status, about=path)


async def test_a_duplicate_is_a_409(world: World, scim: httpx2.AsyncClient) -> None:
    assert (await scim.post("Users", json=user_body())).status_code == 201
    assert_scim_error(await scim.post("Users", json=user_body(externalId="other")), 409, "userName")
    assert_scim_error(await scim.post("Users", json=user_body("piet", externalId="ext-jan@firm.test")), 409)
    assert await world.kinds() == ["identity:person:create"]


REFUSED_MEMBERS: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {"op": "Add", "path": "members", "value": [{"value": "00000000-0000-7000-8000-000000000000"}]},
        "members",
    ),
    ({"op": "Add", "path": "members", "value": [{"value": "jan"}]}, "members"),
    ({"op": "Add", "path": "members", "value": [{"$ref": "x"}]}, "members"),
    ({"op": "Add", "path": "members", "value": [{"value": None}]}, "members"),
    ({"op": "Add", "path": "member", "value": [{"value": "x"}]}, "member"),
    ({"op": "Remove", "path": "membres", "value": [{"value": "x"}]}, "membres"),
    ({"op": "Add", "path": "members", "value": [{"value": "x", "type": "Group"}]}, "members"),
    ({"op": "replace", "value": {"Member": []}}, "member"),
)


async def test_a_membership_that_cannot_be_understood_is_refused(
    world: World, scim: httpx2.AsyncClient
) -> None:
    group = (await scim.post("Groups", json={"schemas": [GROUP], "displayName": "loto"})).json()["id"]
    for operation, naming in REFUSED_MEMBERS:
        assert_scim_error(
            await scim.patch(f"Groups/{group}", json=patch_body(operation)), 400, naming, operation
        )
    assert await world.kinds() == ["identity:group:create"]


async def test_a_user_of_another_source_is_neither_seen_nor_a_member(
    world: World, scim: httpx2.AsyncClient
) -> None:
    okta = {"Authorization": f"Bearer {TOKENS['okta']}"}
    other = (await scim.post("http://site.test/scim/okta/v2/Users", json=user_body(), headers=okta)).json()[
        "id"
    ]
    assert (await scim.get(f"Users/{other}")).status_code == 404
    assert (await scim.get("Users")).json()["totalResults"] == 0
    body = {"schemas": [GROUP], "displayName": "loto", "members": [{"value": other}]}
    assert_scim_error(await scim.post("Groups", json=body), 400, "members")


async def test_locations_carry_the_source_s_prefix(world: World, scim: httpx2.AsyncClient) -> None:
    made = await scim.post("Users", json=user_body())
    location = made.json()["meta"]["location"]
    assert location == made.headers["location"] == f"http://site.test/scim/entra/v2/Users/{made.json()['id']}"
    assert (await scim.get(location)).json()["id"] == made.json()["id"]
    group = {"schemas": [GROUP], "displayName": "loto", "members": [{"value": made.json()["id"]}]}
    members = (await scim.post("Groups", json=group)).json()["members"]
    assert members[0]["$ref"] == location


async def test_a_mount_that_strips_the_prefix_and_a_public_url_change_nothing(world: World) -> None:
    app = scim_app(world.db, world.vault, world.clock, authenticate, public_url="https://keys.site.example")

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "path": scope["path"].removeprefix("/scim") + "/"}, receive, send)

    async with httpx2.AsyncClient(
        base_url="http://inside/scim/entra/v2",
        headers={"Authorization": f"Bearer {TOKENS['entra']}"},
        transport=httpx2.ASGITransport(mounted),
    ) as client:
        made = (await client.post("Users", json=user_body())).json()
    assert made["meta"]["location"] == f"https://keys.site.example/scim/entra/v2/Users/{made['id']}"


async def test_a_stale_version_is_refused(world: World, scim: httpx2.AsyncClient) -> None:
    made = await scim.post("Users", json=user_body())
    path, etag = f"Users/{made.json()['id']}", made.headers["etag"]
    change = patch_body({"op": "replace", "path": "displayName", "value": "Jan J"})
    assert (await scim.patch(path, json=change, headers={"If-Match": etag})).status_code == 200
    assert_scim_error(await scim.patch(path, json=change, headers={"If-Match": etag}), 412)
    assert (await scim.delete(path, headers={"If-Match": etag})).status_code == 412
    assert (await world.facts(made.json()["id"])).active == "yes"
