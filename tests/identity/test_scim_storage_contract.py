"""The SCIM library's own storage contract on our SQL storage. Each test gets a source of its own, so one database serves all."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from scim2_models import ScimProvider
from scim2_server.storage import ScimStorage
from scim2_server.testing import BlockingStorage, ScimStorageContract

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.vault import Vault
from key2xs.identity.desk import Desk
from key2xs.identity.scim.schemas import Profile, build_provider
from key2xs.identity.scim.storage import SourceStorage
from key2xs.ledger import Ledger
from tests.conftest import START
from tests.identity.worlds import AMSTERDAM
from tests.support.database import DatabaseServer

_SOURCES = itertools.count(1)
_PROVIDER = build_provider(Profile.FULL)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def shared(databases: DatabaseServer, runner: asyncio.Runner) -> Iterator[tuple[Database, Desk]]:
    with databases.fresh() as dsns:
        database = runner.run(Database.open(dsns.app))
        keys = runner.run(Database.open(dsns.vault))
        vault = Vault(keys, bytes(range(32)), ManualClock(START))
        yield database, Desk(Ledger(vault), vault, AMSTERDAM)
        runner.run(database.close())
        runner.run(keys.close())


class TestSourceStorage(ScimStorageContract):
    @pytest.fixture
    def provider(self) -> ScimProvider:
        return _PROVIDER

    @pytest.fixture
    def storage(self, shared: tuple[Database, Desk], runner: asyncio.Runner, provider: Any) -> ScimStorage:
        database, desk = shared
        source = f"contract-{next(_SOURCES)}"
        storage = SourceStorage(database, desk, provider, source=source, actor="system:test", at=START)
        return BlockingStorage(storage, runner)
