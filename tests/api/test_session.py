"""Signing in: no planted sessions, no guessing, no leftovers."""

from datetime import timedelta

from tests.api.conftest import PASSWORD, Site


async def test_signing_in_gives_a_cookie_that_scripts_cannot_read(site: Site) -> None:
    await site.user("auditor", login="Ada")
    answer = await site.client().post("/api/v1/session", json={"login": " ADA ", "password": PASSWORD})
    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "domain" not in cookie
    assert answer.json()["roles"] == ["auditor"]
    assert answer.json()["csrf"]


async def test_a_planted_session_id_is_worth_nothing_before_and_after(site: Site) -> None:
    await site.user("auditor", login="ada")
    client = site.client(cookies={"key2xs": "planted-by-somebody"})
    assert (await client.get("/api/v1/session")).status_code == 401
    answer = await client.post("/api/v1/session", json={"login": "ada", "password": PASSWORD})
    assert answer.cookies["key2xs"] != "planted-by-somebody"
    thief = site.client(cookies={"key2xs": "planted-by-somebody"})
    assert (await thief.get("/api/v1/session")).status_code == 401


async def test_signing_in_again_ends_the_session_the_browser_had(site: Site) -> None:
    client = await site.signed_in("auditor")
    old = client.cookies["key2xs"]
    login = next(name for name in site.users)
    await client.post("/api/v1/session", json={"login": login, "password": PASSWORD})
    assert client.cookies["key2xs"] != old
    assert (await site.client(cookies={"key2xs": old}).get("/api/v1/session")).status_code == 401
    assert (await client.get("/api/v1/session")).status_code == 200


