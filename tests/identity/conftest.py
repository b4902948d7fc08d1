"""Identity on a fresh database, and the SCIM service in the same process."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.vault import Vault
from key2xs.identity import Identity
from key2xs.identity.scim import scim_app
from key2xs.ledger import Ledger
from tests.identity.worlds import AMSTERDAM, TOKENS, World, authenticate


@pytest.fixture
def world(db: Database, vault: Vault, clock: ManualClock) -> World:
    return World(db, vault, clock, Identity(Ledger(vault), vault, AMSTERDAM))


@pytest.fixture
def app(world: World) -> Any:
    return scim_app(world.db, world.vault, world.clock, authenticate)


@pytest.fixture
async def scim(app: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A bare client of source `entra`."""
    async with httpx2.AsyncClient(
        base_url="http://site.test/scim/entra/v2",
        headers={"Authorization": f"Bearer {TOKENS['entra']}", "Content-Type": "application/scim+json"},
        transport=httpx2.ASGITransport(app),
    ) as client:
        yield client
