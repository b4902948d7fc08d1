"""*End access for many* on screen: look, propose, confirm, follow, pause, lift, and the keys that are still out."""

from collections.abc import AsyncIterator

import pytest

from tests.support.database import DatabaseServer

from .conftest import browse
from .showcase import Showcase, open_showcase
from .test_second_person import _account


@pytest.fixture(scope="module")
async def crowd(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """Two companies at work, and two security managers."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("crowd")) as show:
            await show.permit("pumps", "4711", "2210", crew=("u1", "u2"))
            for name in ("first", "second"):
                person = await show.spine.person(name, company="own")
                await _account(show, name, "security_manager", person)
            await show.pass_time(2 * show.MINUTE)
            yield show


async def test_from_the_look_to_the_list_of_keys(crowd: Showcase) -> None:
    async with browse(crowd) as first, browse(crowd) as second:
        await first.sign_in("first")
        await second.sign_in("second")
        empty = await first.page("/ending")
        assert "Access of many was never ended here" in empty.text
        look = await first.page("/ending/look?kind=company&ref=v017")
        assert look.handlers == []
        for said in (
            "nothing happens until a second person confirms",
            "at work",
            "no rate is set",
            "it began now",
        ):
            assert said in look.text, said
        assert "ended" not in await crowd.spine.states()
        assert (await first.submit(look, "/ending", reason="")).status_code in {400, 409}
        stale = {**look.forms["/ending"], "reason": "breach", "digest": "0" * 32}
        refused = await first.post("/ending", stale)
        assert refused.status_code == 409
        assert "It is not what was looked at" in refused.text
        assert (await first.submit(look, "/ending", reason="breach")).status_code == 303
        requests = await second.page("/requests")
        assert "End access for many" in requests.text
        path = next(each for each in requests.forms if each.startswith("/requests/proposals/"))
        assert (await second.submit(requests, path, decision="confirm")).status_code == 303
        await crowd.spine.settle()
        link = next(each for each in (await first.page("/ending")).links if each.startswith("/ending/"))
        page = await first.page(link)
        assert "Nothing new is given there" in page.text
        assert "the shift leader is told first" in page.text.replace("The", "the")
        assert (await first.submit(page, link, reason="wait", what="paused")).status_code == 303
        await crowd.pass_time(4 * crowd.MINUTE)
        assert set(await crowd.spine.states()) == {"active"}, "paused: what was told of waits, too"
        page = await first.page(link)
        assert "paused" in page.text
        assert (await first.submit(page, link, reason="go on", what="running")).status_code == 303
        await crowd.pass_time(4 * crowd.MINUTE)
        assert set(await crowd.spine.states()) == {"ended"}
        page = await first.page(link)
        assert "finished" in page.text
        out = await first.page(f"{link}/unreturned")
        assert "1041" in out.text
        assert (await first.post(link, {**page.forms.get(link, {}), "what": "lift"})).status_code in {
            303,
            400,
            403,
            409,
        }


async def test_what_is_not_named_is_asked_for_again(crowd: Showcase) -> None:
    async with browse(crowd) as first:
        await first.sign_in("first")
        for path in (
            "/ending/look?kind=company&ref=nobody",
            "/ending/look?kind=zone&ref=",
            "/ending/look?kind=x",
        ):
            answer = await first.get(path)
            assert answer.status_code == 409, path
            assert "Look first" in answer.text
        everyone = await first.page("/ending/look?kind=everyone")
        assert "until two people lift that" in everyone.text
