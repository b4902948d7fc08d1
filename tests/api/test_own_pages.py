"""The pages *Administration*, *History*, the page about oneself and codes, as a browser without scripts sees them."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from key2xs.access import csrf_token, shipped_matrix
from key2xs.core.database import Database
from key2xs.core.ids import PersonId
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.opening import open_log
from tests.api.conftest import PASSWORD, Site
from tests.api.leases import add_keys, give_grant
from tests.api.test_authority import changed, in_force
from tests.api.test_privacy import opening

HTML = {"accept": "text/html"}
WHY = {"reason": "for the test"}


@pytest.fixture(autouse=True)
async def log(site: Site, log_db: Database, tmp_path: Path) -> None:
    """Open the log: every page shows how it stands."""
    copy = CheckpointCopy(tmp_path / "checkpoint")
    await open_log(log_db, origin="test.example/log", seed=bytes(32), copy=copy, at=site.clock.now())


async def browser(site: Site, role: str) -> httpx2.AsyncClient:
    """A browser of a new user of this role."""
    name = f"page-{len(site.users)}"
    await site.user(role, login=name)
    client = site.client(headers=HTML)
    answer = await client.post("/sign-in", data={"login": name, "password": PASSWORD, "next": "/"})
    assert answer.status_code == 303, answer.text
    client.headers["x-landed"] = answer.headers["location"]
    return client


async def send(client: httpx2.AsyncClient, path: str, form: Mapping[str, str | list[str]]) -> httpx2.Response:
    """Send a form with the session's token."""
    token = csrf_token(client.cookies["key2xs"])
    return await client.post(path, data={**form, "csrf_token": token})


def secret_of(page: str) -> str:
    found = re.search(r'<code class="stamp">([^<]+)</code>', page)
    assert found is not None, page[:2000]
    return found[1]


async def test_an_administrator_makes_an_account_whose_password_is_shown_once(site: Site) -> None:
    admin = await browser(site, "administrator")
    made = await send(
        admin, "/administration/users", {"login": "w.jansen", "roles": ["soc", "auditor"], **WHY}
    )
    assert made.status_code in (200, 201), made.text
    password = secret_of(made.text)
    page = (await admin.get("/administration")).text
    assert password not in page
    assert "w.jansen" in page
    assert "no second person until" in page
    assert "No second person until" in made.text  # beside the password, where it is made
    client = site.client(headers=HTML)
    signed = await client.post("/sign-in", data={"login": "w.jansen", "password": password, "next": "/"})
    assert signed.headers["location"] == "/account"
    user = next(each.id for each in await _users(site) if each.roles == ("auditor", "soc"))
    changed = await send(admin, f"/administration/users/{user}", {"act": "roles", "roles": ["hse"], **WHY})
    assert changed.headers["location"] == "/administration?done=changed"
    nobody = await send(admin, f"/administration/users/{user}", {"act": "link", "person": "00004344", **WHY})
    assert nobody.status_code == 409
    person = await site.person()
    linked = await send(admin, f"/administration/users/{user}", {"act": "link", "person": str(person), **WHY})
    assert linked.status_code == 303
    await send(admin, f"/administration/users/{user}", {"act": "unlink", **WHY})
    await send(admin, f"/administration/users/{user}", {"act": "disable", **WHY})
    found = next(each for each in await _users(site) if each.id == user)
    assert (found.person_id, found.roles) == (None, ("hse",))
    assert found.disabled_at is not None


async def _users(site: Site):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the users as stored
    async with site.services.database.read() as tx:
        return await site.access.users.list(tx)


async def test_the_page_shows_each_part_to_whom_it_is_for(site: Site) -> None:
    await site.user("soc", login="somebody.else")
    leader, auditor, admin = [
        await browser(site, role) for role in ("shift_leader", "auditor", "administrator")
    ]
    assert "somebody.else" in (await admin.get("/administration")).text
    for client in (leader, auditor):
        page = (await client.get("/administration")).text
        assert "somebody.else" not in page
        assert "API tokens" in page
    assert "Authority matrix" not in (await leader.get("/administration")).text
    assert "Authority matrix" in (await auditor.get("/administration")).text
    assert "Propose it" not in (await auditor.get("/administration")).text


async def test_a_token_is_made_and_revoked_on_the_page(site: Site) -> None:
    auditor = await browser(site, "auditor")
    made = await send(
        auditor,
        "/administration/tokens",
        {"label": "siem", "days": "30", "permissions": ["plant:cylinder:read"], **WHY},
    )
    secret = secret_of(made.text)
    assert secret not in (await auditor.get("/administration")).text
    token = site.client(headers={"Authorization": f"Bearer {secret}"})
    assert (await token.get("/api/v1/cylinders")).status_code == 200
    wide = await send(
        auditor, "/administration/tokens", {"label": "x", "permissions": ["access:user:manage"], **WHY}
    )
    assert wide.status_code == 409
    listed = (await token.get("/api/v1/session")).json()
    assert listed["kind"] == "token"
    async with site.services.database.read() as tx:
        (found,) = await site.access.tokens.list(tx)
    await send(auditor, f"/administration/tokens/{found.id}", WHY)
    assert (await token.get("/api/v1/cylinders")).status_code == 401


