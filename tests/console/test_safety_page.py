"""*Safety* on screen: quiet when it is quiet, a held lock box explained, a watch started and answered."""

from collections.abc import AsyncIterator

import pytest

from key2xs.core.ids import new_id
from key2xs.incidents.notices import IdentityNotices
from key2xs.ledger import Entry, ReadEntry

from .client import Browserless
from .conftest import browse
from .showcase import Showcase


@pytest.fixture
async def leads(site: Showcase) -> AsyncIterator[Browserless]:
    async with browse(site) as client:
        await client.sign_in("leader")
        yield client


async def test_the_page_explains_the_six_rules_and_watches_over_people(
    site: Showcase, leads: Browserless
) -> None:
    page = await leads.page("/safety")
    for rule in ("S1", "S2", "S3", "S4", "S5", "S6"):
        assert rule in page.text
    assert not page.handlers, "nothing inline"
    started = await leads.submit(page, "/safety/watches", who="u2", every="15", place="pump house")
    assert started.headers["location"] == "/safety?done=watching"
    shown = await leads.page("/safety")
    assert "pump house" in shown.text
    again = await leads.submit(shown, "/safety/watches", who="u2", every="15")
    assert again.status_code == 409
    assert "Somebody watches over this person already." in again.text
    await site.pass_time(16 * site.MINUTE)
    first, missed = await leads.page("/"), await leads.page("/safety")
    for shown in (first, missed):
        assert "check-in missed" in shown.text
        assert "Their access stays as it is" in shown.text
    seen = next(action for action in missed.forms if action.endswith("/seen"))
    assert (await leads.submit(missed, seen)).headers["location"] == "/safety?done=reported"
    assert "check-in missed" not in (await leads.page("/safety")).text


async def test_a_watch_with_a_word_for_a_number_says_what_is_wrong(leads: Browserless) -> None:
    page = await leads.page("/safety")
    answer = await leads.submit(page, "/safety/watches", who="u1", every="soon")
    assert answer.status_code == 400
    assert "Say in whole minutes how often they report." in answer.text


async def test_an_auditor_sees_and_answers_nothing(site: Showcase) -> None:
    async with browse(site) as client:
        await client.sign_in("auditor")
        page = await client.page("/safety")
        assert not [action for action in page.forms if action.startswith("/safety")]


async def test_somebody_at_work_who_lost_their_identity_is_told_of_on_the_first_page(
    site: Showcase, leads: Browserless
) -> None:
    services, at = site.spine.services, site.spine.now
    person = f"person:{site.spine.persons['u1']}"
    said = ReadEntry(1, 1, new_id(), "identity:person:disable", at, at, "system:iam", (person,), (), {})
    async with services.database.transaction() as tx:
        await IdentityNotices(services.ledger).handle(tx, [said])
    for path in ("/", "/safety", "/wall"):
        assert "lost their identity at work" in (await leads.page(path)).text
    told = Entry("incidents:kill:withdraw", at, at, "user:test", (person,), body={})
    async with services.database.transaction() as tx:
        entry = await services.ledger.record(tx, told)
        await tx.execute(
            "UPDATE incident_kill SET state = 'withdrawn', entry = $2 WHERE subject = $1", person, entry
        )
    assert "lost their identity at work" not in (await leads.page("/")).text
