"""A stage for each test: the tiny site, four people, the product settled."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage


@pytest.fixture
async def stage(databases: DatabaseServer) -> AsyncIterator[Stage]:
    """The prepared stage, settled."""
    async with open_stage(databases, START) as opened:
        await opened.spine.settle()
        yield opened