async def test_wrong_names_and_wrong_passwords_read_the_same(site: Site) -> None:
    await site.user("auditor", login="ada")
    disabled = await site.user("auditor", login="gone")
    async with site.services.database.transaction() as tx:
        await site.access.users.disable(tx, disabled, actor="system:test", at=site.clock.now())
    client = site.client()
    answers = [
        await client.post("/api/v1/session", json={"login": login, "password": password})
        for login, password in (("ada", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD), ("", ""))
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    refusals = [kind for kind in await site.kinds() if kind == "access:session:refuse"]
    assert len(refusals) == 3  # an empty name is none


async def test_a_refused_sign_in_is_on_the_log_without_the_name(site: Site) -> None:
    await site.user("auditor", login="ada@firm.test")
    await site.client().post("/api/v1/session", json={"login": "ada@firm.test", "password": "wrong"})
    assert (await site.kinds())[-1] == "access:session:refuse"
    async with site.services.database.read() as tx:
        told = await tx.fetch("SELECT body::text || actor || subjects::text AS told FROM log_body")
        stored = await tx.fetch("SELECT access_user::text AS row FROM access_user")
    assert not [row for row in told if "ada@" in row["told"]]
    assert not [row for row in stored if "ada@" in row["row"]]


async def test_guessing_is_slowed_down_for_a_name_and_forgiven_after_a_right_password(site: Site) -> None:
    await site.user("auditor", login="ada")
    client = site.client()

    async def attempt(password: str) -> int:
        answer = await client.post("/api/v1/session", json={"login": "ada", "password": password})
        return answer.status_code

    assert [await attempt("wrong") for _ in range(10)] == [401] * 10
    answer = await client.post("/api/v1/session", json={"login": "ada", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    site.wall.advance_to(site.wall.now() + timedelta(seconds=31))
    assert await attempt(PASSWORD) == 201
    assert [await attempt("wrong") for _ in range(10)] == [401] * 10


async def test_guessing_many_names_from_one_address_is_slowed_down(site: Site) -> None:
    client = site.client()
    codes = [
        (await client.post("/api/v1/session", json={"login": f"u{n}", "password": "x"})).status_code
        for n in range(62)
    ]
    assert codes[:60] == [401] * 60
    assert codes[-1] == 429


async def test_a_session_ends_when_nobody_is_there_and_at_the_end_of_a_shift(site: Site) -> None:
    client = await site.signed_in("auditor")
    begun = site.wall.now()
    while site.wall.now() < begun + timedelta(hours=11, minutes=30):
        site.wall.advance_to(site.wall.now() + timedelta(minutes=25))
        assert (await client.get("/api/v1/session")).status_code == 200
    site.wall.advance_to(begun + timedelta(hours=12))
    assert (await client.get("/api/v1/session")).status_code == 401
    other = await site.signed_in("auditor")
    site.wall.advance_to(site.wall.now() + timedelta(minutes=31))
    assert (await other.get("/api/v1/session")).status_code == 401


async def test_stepping_the_demos_time_signs_nobody_out(site: Site) -> None:
    client = await site.signed_in("auditor")
    site.clock.advance_to(site.clock.now() + timedelta(days=2))
    assert (await client.get("/api/v1/session")).status_code == 200


async def test_signing_out_ends_the_session_on_the_server(site: Site) -> None:
    client = await site.signed_in("auditor")
    secret = client.cookies["key2xs"]
    assert (await client.delete("/api/v1/session")).status_code == 204
    assert (await site.client(cookies={"key2xs": secret}).get("/api/v1/session")).status_code == 401


async def test_a_one_time_password_works_once_and_then_a_new_one_is_set_without_it(site: Site) -> None:
    admin = await site.signed_in("administrator")
    made = (
        await admin.post("/api/v1/users", json={"login": "new", "roles": ["soc"], "reason": "starts today"})
    ).json()
    sign_in = {"login": "new", "password": made["one_time_password"]}
    client = site.client()
    first = await client.post("/api/v1/session", json=sign_in)
    assert first.status_code == 201
    assert first.json()["change_password"] is True
    assert (await site.client().post("/api/v1/session", json=sign_in)).status_code == 401
    client.headers["X-CSRF-Token"] = first.json()["csrf"]
    weak = await client.post("/api/v1/session/password", json={"new": "short"})
    assert weak.status_code == 400
    old = client.cookies["key2xs"]
    changed = await client.post("/api/v1/session/password", json={"new": "a long new password"})
    assert changed.status_code == 200
    assert client.cookies["key2xs"] != old  # rotated
    assert (await site.client(cookies={"key2xs": old}).get("/api/v1/session")).status_code == 401
    again = await site.client().post(
        "/api/v1/session", json={"login": "new", "password": "a long new password"}
    )
    assert again.status_code == 201


async def test_changing_a_password_needs_the_old_one(site: Site) -> None:
    client = await site.signed_in("auditor")
    refused = await client.post("/api/v1/session/password", json={"new": "a long new password"})
    assert refused.status_code == 401
    done = await client.post("/api/v1/session/password", json={"new": "a long new password", "old": PASSWORD})
    assert done.status_code == 200


async def test_a_change_of_roles_ends_the_sessions_that_had_the_old_ones(site: Site) -> None:
    admin, soc = await site.signed_in("administrator"), await site.signed_in("soc")
    user = list(site.users.values())[-1]
    answer = await admin.post(
        f"/api/v1/users/{user}/roles", json={"roles": ["auditor"], "reason": "other work"}
    )
    assert answer.status_code == 200, answer.text
    assert (await soc.get("/api/v1/session")).status_code == 401


async def test_nobody_changes_their_own_roles(site: Site) -> None:
    admin = await site.signed_in("administrator")
    me = (await admin.get("/api/v1/session")).json()["user"]
    answer = await admin.post(
        f"/api/v1/users/{me}/roles", json={"roles": ["security_manager"], "reason": "other work"}
    )
    assert answer.status_code == 403


async def test_signing_in_from_another_sites_page_is_refused(site: Site) -> None:
    await site.user("auditor", login="ada")
    body = {"login": "ada", "password": PASSWORD}
    answer = await site.client().post("/api/v1/session", json=body, headers={"Origin": "https://evil.test"})
    assert answer.status_code == 403


async def test_behind_tls_the_cookie_belongs_to_this_host_and_https_only(site: Site) -> None:
    from key2xs.api.headers import cookie_settings, header_hook
    from key2xs.core.settings import HTTP

    cookie = cookie_settings(HTTP(behind_tls_proxy=True))
    assert cookie["key"].startswith("__Host-")
    assert cookie["secure"] is True
    message = {"type": "http.response.start", "status": 200, "headers": []}
    await header_hook(HTTP(behind_tls_proxy=True))(message, {})  # type: ignore[arg-type]
    assert any(name == b"strict-transport-security" for name, _ in message["headers"])  # type: ignore[attr-defined]
