"""One evening for all tests that only look; tests that change something open a site of their own."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx2
import pytest

from tests.support.database import DatabaseServer

from .client import Browserless
from .showcase import Showcase, open_showcase, play_evening


@pytest.fixture(scope="module")
async def evening(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """The evening, played once for a module."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("evening")) as show:
            await play_evening(show)
            yield show


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
