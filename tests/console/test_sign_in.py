"""Signing in and out, one's password, colours, and what strangers see."""

import pytest

from .client import Browserless, Page
from .conftest import browse
from .showcase import PASSWORD, Showcase


async def test_a_stranger_is_led_to_sign_in_and_back_to_where_they_wanted(evening: Showcase) -> None:
    async with browse(evening) as client:
        asked = await client.get("/keys/1041")
        assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?next=/keys/1041")
        page = await client.page(asked.headers["location"])
        signed = await client.submit(page, "/sign-in", login="leader", password=PASSWORD)
        assert (signed.status_code, signed.headers["location"]) == (303, "/keys/1041")
        assert "P-" in (await client.page("/keys/1041")).text


@pytest.mark.parametrize(
    ("login", "password"), [("leader", "wrong password here"), ("nobody", PASSWORD), ("", "")]
)
async def test_a_refused_sign_in_never_says_which_part_was_wrong(
    evening: Showcase, login: str, password: str
) -> None:
    async with browse(evening) as client:
        answer = await client.sign_in(login, password)
        assert answer.status_code == 401
        assert "Name or password is wrong." in answer.text
        assert "set-cookie" not in answer.headers
        assert (await client.get("/")).status_code == 303


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""]
)
async def test_signing_in_never_leads_to_another_site(evening: Showcase, onward: str) -> None:
    async with browse(evening) as client:
        assert (await client.sign_in("leader", onward=onward)).headers["location"] == "/"


async def test_a_page_of_another_site_cannot_sign_anybody_in_or_out(evening: Showcase) -> None:
    async with browse(evening) as client:
        form = {"login": "leader", "password": PASSWORD, "next": "/"}
        answer = await client.post("/sign-in", form, **{"sec-fetch-site": "cross-site"})
        assert answer.status_code == 403
        await client.sign_in("leader")
        assert (await client.post("/sign-out", {})).status_code == 403
        assert (await client.get("/")).status_code == 200


async def test_signing_out_ends_the_session(evening: Showcase, leader: Browserless) -> None:
    page = await leader.page("/")
    answer = await leader.submit(page, "/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await leader.get("/")).status_code == 303


async def test_a_one_time_password_leads_to_choosing_an_own_one(evening: Showcase) -> None:
    async with browse(evening) as client:
        assert (await client.sign_in("visitor")).headers["location"] == "/account"
        page = await client.page("/account")
        assert "a password that works once" in page.text
        short = await client.submit(page, "/account", new="too short")
        assert short.status_code == 400
        assert "must have 15 to 256 characters" in short.text
        done = await client.submit(Page(short.text), "/account", new="now it is long enough for anybody")
        assert done.headers["location"] == "/?done=password"
        assert "Your new password is set." in (await client.page("/?done=password")).text
    async with browse(evening) as client:
        assert (await client.sign_in("visitor", "now it is long enough for anybody")).status_code == 303


async def test_colours_are_kept_in_a_cookie(leader: Browserless) -> None:
    page = await leader.page("/keys")
    assert 'data-theme="auto"' in page.html
    answer = await leader.submit(page, "/preferences/theme", theme="dark")
    assert answer.headers["location"] == "/keys"
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert 'data-theme="dark"' in (await leader.page("/keys")).html
    await leader.submit(page, "/preferences/theme", theme='"><script>')
    assert 'data-theme="dark"' in (await leader.page("/keys")).html


async def test_a_sentence_in_the_address_is_never_shown_as_ours(leader: Browserless) -> None:
    assert "evil" not in (await leader.page("/?done=evil")).html.replace("/?done=evil", "")


async def test_pages_and_their_headers_are_kept_by_nobody_and_run_no_strange_script(
    leader: Browserless,
) -> None:
    answer = await leader.get("/")
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    style = await leader.get("/static/console.css")
    assert style.headers["content-type"].startswith("text/css")
    assert (await leader.get("/static/../pages/keys.py")).status_code == 404
