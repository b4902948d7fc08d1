"""Every act has its reason: refused without one, sealed on the log with it."""

from collections.abc import Iterable
from typing import Any, Final

import httpx2
import pytest

from tests.api.conftest import Site

WHY: Final = {"reason": "Piet Paulusma asked for it"}
NEEDS_NONE: Final = {
    # Questions.
    "/api/v1/explain", "/api/v1/exposure", "/api/v1/mass-actions/look",
    # What came in: messages of machines, files (their reason comes as a header, where the matrix asks for it).
    "/webhooks/cabinets/{source}", "/api/v1/cabinets/{source}/events", "/webhooks/ptw/{source}",
    "/webhooks/iloq/{system}", "/api/v1/imports/{kind}",
    # What happened at the desk and in the plant is told, not wanted.
    "/api/v1/keys/{name}/crew", "/api/v1/keys/{name}/undo", "/api/v1/keys/{name}/hand-out",
    "/api/v1/custody/exit-check", "/api/v1/drills", "/api/v1/paper-permits/{permit}/sign-off",
    "/api/v1/paper-permits/{permit}/enter", "/api/v1/safety/inside/{question}", "/api/v1/safety/watches",
    "/api/v1/safety/watches/{watch}/seen", "/api/v1/safety/watches/{watch}/end",
    "/api/v1/sealed-keys/{name}/seal", "/api/v1/sealed-keys/uses/{use}/review",
    # Its purpose is always the same: the person asks.
    "/api/v1/persons/{person}/code",
    # The reason that was given stands; confirming has none of its own. New rules carry a comment.
    "/api/v1/proposals/{proposal}/confirm", "/api/v1/bundles", "/api/v1/bundles/{bundle}/activate",
    # One's own sign-in.
    "/api/v1/session", "/api/v1/session/code", "/api/v1/session/password",
}  # fmt: skip


def fields_of(schema: dict[str, Any], parts: dict[str, Any]) -> set[str]:
    """Return the fields that a body may have."""
    if "$ref" in schema:
        return fields_of(parts[schema["$ref"].rpartition("/")[2]], parts)
    found = set(schema.get("properties", {}))
    for way in ("allOf", "anyOf", "oneOf"):
        found |= {name for part in schema.get(way, ()) for name in fields_of(part, parts)}
    return found


def unreasoned(schema: dict[str, Any]) -> Iterable[str]:
    """Return the addresses of acts that have no field for a reason."""
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).values()
            said = {
                name
                for each in content
                for name in fields_of(each["schema"], schema["components"]["schemas"])
            }
            if method in {"post", "put", "patch", "delete"} and not said & {"reason", "purpose"}:
                yield path


async def test_every_act_has_a_place_for_its_reason_but_those_that_need_none(site: Site) -> None:
    assert set(unreasoned(site.app.openapi_schema.to_schema())) == NEEDS_NONE


async def acts_on_accounts(site: Site, admin: httpx2.AsyncClient) -> list[tuple[str, dict[str, Any], str]]:
    """Return addresses, what else they need, and the kind of their entry; the last one ends the account."""
    user = str(await site.user("auditor", login="somebody"))
    person = str(await site.person("Somebody else"))
    token = {"label": "siem", "permissions": ["plant:cylinder:read"]}
    made = (await admin.post("/api/v1/tokens", json={**token, "reason": "before"})).json()
    client = site.client()
    await client.post("/api/v1/session", json={"login": "somebody", "password": "a password for the tests"})
    sessions = (await admin.get("/api/v1/sessions")).json()["items"]
    session = next(each["id"] for each in sessions if each["user"] == user)
    return [
        ("/api/v1/users", {"login": "new", "roles": ["soc"]}, "access:user:create"),
        (f"/api/v1/sessions/{session}/end", {}, "access:session:end"),
        ("/api/v1/tokens", token, "access:token:create"),
        (f"/api/v1/tokens/{made['id']}/revoke", {}, "access:token:revoke"),
        (f"/api/v1/users/{user}/roles", {"roles": ["hse"]}, "access:user:change"),
        (f"/api/v1/users/{user}/person", {"person": person}, "access:user:change"),
        (f"/api/v1/users/{user}/password", {}, "access:user:password"),
        (f"/api/v1/users/{user}/disable", {}, "access:user:disable"),
    ]


