"""Bad requests: each gets a precise problem document, and nothing of the inside."""

from typing import Any

import pytest

from key2xs.access import Permission
from tests.api.conftest import Site

PROBLEM = {"type", "title", "status", "detail"}


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem.keys() >= PROBLEM
    assert problem["status"] == status
    assert problem["type"].startswith("urn:key2xs:problem:")
    assert "Traceback" not in answer.text
    return problem


async def test_deeply_nested_json_is_a_bad_request(site: Site) -> None:
    client = await site.signed_in("security_manager")
    body = b"[" * 200_000
    headers = {"Content-Type": "application/json"}
    assert is_problem(await client.post("/api/v1/revoke", content=body, headers=headers), 400)[
        "type"
    ].endswith("too-deep")
    anyone = site.client()
    is_problem(await anyone.post("/api/v1/session", content=body, headers=headers), 400)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"reason": 1}', b'{"reason":"\\ud800"}']
)
async def test_malformed_bodies_are_bad_requests(site: Site, body: bytes) -> None:
    client = await site.signed_in("security_manager")
    answer = await client.post("/api/v1/revoke", content=body, headers={"Content-Type": "application/json"})
    is_problem(answer, 400)


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(site: Site) -> None:
    client = site.client()
    body = {"login": "x" * 1_100_000, "password": "x"}
    is_problem(await client.post("/api/v1/session", json=body), 413)


async def test_a_body_of_unknown_length_is_refused_when_it_is_too_long(site: Site) -> None:
    async def pieces() -> Any:
        for _ in range(2000):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    answer = await site.client().post("/api/v1/session", content=pieces(), headers=headers)
    is_problem(answer, 413)


async def test_unknown_and_wrong_fields_are_named(site: Site) -> None:
    client = await site.signed_in("security_manager")
    problem = is_problem(await client.post("/api/v1/revoke", json={"reason": "test", "grnt": "x"}), 400)
    assert "grnt" in str(problem)
    problem = is_problem(await client.post("/api/v1/revoke", json={"reason": "test", "grant": "x"}), 400)
    assert "grant" in str(problem["errors"])


async def test_unknown_things_are_not_found(site: Site) -> None:
    client = await site.signed_in("security_manager")
    unknown = "00000000-0000-7000-8000-00000000dead"
    for path in (
        "/nowhere",
        "/api/v1/cylinders/C9",
        f"/api/v1/cylinders/{unknown}",
        "/api/v1/cylinders/C9/who-can-open",
        f"/api/v1/access-points/{unknown}",
        "/api/v1/permits/4711",
        f"/api/v1/persons/{unknown}",
        "/api/v1/persons/not-an-id",
        f"/api/v1/companies/{unknown}",
        "/api/v1/companies/v999/how-fast",
        "/api/v1/keys/9999",
        f"/api/v1/grants/{unknown}",
        f"/api/v1/requests/{unknown}",
        f"/api/v1/explain?person={unknown}&cylinder=C9",
        "/api/v1/exposure?key=9999",
        "/log/entries/0",
        "/log/entries/99999999999999999999",
        "/log/checkpoint",
    ):
        is_problem(await client.get(path), 404)


async def test_instants_without_a_time_zone_are_refused(site: Site) -> None:
    client = await site.signed_in("auditor")
    for at in (
        "2026-03-02T18:00:00",
        "yesterday",
        "0001-01-01T00:00:00%2B14:00",
        "9999-12-31T23:59:59-14:00",
    ):
        is_problem(await client.get(f"/api/v1/permits?at={at}"), 400)


async def test_pages_refuse_limits_and_cursors_that_are_none(site: Site) -> None:
    client = await site.signed_in("auditor")
    for query in ("limit=0", "limit=501", "limit=x", "cursor=x", "cursor=AAAA", "cursor=%00"):
        is_problem(await client.get(f"/api/v1/grants?{query}"), 400)
    is_problem(await client.get("/api/v1/grants?state=done"), 400)
    is_problem(await client.get("/api/v1/openings?class=strange"), 400)


async def test_values_no_column_can_hold_are_bad_requests(site: Site) -> None:
    client = await site.signed_in("auditor")
    is_problem(await client.get("/api/v1/cylinders?q=%00"), 400)
    is_problem(await client.get("/api/v1/grants?basis=%00"), 400)


async def test_a_wrong_method_says_which_are_right(site: Site) -> None:
    answer = await site.client().post("/healthz")
    is_problem(answer, 405)
    assert "GET" in answer.headers["allow"]


async def test_exactly_one_thing_is_named(site: Site) -> None:
    client = await site.signed_in("security_manager")
    is_problem(await client.get("/api/v1/exposure"), 400)
    is_problem(await client.get("/api/v1/exposure?key=1&person=2"), 400)
    is_problem(await client.post("/api/v1/revoke", json={"reason": "test"}), 400)
    is_problem(await client.post("/api/v1/revoke", json={"reason": "test", "key": "1", "person": "2"}), 400)


async def test_a_database_that_is_gone_is_a_503_and_not_a_traceback(site: Site) -> None:
    client = await site.with_token("auditor", Permission.PLANT_CYLINDER_READ)
    await site.services.database.close()
    is_problem(await client.get("/api/v1/cylinders"), 503)
    health = await client.get("/healthz")
    assert health.status_code == 503
    assert health.json()["problems"] == {"database": "does not answer"}
