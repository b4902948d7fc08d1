"""One evening for all tests that only look; tests that change something open a site of their own."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx2
import pytest

from tests.support.database import DatabaseServer

from .client import Browserless
from .showcase import Showcase, open_showcase, play_evening
from .stage import Stage, open_stage


@pytest.fixture(scope="session")
async def evening(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """The evening, played once; tests may add to it and never undo it."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("evening")) as show:
            await play_evening(show)
            yield show


@pytest.fixture(scope="session")
async def site(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """The corner on a quiet evening, for tests that act; one permit is in force."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("site")) as show:
            await show.permit("pumps", "4711", "2210", crew=("u1",))
            await show.pass_time(2 * show.MINUTE)
            yield show


@pytest.fixture(scope="session")
async def night(databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One server and one browser for all browser tests."""
    async with open_stage(databases, tmp_path_factory.mktemp("stage")) as opened:
        yield opened


@pytest.fixture
async def stage(night: Stage) -> AsyncIterator[Stage]:
    """The night's stage, without windows."""
    yield night
    await night.close_windows()


@pytest.fixture
async def leader(evening: Showcase) -> AsyncIterator[Browserless]:
    """The shift leader, signed in."""
    async with browse(evening) as client:
        await client.sign_in("leader")
        yield client


def browse(show: Showcase) -> Browserless:
    """A visitor without scripts, not signed in."""
    return Browserless(
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=cast("Any", show.app)), base_url="http://console.test"
        )
    )