async def test_the_matrix_is_changed_on_two_peoples_pages(site: Site) -> None:
    one, ciso = await browser(site, "security_manager"), await browser(site, "ciso")
    new = shipped_matrix().text.replace("soc,keys:key:block,all,no,yes\n", "")
    looked = await send(one, "/administration/matrix", {"matrix": new, "act": "look", "reason": "look at it"})
    assert "not at all" in looked.text
    done = await send(
        one, "/administration/matrix", {"matrix": new, "act": "propose", "reason": "SOC no more"}
    )
    assert done.status_code == 303, done.text
    page = (await ciso.get("/requests")).text
    assert "Change who may do what" in page
    assert "soc, keys:key:block, all" in page
    async with site.services.database.read() as tx:
        (waits,) = await site.access.proposals.list(tx, site.clock.now(), only_open=True)
    confirmed = await send(ciso, f"/requests/proposals/{waits.id}", {"decision": "confirm"})
    assert confirmed.headers["location"] == "/requests?done=confirmed"
    assert "version 1" in (await one.get("/administration")).text


async def test_a_worker_lands_on_his_own_page_and_sees_only_himself(site: Site) -> None:
    await add_keys(site, "1001")
    worker = await browser(site, "worker")
    assert worker.headers["x-landed"] == "/me"
    person = PersonId(UUID((await worker.get("/api/v1/session")).json()["person"]))
    await opening(site, person, site.clock.now() - timedelta(hours=1))
    await give_grant(site, person)
    async with site.services.database.transaction() as tx:
        key = await site.services.registry.get_key(tx, "1001")
        await site.services.custody.hand_out(tx, key.id, person, actor="system:test", at=site.clock.now())
    page = await worker.get("/me")
    assert page.status_code == 200, page.text
    for words in (
        "1001",
        "Because of",
        "Where your data comes from",
        "Nobody has opened your history",
        "180 days",
    ):
        assert words in page.text, words
    assert (await worker.get("/")).status_code == 403
    assert (await send(worker, "/sign-out", {})).status_code == 303
    assert (await worker.get("/me")).status_code == 303


async def test_the_key_desk_gives_a_code_that_opens_the_page(site: Site) -> None:
    desk, person = await browser(site, "key_desk"), await site.person()
    given = await send(desk, "/codes", {"person": str(person)})
    code = secret_of(given.text)
    assert (await send(desk, "/codes", {"person": "00004344"})).status_code == 404
    client = site.client(headers=HTML)
    assert "Show my data" in (await client.get("/me/code")).text
    assert (await client.post("/me/code", data={"code": "AAAA-AAAA"})).status_code == 401
    assert (await client.post("/me/code", data={"code": code})).headers["location"] == "/me"
    mine = (await client.get("/me")).text
    assert "Where your data comes from" in mine
    assert "a one-time code for your page was given out" in mine
    assert (await client.get("/keys")).status_code == 403
    assert (await send(client, "/sign-out", {})).status_code == 303
    assert (await client.get("/me")).status_code == 303


async def test_a_history_is_shown_only_after_its_purpose_was_said(site: Site) -> None:
    await add_keys(site, "1001")
    manager, person = await browser(site, "security_manager"), await site.person()
    await opening(site, person, site.clock.now() - timedelta(hours=1))
    assert "v-lock" not in (await manager.get("/history")).text
    form = {
        "person": str(person),
        "reason": "valve 12 was open",
        "begins": "2026-03-01T00:00",
        "ends": "2026-03-02T19:00",
    }
    refused = await send(manager, "/history", {**form, "purpose": ""})
    assert refused.status_code == 400
    assert "1001" not in refused.text
    shown = await send(manager, "/history", {**form, "purpose": "incident"})
    assert shown.status_code == 200, shown.text
    assert "1001" in shown.text
    hse = await browser(site, "hse")
    waits = await send(hse, "/history", {**form, "purpose": "safety_investigation"})
    assert waits.headers["location"] == "/requests?done=second-asked"
    assert (await site.kinds()).count("identity:history:open") == 1


