"""The stage of the property suite, and the shift that plays on it."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage

from .safety_shift import Shift


@pytest.fixture
async def stage(databases: DatabaseServer) -> AsyncIterator[Stage]:
    """The prepared stage; nobody holds a key and no permit is live."""
    async with open_stage(databases, START) as opened:
        yield opened


@pytest.fixture
async def shift(databases: DatabaseServer) -> AsyncIterator[Shift]:
    """The scene: u1 behind the lock box with a personal lock on, u2 on duty, u4 with the emergency key."""
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin()
        yield shift
