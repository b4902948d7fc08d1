"""What people do on pages: block, hand out, take back, approve, refuse. Each test has a key or request of its own."""

from collections.abc import AsyncIterator

import pytest

from .client import Browserless, Page
from .conftest import browse
from .showcase import Showcase, ask


@pytest.fixture
async def desk(site: Showcase) -> AsyncIterator[Browserless]:
    async with browse(site) as client:
        await client.sign_in("leader")
        yield client


async def test_a_key_is_blocked_with_a_reason_after_showing_who_is_affected(
    site: Showcase, desk: Browserless
) -> None:
    page = await desk.page("/keys/1041/block")
    assert f"signed on permit {site.permits['pumps'].number}" in page.text
    assert "The shift leader is told first; it proceeds after 120 seconds at the latest." in page.text
    assert "This lock may bar a way out. Make sure that nobody is inside." in page.text
    answer = await desk.submit(page, "/keys/1041/block", reason="lost at the jetty")
    assert (answer.status_code, answer.headers["location"]) == (303, "/keys/1041?done=told-first")
    waits = await desk.page("/safety")
    assert "Somebody asked to end their access: lost at the jetty." in waits.text
    assert f"signed on to permit {site.permits['pumps'].number}" in waits.text
    go = await desk.submit(waits, next(a for a in waits.forms if a.endswith("/proceed")))
    assert go.headers["location"] == "/safety?done=proceeded"
    await site.settle()
    shown = await desk.page("/keys/1041")
    assert "lost at the jetty" in shown.text
    assert "by itself it gives no bound" in shown.text
    row = (await site.spine.fetch("SELECT actor FROM log_body WHERE kind = 'keys:key:block'"))[0]
    assert row["actor"].startswith("user:"), "the log says who did it"
    again = await desk.submit(page, "/keys/1041/block", reason="lost at the jetty")
    assert again.status_code == 409
    assert "Key 1041 is blocked already." in again.text


async def test_a_block_without_a_reason_changes_nothing_and_says_why(
    site: Showcase, desk: Browserless
) -> None:
    page = await desk.page("/keys/1042/block")
    answer = await desk.submit(page, "/keys/1042/block", reason="  ")
    assert answer.status_code == 400
    assert "Say in a few words why." in answer.text
    assert "Who and what is affected" in answer.text, "beside the form, to be sent again"
    assert not await is_blocked(site, "1042")


async def test_a_form_without_its_token_does_nothing(site: Showcase, desk: Browserless) -> None:
    answer = await desk.post("/keys/1043/block", {"reason": "forged"})
    assert answer.status_code == 403
    assert "load the page again" in answer.text
    assert not await is_blocked(site, "1043")


async def test_an_auditor_looks_and_never_touches(site: Showcase) -> None:
    async with browse(site) as client:
        await client.sign_in("auditor")
        page = await client.page("/keys/1044")
        assert "/keys/1044/block" not in page.links
        assert (await client.get("/keys/1044/block")).status_code == 403
        token = page.forms["/sign-out"]["csrf_token"]
        answer = await client.post("/keys/1044/block", {"reason": "because", "csrf_token": token})
        assert answer.status_code == 403
        assert not await is_blocked(site, "1044")


async def test_a_key_is_taken_back_and_handed_to_somebody_else(site: Showcase, desk: Browserless) -> None:
    page = await desk.page("/keys/1045/take-back")
    taken = await desk.submit(page, "/keys/1045/take-back")
    assert taken.headers["location"] == "/keys/1045?done=taken-back"
    await site.settle()
    assert "it is at the key desk" in (await desk.page("/keys/1045")).text
    page = await desk.page("/keys/1045/hand-out")
    wrong = await desk.submit(page, "/keys/1045/hand-out", who="Given Family")
    assert wrong.status_code == 400
    assert "Nobody, or more than one person, goes by this number." in wrong.text
    done = await desk.submit(Page(wrong.text), "/keys/1045/hand-out", who="u2")
    assert done.headers["location"] == "/keys/1045?done=handed-out"
    assert "Handed out." in (await desk.page("/keys/1045?done=handed-out")).text
    second = await desk.submit(page, "/keys/1045/hand-out", who="u3")
    assert second.status_code == 409
    assert "take it back first" in second.text


async def test_a_request_is_approved_by_somebody_else(site: Showcase, desk: Browserless) -> None:
    path = f"/requests/{await ask(site, 'approved_request', 'u6', 'AH-3', 'Read the analyser', 3)}"
    page = await desk.page("/requests")
    refused = await desk.submit(page, path, decision="refuse")
    assert refused.status_code == 409
    assert "Say why you refuse." in refused.text
    done = await desk.submit(page, path, decision="approve")
    assert done.headers["location"] == "/requests?done=approved"
    await site.settle()
    assert "active" in await site.spine.states()
    assert path not in (await desk.page("/requests")).forms


async def test_whoever_asked_does_not_decide(site: Showcase, desk: Browserless) -> None:
    path = f"/requests/{await ask(site, 'approved_request', 'u6', 'AH-3', 'For me', 3, by='leader')}"
    page = await desk.page("/requests")
    assert "you asked for it, so somebody else decides" in page.text
    assert path not in page.forms


async def test_an_emergency_needs_a_second_person(site: Showcase, desk: Browserless) -> None:
    path = f"/requests/{await ask(site, 'emergency', 'u5', 'LB-17', 'Steam leak', 0.75)}"
    page = await desk.page("/requests")
    first = await desk.submit(page, path, decision="approve")
    assert first.headers["location"] == "/requests?done=more-needed"
    assert "a second person is needed" in (await desk.page("/requests")).text
    async with browse(site) as second:
        await second.sign_in("issuer")
        done = await second.submit(await second.page("/requests"), path, decision="approve")
        assert done.headers["location"] == "/requests?done=approved"


async def test_an_account_that_is_no_person_approves_nothing(site: Showcase) -> None:
    path = f"/requests/{await ask(site, 'approved_request', 'u6', 'AH-3', 'Read the analyser', 3)}"
    async with browse(site) as client:
        await client.sign_in("unlinked")
        page = await client.page("/requests")
        assert "your account is not linked to a person" in page.text
        assert path not in page.forms


async def is_blocked(site: Showcase, stamp: str) -> bool:
    """Tell whether a key is blocked."""
    return bool(
        await site.spine.fetch("SELECT 1 FROM key_key WHERE stamp = $1 AND blocked_at IS NOT NULL", stamp)
    )
