"""Work on a fresh database."""

import pytest

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.vault import Vault
from key2xs.identity import Identity
from key2xs.ledger import Ledger
from key2xs.work import Desk
from tests.identity.worlds import AMSTERDAM
from tests.work.worlds import World


@pytest.fixture
async def world(db: Database, vault: Vault, clock: ManualClock) -> World:
    ledger = Ledger(vault)
    made = World(db, vault, clock, Desk(ledger, vault, Identity(ledger, vault, AMSTERDAM)))
    await made.load_plant()
    return made
