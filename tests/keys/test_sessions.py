"""Vendor sessions of several workers: none hides another's."""

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.vault import Vault
from key2xs.keys.port import StoredSession
from key2xs.keys.registry import Registry
from key2xs.keys.sessions import SealedSessions
from key2xs.ledger import Ledger
from tests.conftest import START


async def test_the_last_to_sign_in_does_not_hide_a_stalled_worker(
    db: Database, vault: Vault, clock: ManualClock
) -> None:
    registry = Registry(Ledger(vault))
    system = await db.transact(lambda tx: registry.ensure_system(tx, "iloq", "iloq", clock.now()))
    stalled = SealedSessions(db, vault, system.id, "host:1")
    successor = SealedSessions(db, vault, system.id, "host:2")
    await stalled.save(StoredSession("old-session", "http://vendor", START))
    await successor.save(StoredSession("new-session", "http://vendor", START))
    (other,) = await successor.others()
    found = await other.load()
    assert found is not None
    assert found.secret == "old-session"
    await other.clear()
    assert await stalled.load() is None
    own = await successor.load()
    assert own is not None
    assert own.secret == "new-session"


async def test_a_stored_session_is_sealed(db: Database, vault: Vault, clock: ManualClock) -> None:
    registry = Registry(Ledger(vault))
    system = await db.transact(lambda tx: registry.ensure_system(tx, "iloq", "iloq", clock.now()))
    await SealedSessions(db, vault, system.id).save(StoredSession("very-secret", "http://vendor", START))
    async with db.read() as tx:
        assert b"very-secret" not in await tx.fetchval("SELECT sealed FROM key_session")
