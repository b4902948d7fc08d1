"""Vendor sessions of several workers: none hides another's."""

from datetime import timedelta

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


async def test_one_worker_takes_up_each_wish_to_sign_in_again_and_the_others_follow_when_it_worked(
    db: Database, vault: Vault, clock: ManualClock
) -> None:
    registry, refused_at = Registry(Ledger(vault)), clock.now()
    system = await db.transact(lambda tx: registry.ensure_system(tx, "iloq", "iloq", refused_at))
    one, other = (SealedSessions(db, vault, system.id, f"host:{n}") for n in range(2))
    hooks = SealedSessions(db, vault, system.id, "host:hooks", account="hooks")

    async def ask(minutes: int) -> None:
        async with db.transaction() as tx:
            entry = await registry._tell(tx, "keys:system:sign_in", (), {}, refused_at)
            at = refused_at + timedelta(minutes=minutes)
            await tx.execute(
                "UPDATE key_system SET sign_in_again_at = $2, entry = $3 WHERE id = $1", system.id, at, entry
            )

    assert not await one.may_sign_in_again(refused_at)
    await ask(0)
    assert not await one.may_sign_in_again(refused_at), "asked before it was refused"
    await ask(1)
    assert [await each.may_sign_in_again(refused_at) for each in (one, other, one)] == [True, False, False]
    assert await hooks.may_sign_in_again(refused_at), "another user signs in for itself"
    await ask(2)
    assert [await each.may_sign_in_again(refused_at) for each in (other, one)] == [True, False]
    await other.save(StoredSession("it worked", "http://vendor", refused_at))
    assert await one.may_sign_in_again(refused_at)
    assert not await hooks.may_sign_in_again(refused_at + timedelta(minutes=3))
    await ask(4)
    assert await hooks.may_sign_in_again(refused_at + timedelta(minutes=3))


async def test_a_stored_session_is_sealed(db: Database, vault: Vault, clock: ManualClock) -> None:
    registry = Registry(Ledger(vault))
    system = await db.transact(lambda tx: registry.ensure_system(tx, "iloq", "iloq", clock.now()))
    await SealedSessions(db, vault, system.id).save(StoredSession("very-secret", "http://vendor", START))
    async with db.read() as tx:
        assert b"very-secret" not in await tx.fetchval("SELECT sealed FROM key_session")
