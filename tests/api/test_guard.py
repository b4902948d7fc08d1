"""Who may pass: every route says so, and the guard keeps to it."""

from typing import Any

import pytest

from key2xs.access import PERMISSIONS, Permission, Role, permissions_of
from tests.api.conftest import Site

SAFE = {"GET", "HEAD", "OPTIONS"}
PUBLIC_AND_UNSAFE = {
    ("POST", "/api/v1/session"),  # signing in
    ("POST", "/api/v1/session/code"),  # beginning with a one-time code of the key desk
    ("POST", "/webhooks/ptw/{source:str}"),  # signed by the permit system
    ("POST", "/webhooks/cabinets/{source:str}"),  # signed by the key cabinets
    ("POST", "/webhooks/iloq/{system:str}"),  # signed by the key system
}


def routes(site: Site) -> list[tuple[str, str, Any]]:
    """Every method, path and handler of the application."""
    found = []
    for route in site.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            found += [(str(method), route.path, handler) for method in handler.http_methods]
    return found


async def test_every_route_says_who_may_use_it(site: Site) -> None:
    silent = [
        (method, path)
        for method, path, handler in routes(site)
        if not (handler.opt.get("public") or handler.opt.get("signed_in") or handler.opt.get("permission"))
        and method != "OPTIONS"  # made by the framework; the guard refuses them
    ]
    assert silent == []


async def test_nothing_unsafe_is_public_but_signing_in_and_signed_messages(site: Site) -> None:
    api = [(m, p, h) for m, p, h in routes(site) if p.startswith(("/api", "/webhooks", "/log", "/healthz"))]
    public = {(m, p) for m, p, handler in api if handler.opt.get("public") and m not in SAFE}
    assert public == PUBLIC_AND_UNSAFE


def filled(path: str) -> str:
    """A path with something in every place."""
    parts = []
    for part in path.split("/"):
        if part.startswith("{"):
            name, _, kind = part.strip("{}").partition(":")
            parts.append(
                "00000000-0000-7000-8000-000000000001" if kind == "uuid" else "0" if kind == "int" else name
            )
        else:
            parts.append(part)
    return "/".join(parts)


async def test_every_route_refuses_nobody(site: Site) -> None:
    client = site.client()
    for method, path, handler in routes(site):
        if handler.opt.get("public") or not path.startswith("/api"):
            continue
        answer = await client.request(method, filled(path))
        assert answer.status_code == 401, (method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_every_permission_is_checked_and_not_the_role(site: Site) -> None:
    nobody = await site.signed_in()
    tested = 0
    for method, path, handler in routes(site):
        if not handler.opt.get("permission") or not path.startswith("/api"):
            continue
        answer = await nobody.request(method, filled(path), json={})
        assert answer.status_code == 403, (method, path, answer.text)
        assert "needs the permission" in answer.json()["detail"]
        tested += 1
    assert tested > 40


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_passes_exactly_where_its_permissions_say(site: Site, role: Role) -> None:
    client = await site.signed_in(role)
    for method, path, handler in routes(site):
        needed = handler.opt.get("permission")
        if method != "GET" or not needed or not path.startswith("/api") or "events" in path:
            continue
        names = needed if isinstance(needed, tuple) else (needed,)
        answer = await client.get(filled(path))
        if set(names) <= PERMISSIONS[role]:
            assert answer.status_code != 403, (path, answer.text)
        else:
            assert answer.status_code == 403, (path, answer.text)


def test_permissions_are_alphabetical_and_well_formed() -> None:
    names = [str(permission) for permission in Permission]
    assert names == sorted(names)
    assert all(len(name.split(":")) == 3 for name in names)


def test_every_permission_belongs_to_a_role_and_nobody_has_all() -> None:
    assert permissions_of(Role) == frozenset(Permission)
    assert all(permissions < frozenset(Permission) for permissions in PERMISSIONS.values())


def test_an_unknown_role_gives_nothing() -> None:
    assert permissions_of(["root", "Administrator"]) == frozenset()


async def test_a_page_of_somebody_else_cannot_act_with_a_session(site: Site) -> None:
    client = await site.signed_in("security_manager")
    path = "/api/v1/revoke"
    body = {"reason": "test it", "grant": "00000000-0000-7000-8000-000000000001"}
    right = client.headers.pop("X-CSRF-Token")
    for headers in (
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": right, "Origin": "https://evil.test"},
        {"X-CSRF-Token": right, "Sec-Fetch-Site": "cross-site"},
    ):
        answer = await client.post(path, json=body, headers=headers)
        assert answer.status_code == 403, headers
        assert answer.json()["type"] == "urn:key2xs:problem:csrf"
    answer = await client.post(path, json=body, headers={"X-CSRF-Token": right, "Origin": "http://site.test"})
    assert answer.status_code == 404


async def test_the_csrf_token_of_another_session_is_refused(site: Site) -> None:
    one, other = await site.signed_in("security_manager"), await site.signed_in("security_manager")
    one.headers["X-CSRF-Token"] = other.headers["X-CSRF-Token"]
    answer = await one.post("/api/v1/revoke", json={"reason": "test it"})
    assert answer.json()["type"] == "urn:key2xs:problem:csrf"


async def test_a_wrong_bearer_token_is_not_helped_by_a_cookie(site: Site) -> None:
    client = await site.signed_in("auditor")
    answer = await client.get("/api/v1/session", headers={"Authorization": "Bearer k2x_wrong"})
    assert answer.status_code == 401


async def test_every_answer_carries_the_security_headers(site: Site) -> None:
    client = await site.signed_in("auditor")
    for path in ("/healthz", "/nowhere", "/api/v1/cylinders", "/api/v1/users", "/api/v1/cylinders/nothing"):
        answer = await client.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers  # plain http: a promise nobody keeps
