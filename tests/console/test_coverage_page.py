"""The page *Coverage*, and what other pages say of openings that nobody read."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.database import DatabaseServer

from .client import Browserless
from .conftest import browse
from .showcase import Showcase, open_showcase


@pytest.fixture(scope="module")
async def site(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """A corner of its own: somebody opens one lock, hours apart."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("coverage")) as show:
            await show.permit("pumps", "4711", "2210", crew=("u1", "u2"))
            await show.pass_time(timedelta(minutes=2))
            yield show


@pytest.fixture
async def reader(site: Showcase) -> AsyncIterator[Browserless]:
    """The shift leader."""
    async with browse(site) as client:
        await client.sign_in("leader")
        yield client


async def test_what_was_never_read_is_not_known_and_no_page_says_more(
    site: Showcase, reader: Browserless
) -> None:
    page = await reader.page("/coverage")
    assert "not known" in page.text
    assert "/coverage" in page.links, "it stands in the navigation"
    why = await reader.page("/why?key=1041&lock=4711")
    assert "how far it was read completely is not known" in why.text
    assert "as read up to" not in why.text
    key = await reader.page("/keys/1041")
    assert "how far it was read completely is not known" in key.text


async def test_what_was_read_says_up_to_when(site: Showcase, reader: Browserless) -> None:
    async with site.spine.services.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO key_memory_run (system_id, memory, external_id, number, start_at, end_at)"
            " SELECT lock.system_id, 'lock', lock.external_id, 1, $1, $2 FROM key_lock AS lock WHERE marking = '4711'",
            site.spine.now - timedelta(days=40),
            site.spine.now - timedelta(hours=5),
        )
    why = await reader.page("/why?key=1041&lock=4711")
    assert "no opening by this key was read from it, as read up to" in why.text
    assert "nothing missing since" in why.text
    page = await reader.page("/coverage?standing=read")
    assert "4711" in page.text
    assert "4711" not in (await reader.page("/coverage?standing=unknown")).text
    keys = await reader.page("/coverage?what=keys")
    assert "1041" in keys.text
    assert "Nothing here stands like this." in (await reader.page("/coverage?zone=nowhere")).text