async def test_no_act_on_accounts_is_done_without_a_reason(site: Site) -> None:
    admin = await browser(site, "administrator")
    made = await send(admin, "/administration/users", {"login": "w.jansen", "roles": ["soc"]})
    assert made.status_code == 409
    assert "say why" in made.text
    user = await site.user("soc", login="soc-1")
    for act in ("roles", "link", "unlink", "password", "disable"):
        answer = await send(admin, f"/administration/users/{user}", {"act": act, "roles": ["hse"]})
        assert answer.status_code == 409, act
        assert "say why" in answer.text
    assert len(await _users(site)) == 2
    assert (next(each for each in await _users(site) if each.id == user)).roles == ("soc",)


async def test_an_administrator_finds_what_waits_for_another_and_nothing_else_on_requests(site: Site) -> None:
    await in_force(
        site,
        changed("administrator,access:user:manage,all,no,no", "administrator,access:user:manage,all,yes,no"),
    )
    admin, other, soc = [await browser(site, role) for role in ("administrator", "administrator", "soc")]
    worker = await browser(site, "worker")
    user = await site.user("soc", login="soc-1")
    form: dict[str, str | list[str]] = {"act": "roles", "roles": ["hse"], "reason": "moves to HSE"}
    asked = await send(admin, f"/administration/users/{user}", form)
    assert asked.headers["location"] == "/requests?done=second-asked"
    async with site.services.database.read() as tx:
        (waits,) = await site.access.proposals.list(tx, site.clock.now(), only_open=True)
    assert 'href="/requests"' in (await other.get("/administration")).text
    page = (await other.get("/requests")).text
    assert "moves to HSE" in page
    assert f'action="/requests/proposals/{waits.id}"' in page
    assert (await worker.get("/requests")).status_code == 403
    assert (await send(soc, f"/requests/proposals/{waits.id}", {"decision": "confirm"})).status_code == 403
    assert (await send(other, f"/requests/proposals/{waits.id}", {"decision": "refuse"})).status_code == 409
    done = await send(other, f"/requests/proposals/{waits.id}", {"decision": "confirm"})
    assert done.headers["location"] == "/requests?done=confirmed"
    assert (await send(admin, f"/administration/users/{user}", form)).headers["location"].endswith("changed")
    # What an administrator may not confirm is not shown: nobody's histories, no access.
    manager = await browser(site, "security_manager")
    new = shipped_matrix().text.replace("soc,keys:key:block,all,no,yes\n", "")
    await send(manager, "/administration/matrix", {"matrix": new, "act": "propose", "reason": "SOC no more"})
    assert "SOC no more" not in (await other.get("/requests")).text


async def test_a_legal_hold_is_made_and_ended_by_two_people_on_their_pages(site: Site) -> None:
    manager, ciso, auditor = [await browser(site, role) for role in ("security_manager", "ciso", "auditor")]
    person = str(await site.person("Held"))
    until = (site.clock.now() + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M")
    asked = {"whose": "person", "person": person, "until": until, "reason": "case 4711"}
    for wrong in ({"until": "2020-01-01T10:00"}, {"person": ""}, {"reason": "x"}):
        assert (await send(manager, "/administration/holds", {**asked, **wrong})).status_code == 409, wrong
    assert (await send(auditor, "/administration/holds", asked)).status_code == 403
    assert 'action="/administration/holds"' not in (await auditor.get("/administration")).text

    async def confirmed() -> str:
        async with site.services.database.read() as tx:
            (waits,) = await site.access.proposals.list(tx, site.clock.now(), only_open=True)
        early = await send(manager, f"/administration/holds/confirmed/{waits.id}", {})
        assert early.status_code == 409
        own = await send(manager, f"/requests/proposals/{waits.id}", {"decision": "confirm"})
        assert own.status_code == 403
        done = await send(ciso, f"/requests/proposals/{waits.id}", {"decision": "confirm"})
        assert done.headers["location"] == "/requests?done=confirmed"
        assert (await send(ciso, f"/administration/holds/confirmed/{waits.id}", {})).status_code == 409
        path = f"/administration/holds/confirmed/{waits.id}"
        assert f'action="{path}"' in (await manager.get("/administration")).text
        return path

    waiting = await send(manager, "/administration/holds", asked)
    assert waiting.headers["location"] == "/requests?done=second-asked"
    path = await confirmed()
    assert (await send(manager, path, {})).headers["location"] == "/administration?done=changed"
    assert (await send(manager, path, {})).status_code == 409  # once
    async with site.services.database.read() as tx:
        assert await site.access.holds.running(tx, site.clock.now()) == (False, [UUID(person)])
        (hold,) = await site.access.holds.find_all(tx)
    assert "case 4711" in (await auditor.get("/administration")).text
    end = f"/administration/holds/{hold.id}"
    assert (await send(manager, end, {"reason": "case closed"})).status_code == 303
    assert (await send(manager, await confirmed(), {})).status_code == 303
    async with site.services.database.read() as tx:
        assert await site.access.holds.running(tx, site.clock.now()) == (False, [])
