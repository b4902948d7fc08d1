"""Outages, paper permits and sealed keys where people meet them: pages, HTTP, the second person."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import httpx2
import pytest

from tests.console.client import Browserless, Page
from tests.console.conftest import browse
from tests.console.showcase import PASSWORD, Showcase, open_showcase
from tests.support.database import DatabaseServer

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
async def site(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """The corner of the refinery with one permit in force; then the permit system falls silent."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("outage")) as show:
            await show.permit("pumps", "4711", crew=("u1",))
            await show.pass_time(2 * MINUTE)
            await show.spine.advance(4 * MINUTE, every=MINUTE)
            yield show


async def test_paper_is_written_by_one_and_confirmed_by_another(site: Showcase) -> None:
    before = len(await site.spine.states())
    async with browse(site) as issuer:
        await issuer.sign_in("issuer")
        page = await issuer.page("/outage")
        assert "No new permit gives access" in page.text
        assert "/outage/paper?for=eptw" in page.links
        assert page.handlers == []
        form = await issuer.page("/outage/paper?for=eptw")
        wrong = await issuer.submit(form, "/outage/paper", **_sheet(site, performing="issuer"))
        assert wrong.status_code == 409
        assert "same person as the issuing authority" in wrong.text
        assert 'value="000777"' in wrong.text  # what was typed is still there
        wrong = await issuer.submit(form, "/outage/paper", **_sheet(site, performing="12345"))
        assert "Performing: nobody, or more than one person, goes by this number" in wrong.text
        done = await issuer.submit(form, "/outage/paper", **_sheet(site))
        assert (done.status_code, done.headers["location"]) == (303, "/requests?done=proposed-paper")
        page = await issuer.page("/requests")
        assert "paper 000777 in place of eptw: cold work" in page.text
        [path] = [action for action in page.forms if action.startswith("/requests/proposals/")]
        refused = await issuer.submit(page, path, decision="confirm")
        assert refused.status_code == 403
    assert len(await site.spine.states()) == before
    async with browse(site) as leader:
        await leader.sign_in("leader")
        page = await leader.page("/requests")
        done = await leader.submit(page, path, decision="confirm")
        assert done.status_code == 303, done.text
        await site.spine.settle()
        assert len(await site.spine.states()) == before + 1
        page = await leader.page("/outage")
        assert "paper 000777" in page.text
        assert "to be entered when eptw is back" in page.text
        permit = (await site.spine.fetch("SELECT permit_id FROM work_paper"))[0]["permit_id"]
        shown = await leader.page(f"/permits/{permit}")
        assert "paper 000777" in shown.text
        listed = await leader.page("/permits")
        assert "paper 000777" in listed.text
        closed = await leader.submit(page, f"/outage/paper/{permit}", act="close", reason="done")
        assert closed.headers["location"] == "/outage?done=paper-closed"
        again = await leader.submit(page, f"/outage/paper/{permit}", act="close", reason="done")
        assert again.status_code == 409
        assert "over already" in again.text


async def test_what_if_and_the_sheet_to_hang_up(site: Showcase) -> None:
    async with browse(site) as reader:
        await reader.sign_in("auditor")
        page = await reader.page("/outage?down=keys:iloq")
        for said in ("Only supposed", "Nothing reaches keys", "Will still work until", "1041"):
            assert said in page.text, said
        assert "/outage/paper" not in page.forms  # an auditor looks on
        sheet = await reader.page("/outage/print")
        for said in (
            "Without the permit system (e-PTW)",
            "Without Key2XS",
            "Second person",
            "Emergency keys under seal",
        ):
            assert said in sheet.text, said
        wrong = await reader.get("/outage?down=moon")
        assert wrong.status_code == 400
        assert "there is nothing called moon" in wrong.text.lower()


async def test_the_life_of_a_seal_on_its_page(site: Showcase) -> None:
    async with browse(site) as leader:
        await leader.sign_in("leader")
        page = await leader.page("/sealed")
        [free] = await site.spine.fetch(
            "SELECT stamp FROM key_key WHERE adopted_at IS NULL ORDER BY stamp LIMIT 1"
        )
        stamp = free["stamp"]
        done = await leader.submit(page, "/sealed", stamp=stamp, seal="S-1", place="control room", act="seal")
        assert done.headers["location"] == "/sealed?done=sealed"
        page = await leader.page("/sealed")
        path = f"/sealed/keys/{stamp}"
        assert "under seal" in page.text
        wrong = await leader.submit(page, path, act="check", seal="S-2")
        assert "its seal was broken" in wrong.text
        assert (await leader.submit(page, path, act="check", seal="s-1")).status_code == 303
        broken = {"act": "break", "taken_by": "u1", "second": "u1", "reason": "leak"}
        assert "name the second one" in (await leader.submit(page, path, **broken)).text
        assert (await leader.submit(page, path, **broken | {"second": "u2"})).status_code == 303
        page = await leader.page("/sealed")
        assert "seal broken" in page.text
        assert (
            await leader.submit(page, path, act="recall", reason="the emergency is over")
        ).status_code == 303
        assert (await leader.submit(page, path, act="again", seal="S-2")).status_code == 303
        page = await leader.page("/sealed")
        [review] = [action for action in page.forms if action.startswith("/sealed/uses/")]
        assert (await leader.submit(page, review, outcome="the pump had to be stopped")).status_code == 303
        assert "Nothing waits for a review." in (await leader.page("/sealed")).text


