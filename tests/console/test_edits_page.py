"""The page *Edits made elsewhere*, and what other pages say of an edit."""

from collections.abc import AsyncIterator

import pytest

from key2xs.keys.drift.findings import zone_policies
from tests.console.test_alarms import edit_elsewhere
from tests.support.database import DatabaseServer

from .client import Browserless
from .conftest import browse
from .showcase import Showcase, open_showcase


@pytest.fixture(scope="module")
async def edited(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """A corner of its own; somebody gives a key a right in the maker's tool."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("edits")) as show:
            await show.permit("pumps", "4711", crew=("u1",))
            await show.pass_time(2 * show.MINUTE)
            yield show


@pytest.fixture
async def leader(edited: Showcase) -> AsyncIterator[Browserless]:
    """The shift leader."""
    async with browse(edited) as client:
        await client.sign_in("leader")
        yield client


async def test_an_edit_is_shown_with_before_and_after_and_decided(
    edited: Showcase, leader: Browserless
) -> None:
    page = await leader.page("/edits")
    assert "Nothing was edited elsewhere" in page.text
    assert "/edits" in page.links, "it stands in the navigation"
    async with edited.spine.services.database.transaction() as tx:
        for zone in await zone_policies(tx):
            await edited.spine.services.drift_acts.set_policy(
                tx, zone.zone_id, "hold", actor="user:setup", reason="test", at=edited.spine.now
            )
    await edit_elsewhere(edited, "1041", "5120")
    page = await leader.page("/edits")
    assert "Rights changed." in page.text
    assert "access without a grant" in page.text
    assert "the system does not tell who" in page.text
    assert "5120" in page.text
    assert "Access given elsewhere" in (await leader.page("/")).text
    assert "Edited elsewhere" in (await leader.page("/keys/1041")).text
    (row,) = await edited.spine.fetch("SELECT id FROM drift_finding WHERE ad_hoc")
    refused = await leader.submit(page, f"/edits/{row['id']}", act="accept", reason="the crew needs it")
    assert (refused.status_code, "no grant covers" in refused.text) == (409, True)
    await leader.submit(page, f"/edits/{row['id']}", act="acknowledge", reason="seen on shift")
    page = await leader.page("/edits?key=1041")
    assert "1 seen" in page.text
    assert not page.handlers


async def test_what_a_zone_does_stands_below(leader: Browserless) -> None:
    page = await leader.page("/edits?state=all&zone=nowhere")
    assert "held until a person decides" in page.text