async def test_accounts_sign_ins_and_tokens_change_for_a_reason_that_is_sealed_on_the_log(site: Site) -> None:
    admin = await site.signed_in("administrator")
    for path, body, kind in await acts_on_accounts(site, admin):
        before = len(await site.kinds())
        for reason in ({}, {"reason": "  "}, {"reason": "x"}):
            refused = await admin.post(path, json={**body, **reason})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "reason"), path
        assert len(await site.kinds()) == before, path
        done = await admin.post(path, json={**body, **WHY})
        assert done.status_code in (200, 201, 204), (path, done.text)
        assert (await site.kinds())[before:] == [kind], path  # one entry, and it has the reason
        assert await last_reason(site) == WHY["reason"], path


async def test_a_reason_may_come_as_a_header_and_without_a_body(site: Site) -> None:
    admin, user = await site.signed_in("administrator"), await site.user("auditor")
    why = {"Key2XS-Reason": WHY["reason"]}
    assert (await admin.post(f"/api/v1/users/{user}/disable", headers=why)).status_code == 200
    assert await last_reason(site) == WHY["reason"]


@pytest.mark.parametrize("own", [True, False])
async def test_refusing_or_taking_back_a_proposal_has_its_reason(site: Site, *, own: bool) -> None:
    one, other = await site.signed_in("ciso"), await site.signed_in("security_manager")
    body = {"reason": "case 4711", "until": "2026-03-02T17:00:00Z"}
    proposal = (await one.post("/api/v1/holds", json=body)).json()["proposal"]
    who, path = one if own else other, f"/api/v1/proposals/{proposal}/refuse"
    assert (await who.post(path)).status_code == 400
    assert (await who.post(path, json=WHY)).json()["proposal"]["state"] == "refused"
    assert await last_reason(site) == WHY["reason"]


async def test_what_waits_is_listed_for_whoever_may_confirm_it_and_for_nobody_else(site: Site) -> None:
    one = await site.signed_in("ciso")
    body = {"reason": "case 4711", "until": "2026-03-02T17:00:00Z"}
    proposal = (await one.post("/api/v1/holds", json=body)).json()["proposal"]
    seen = {}
    for role in ("security_manager", "soc", "administrator", "worker"):
        client = await site.signed_in(role)
        listed = await client.get("/api/v1/proposals")
        assert listed.status_code == 200, role
        seen[role] = [each["id"] for each in listed.json()["items"]]
        if role in {"soc", "administrator", "worker"}:
            assert (await client.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 403, role
            assert (await client.post(f"/api/v1/proposals/{proposal}/refuse", json=WHY)).status_code == 403, (
                role
            )
    assert seen == {"security_manager": [proposal], "soc": [proposal], "administrator": [], "worker": []}
    # A token that was made for confirming's own permission alone lists it too, and still confirms nothing.
    token = await site.with_token("security_manager", "identity:hold:change")  # type: ignore[arg-type]
    assert [each["id"] for each in (await token.get("/api/v1/proposals")).json()["items"]] == [proposal]
    assert (await token.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 403


async def last_reason(site: Site) -> object:
    """Return the reason of the newest entry, after making sure that it does not stand there in clear."""
    async with site.services.database.read() as tx:
        row = await tx.fetchrow("SELECT body, body::text AS text FROM log_body ORDER BY seq DESC LIMIT 1")
    assert row is not None
    assert WHY["reason"] not in row["text"]
    return await site.services.ledger.reveal(row["body"]["reason"])