async def test_a_stamp_may_be_any_word(site: Showcase) -> None:
    """Also one that a page might use for itself: the address names the key, whatever else the form says."""
    async with browse(site) as leader:
        await leader.sign_in("leader")
        page = await leader.page("/sealed")
        before = await site.spine.fetch("SELECT count(*) AS n FROM key_sealed")
        token = page.forms["/sealed"]
        for word in ("new", "uses", "keys"):
            form = {**token, "stamp": "1062", "act": "seal", "seal": "S-9", "place": "gate"}
            answer = await leader.post(f"/sealed/keys/{word}", form)
            assert answer.status_code == 409, word
            assert word in Page(answer.text).text
        assert await site.spine.fetch("SELECT count(*) AS n FROM key_sealed") == before


async def test_the_same_over_http(site: Showcase) -> None:
    async with _api(site, "leader") as api:
        found = (await api.get("/api/v1/outage", params={"down": ["keys:iloq", "network"]})).json()
        states = {each["name"]: (each["state"], each["assumed"]) for each in found["dependencies"]}
        assert states["keys:iloq"] == ("down", True)
        assert states["permits:eptw"] == ("down", False)
        assert found["keys"]
        wrong = await api.get("/api/v1/outage", params={"down": "moon"})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "down")
        sheet: dict[str, Any] = {
            "number": "000888", "stands_for": "eptw", "type": "cold_work", "area": _area(), "issuing": "iam:issuer",
            "performing": "iam:u2", "valid_to": (site.spine.now + timedelta(hours=2)).isoformat(), "locks": ["4711"],
            "reason": "the permit system is silent",
        }  # fmt: skip
        for field, value in (
            ("locks", ["9999999"]), ("stands_for", "other"), ("issuing", "iam:u2"), ("performing", "iam:nobody"),
            ("valid_to", (site.spine.now + timedelta(hours=13)).isoformat()), ("number", "000 777"),
        ):  # fmt: skip
            refused = await api.post("/api/v1/paper-permits", json=sheet | {field: value})
            assert refused.status_code == 400, (field, refused.text)
            assert refused.json()["errors"][0]["field"].startswith(
                {"issuing": "performing"}.get(field, field)
            )
        made = await api.post("/api/v1/paper-permits", json=sheet)
        assert (made.status_code, made.json()["kind"]) == (202, "paper_permit")
        own = await api.post(f"/api/v1/proposals/{made.json()['id']}/confirm")
        assert own.status_code == 403
    async with _api(site, "issuer") as api:
        done = await api.post(f"/api/v1/proposals/{made.json()['id']}/confirm")
        assert done.status_code == 200, done.text
        await site.spine.settle()
        items = (await api.get("/api/v1/paper-permits")).json()["items"]
        paper = next(each for each in items if each["number"] == "000888")
        assert (paper["in_force"], paper["to_enter"]) == (True, False)
        address = f"/api/v1/paper-permits/{paper['permit']}"
        early = await api.post(f"{address}/enter", json={"number": "0001"})
        assert early.status_code == 409
        assert (await api.post(f"{address}/sign-off", json={"person": "iam:u2"})).status_code == 200
        down = await api.post("/api/v1/permit-sources/moon/declare-down", json={"reason": "no permits"})
        assert (down.status_code, down.json()["errors"][0]["field"]) == (400, "source")
        assert (await api.post(f"{address}/close", json={"reason": "for the test"})).json()[
            "in_force"
        ] is False
        assert (
            await api.post("/api/v1/permit-sources/eptw/declare-back", json={"reason": "for the test"})
        ).status_code == 409
        sealed = (await api.get("/api/v1/sealed-keys")).json()
        assert {each["state"] for each in sealed["items"]} <= {"sealed"}
    async with _api(site, "leader") as api:
        drill: dict[str, Any] = {
            "scenario": "permits",
            "people": 4,
            "passed": True,
            "outcome": "the pad was found at once",
        }
        assert (await api.post("/api/v1/drills", json=drill)).status_code == 201
        assert [each["people"] for each in (await api.get("/api/v1/drills")).json()["items"]] == [4]
        for field, wrong_value in (("scenario", "moon"), ("people", 0), ("outcome", " ")):
            refused = await api.post("/api/v1/drills", json=drill | {field: wrong_value})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, field)


async def test_my_area_is_told(site: Showcase) -> None:
    from key2xs.console.views.outage import read_outage_notice

    web = site.app.state["web"]
    async with site.spine.services.database.read() as tx:
        notice = await read_outage_notice(tx, web)
        none = await read_outage_notice(tx, web, units=["no such unit"])
    assert notice
    assert [each.name for each in notice.down] == ["permits:eptw"]
    assert {each.kind for each in none.warnings} <= {each.kind for each in notice.warnings}


def _sheet(site: Showcase, **changes: str) -> dict[str, str]:
    until = (site.spine.now + timedelta(hours=2)).astimezone(site.spine.services.settings.zone)
    return {
        "number": "000777", "stands_for": "eptw", "type": "cold_work", "area": _area(), "locks": "4711 2210",
        "issuing": "issuer", "performing": "u3", "until": f"{until:%Y-%m-%dT%H:%M}",
        "reason": "the permit system is silent",
    } | changes  # fmt: skip


def _area() -> str:
    from tests.console.corner import AREA

    return AREA


class _api:  # noqa: N801 - reads as a function
    """A client that signed in for the API."""

    def __init__(self, site: Showcase, login: str) -> None:
        self._login = login
        self._client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=cast("Any", site.app)), base_url="http://console.test"
        )

    async def __aenter__(self) -> httpx2.AsyncClient:
        answer = await self._client.post("/api/v1/session", json={"login": self._login, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        self._client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


__all__ = ["Browserless"]
