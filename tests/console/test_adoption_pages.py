"""The pages *Adoption* and *Roll-out*, and switching a zone with a second person."""

import re

from tests.api.conftest import PASSWORD
from tests.api.past import served
from tests.support.database import DatabaseServer

from .client import Browserless, Page


async def _visitor(site, *roles: str) -> Browserless:  # type: ignore[no-untyped-def]  # noqa: ANN001
    login = f"visitor-{len(site.users)}"
    await site.user(*roles, login=login)
    visitor = Browserless(site.client())
    answer = await visitor.sign_in(login, PASSWORD)
    assert answer.status_code == 303, answer.text
    return visitor


async def test_a_site_that_was_just_connected_is_shown_as_it_is(databases: DatabaseServer) -> None:
    async with served(databases, adopted=False) as (legacy, site):
        manager = await _visitor(site, "security_manager")
        page = await manager.page("/adoption")
        assert "0 of 4 keys adopted" in page.html
        assert "read-only" in page.html
        assert "Keys without holder" in page.html
        answer = await manager.submit(page, "/adoption/runs", system="iloq", zone="", reason="take over")
        assert answer.headers["location"] == "/adoption?done=proposed"
        second = await _visitor(site, "security_manager")
        requests = await second.page("/requests")
        assert "Adopt keys" in requests.html
        form = next(path for path in requests.forms if path.startswith("/requests/proposals/"))
        assert (await second.submit(requests, form, decision="confirm")).status_code == 303
        await legacy.spine.settle()
        assert "4 of 4 keys adopted" in (await manager.page("/adoption")).html


async def test_a_zone_is_switched_by_two_people_who_see_what_would_change(databases: DatabaseServer) -> None:
    async with served(databases, adopted=True) as (legacy, site):
        first, second = await _visitor(site, "security_manager"), await _visitor(site, "security_manager")
        rollout = await first.page("/rollout")
        links = [path for path in rollout.links if path.endswith("/switch")]
        assert len(links) == 3
        zone = await legacy.zone("Z3")
        page = await first.page(f"/zones/{zone}/switch")
        assert re.search(r"K001.*C1", page.html, re.DOTALL)
        answer = await first.submit(page, f"/zones/{zone}/switch", mode="enforce", reason="pilot")
        assert answer.status_code == 303, answer.text
        waits = await second.page("/requests")
        form = next(path for path in waits.forms if path.startswith("/requests/proposals/"))
        assert waits.forms[form]["seen"]
        assert "It changed since it was proposed" not in waits.html
        key = await legacy.key("K002")
        async with site.services.database.transaction() as tx:
            await site.services.standing.end(tx, key, reason="x", actor="user:a", at=site.clock.now())
        stale = await second.submit(waits, form, decision="confirm")
        assert stale.status_code == 409, "what this person saw is not what would happen"
        again = await second.page("/requests")
        assert "It changed since it was proposed" in again.html
        assert (await second.submit(again, form, decision="confirm")).status_code == 303
        await legacy.spine.settle()
        assert legacy.planned("K001") == {"AP C3"}
        assert "enforce" in (await first.page("/rollout")).html


async def test_one_key_is_adopted_on_its_page_with_a_reason(databases: DatabaseServer) -> None:
    async with served(databases, adopted=False) as (legacy, site):
        leader = await _visitor(site, "shift_leader")
        page = await leader.page("/keys/K001")
        assert "/keys/K001/adopt" in page.links
        form = await leader.page("/keys/K001/adopt")
        await leader.submit(form, "/keys/K001/adopt", reason="")
        assert (await legacy.key("K001")).adopted_at is None
        answer = await leader.submit(form, "/keys/K001/adopt", reason="the pump house goes first")
        assert answer.headers["location"] == "/keys/K001?done=key-adopt"
        assert (await legacy.key("K001")).adopted_at is not None
        assert "/keys/K001/adopt" not in (await leader.page("/keys/K001")).links


async def test_a_key_with_old_rights_is_adopted_and_handed_out_at_the_desk_in_one_go(
    databases: DatabaseServer,
) -> None:
    async with served(databases, adopted=False) as (legacy, site):
        desk = await _visitor(site, "shift_leader")
        opens = legacy.planned("K001")
        page = await desk.page("/desk")
        asked = await desk.submit(page, "/desk", who="u1", keys="K003 K001")
        assert asked.status_code == 409
        assert "Key K001 still carries rights from before Key2XS." in asked.text
        assert (await legacy.key("K003")).adopted_at is None, "nothing was half done"
        form = Page(asked.text)
        assert form.forms["/desk"]["adopt"] == str((await legacy.key("K001")).id)
        done = await desk.submit(form, "/desk")
        assert done.status_code == 303, done.text
        shown = await desk.page(done.headers["location"])
        assert "Key K001 handed to P-" in shown.text
        assert "Key K003 handed to P-" in shown.text
        assert (await legacy.key("K001")).adopted_at is not None
        await legacy.spine.settle()
        assert legacy.planned("K001") == opens, "it keeps what it opened"
        kinds = await legacy.spine.fetch(
            "SELECT kind, count(*) FROM log_body WHERE kind IN ('keys:adoption:take', 'keys:custody:hand_out')"
            " GROUP BY kind ORDER BY kind"
        )
        assert [row["count"] for row in kinds] == [1, 2], kinds


async def test_somebody_who_only_looks_gets_no_form(databases: DatabaseServer) -> None:
    async with served(databases, adopted=True) as (legacy, site):
        auditor = await _visitor(site, "auditor")
        zone = await legacy.zone("Z3")
        for path in ("/adoption", "/rollout", f"/zones/{zone}/switch"):
            page = await auditor.page(path)
            assert not [form for form in page.forms if form.startswith(("/adoption", "/rollout", "/zones"))]


async def test_a_connection_is_checked_signed_in_again_and_its_locks_noted(databases: DatabaseServer) -> None:
    async with served(databases, adopted=True) as (legacy, site):
        manager = await _visitor(site, "security_manager")
        assert "/adoption/systems/iloq" in (await manager.page("/adoption")).html
        page = await manager.page("/adoption/systems/iloq")
        assert "The service user has every right that is needed." in page.html
        assert "The key system does not call here" in page.html
        answer = await manager.submit(page, "/adoption/sign-in", system="iloq", reason="password renewed")
        assert answer.headers["location"] == "/adoption/systems/iloq?done=changed"
        [lock] = await legacy.spine.fetch(
            "SELECT marking, external_id FROM key_lock ORDER BY marking LIMIT 1"
        )
        answer = await manager.submit(
            page,
            "/adoption/limits",
            system="iloq",
            lock=lock["marking"],
            honours_limits="no",
            reason="it opened",
        )
        assert answer.status_code == 303, answer.text
        seen = (await manager.page("/adoption/systems/iloq")).html
        assert re.search(r"lock(s do| does) not heed time limits", seen)
        answer = await manager.submit(
            page, "/adoption/limits", system="iloq", lock="nowhere", honours_limits="no", reason="it opened"
        )
        assert answer.status_code == 409
        assert "lists no lock nowhere" in answer.text
        auditor = await _visitor(site, "auditor")
        assert "/adoption/sign-in" not in (await auditor.page("/adoption/systems/iloq")).html
        assert (await manager.get("/adoption/systems/none")).status_code == 404
