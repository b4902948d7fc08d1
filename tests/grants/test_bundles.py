from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from key2xs.core.database import Database
from key2xs.core.errors import Conflict, NotAllowed, NotFound
from key2xs.core.ids import BundleId, UserId, new_id
from key2xs.core.vault import Vault
from key2xs.grants import bundles
from key2xs.grants.bundles import (
    activate_bundle,
    active_bundle,
    ensure_bundle,
    get_bundle,
    get_bundle_by_hash,
    list_bundles,
    propose_bundle,
)
from key2xs.ledger import Ledger
from key2xs.policy import BundleInvalid, restore_bundle, shipped_bundle, shipped_policies, shipped_site_data
from tests.conftest import START

ANNA, BEN = UserId(new_id()), UserId(new_id())
NARROWER = '\n@id("site.jetty") @reason("Jetty is closed.") forbid (principal, action, resource) when { resource.zone == "JETTY" };'
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(vault: Vault) -> Ledger:
    return Ledger(vault)


async def _propose(db: Database, ledger: Ledger, *, at: datetime = START, extra: str = NARROWER) -> BundleId:
    async with db.transaction() as tx:
        return await propose_bundle(
            tx,
            ledger,
            version="2026-03",
            policies=shipped_policies() + extra,
            site_data=shipped_site_data(),
            by=ANNA,
            at=at,
        )


async def _activate(db: Database, ledger: Ledger, bundle_id: BundleId, *, by: UserId, at: datetime) -> None:
    async with db.transaction() as tx:
        await activate_bundle(tx, ledger, bundle_id, by=by, at=at)


async def _version_at(db: Database, at: datetime) -> str:
    async with db.read() as tx:
        return (await active_bundle(tx, at)).version


async def test_a_proposed_bundle_decides_nothing(db: Database, ledger: Ledger) -> None:
    await _propose(db, ledger)
    async with db.read() as tx:
        assert await active_bundle(tx, START + HOUR) == shipped_bundle()


async def test_two_people_bring_a_bundle_into_force(db: Database, ledger: Ledger) -> None:
    async with db.transaction() as tx:
        await ensure_bundle(tx, ledger, at=START)
    bundle_id = await _propose(db, ledger)
    await _activate(db, ledger, bundle_id, by=BEN, at=START + HOUR)
    assert await _version_at(db, START + HOUR) == "2026-03"
    assert await _version_at(db, START + HOUR - timedelta(microseconds=1)) == shipped_bundle().version
    async with db.read() as tx:
        newest, first = await list_bundles(tx)
        heads = await ledger.read_heads(tx, ["bundle:policy"])
    assert (newest.uploaded_by, newest.approved_by, newest.active_from) == (ANNA, BEN, START + HOUR)
    assert first.active_until == START + HOUR
    assert heads["bundle:policy"] > 0


async def test_the_proposer_cannot_activate_it(db: Database, ledger: Ledger) -> None:
    bundle_id = await _propose(db, ledger)
    with pytest.raises(NotAllowed):
        await _activate(db, ledger, bundle_id, by=ANNA, at=START + HOUR)


async def _force(db: Database, ledger: Ledger, bundle_id: BundleId, *, by: UserId, at: datetime) -> None:
    """Write past the service: what a mistake in it would do."""
    async with db.transaction() as tx:
        entry = await ledger.record(tx, bundles._entry("policy:bundle:activate", bundle_id, "user:x", at, {}))
        await tx.execute(bundles._SQL["begin_active"], bundle_id, by, at, entry)


async def test_nor_can_the_database_be_talked_into_it(db: Database, ledger: Ledger) -> None:
    bundle_id = await _propose(db, ledger)
    with pytest.raises(asyncpg.CheckViolationError):
        await _force(db, ledger, bundle_id, by=ANNA, at=START)


async def test_two_bundles_are_never_in_force_at_once(db: Database, ledger: Ledger) -> None:
    async with db.transaction() as tx:
        await ensure_bundle(tx, ledger, at=START)
    bundle_id = await _propose(db, ledger)
    with pytest.raises(asyncpg.ExclusionViolationError):
        await _force(db, ledger, bundle_id, by=BEN, at=START + HOUR)


async def test_the_texts_of_a_bundle_cannot_be_changed(db: Database, ledger: Ledger) -> None:
    await _propose(db, ledger)
    for column in ("policies", "guardrails", "site_data", "schema", "hash", "uploaded_by"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction() as tx:
                await tx.execute(f"UPDATE policy_bundle SET {column} = NULL")


async def test_a_bundle_row_needs_its_entry(db: Database, ledger: Ledger) -> None:
    bundle_id = await _propose(db, ledger)
    with pytest.raises(asyncpg.PostgresError, match="without its entry"):
        async with db.transaction() as tx:
            await tx.execute(bundles._SQL["begin_active"], bundle_id, BEN, START, 1)


async def test_a_bundle_is_activated_once(db: Database, ledger: Ledger) -> None:
    bundle_id = await _propose(db, ledger)
    await _activate(db, ledger, bundle_id, by=BEN, at=START + HOUR)
    with pytest.raises(Conflict):
        await _activate(db, ledger, bundle_id, by=BEN, at=START + 2 * HOUR)


async def test_a_bundle_does_not_come_into_force_in_the_past(db: Database, ledger: Ledger) -> None:
    first, second = await _propose(db, ledger), await _propose(db, ledger, extra="")
    await _activate(db, ledger, first, by=BEN, at=START + HOUR)
    with pytest.raises(Conflict):
        await _activate(db, ledger, second, by=BEN, at=START + HOUR)


async def test_an_unknown_bundle_is_not_found(db: Database, ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        await _activate(db, ledger, BundleId(new_id()), by=BEN, at=START)
    async with db.read() as tx:
        with pytest.raises(NotFound):
            await get_bundle_by_hash(tx, "0" * 64)


async def test_a_bad_bundle_is_not_stored(db: Database, ledger: Ledger) -> None:
    with pytest.raises(BundleInvalid):
        await _propose(db, ledger, extra="permit (principal")
    async with db.read() as tx:
        assert await list_bundles(tx) == ()


async def test_a_stored_bundle_comes_back_for_replay(db: Database, ledger: Ledger) -> None:
    bundle_id = await _propose(db, ledger)
    async with db.read() as tx:
        bundle = await get_bundle(tx, bundle_id)
        assert await get_bundle_by_hash(tx, bundle.hash) == bundle
        assert await get_bundle_by_hash(tx, shipped_bundle().hash) == shipped_bundle()


async def test_a_new_installation_gets_the_shipped_bundle_once(db: Database, ledger: Ledger) -> None:
    async with db.transaction() as tx:
        first = await ensure_bundle(tx, ledger, at=START)
    async with db.transaction() as tx:
        assert await ensure_bundle(tx, ledger, at=START + HOUR) == first
    async with db.read() as tx:
        [row] = await list_bundles(tx)
    assert (row.origin, row.hash) == ("shipped", shipped_bundle().hash)


async def _install_older(db: Database, ledger: Ledger, **texts: Any) -> None:
    """What a site looks like whose bundle was activated before an update of the product."""
    shipped = shipped_bundle()
    older = restore_bundle(
        "older",
        schema=shipped.schema,
        guardrails=shipped.guardrails.replace("The key is blocked.", "The key is on the block list."),
        policies=texts.get("policies", shipped.policies + NARROWER),
        site_data=shipped.site_data,
    )
    async with db.transaction() as tx:
        bundle_id = BundleId(new_id())
        entry = await ledger.record(
            tx, bundles._entry("policy:bundle:activate", bundle_id, "user:x", START, {})
        )
        await bundles._put(
            tx,
            bundle_id,
            older,
            entry,
            START,
            origin="proposed",
            uploaded_by=ANNA,
            approved_by=BEN,
            active_from=START,
        )


async def test_an_update_puts_the_new_guardrails_before_the_sites_policies(
    db: Database, ledger: Ledger
) -> None:
    await _install_older(db, ledger)
    async with db.transaction() as tx:
        await ensure_bundle(tx, ledger, at=START + HOUR)
    async with db.read() as tx:
        bundle = await active_bundle(tx, START + HOUR)
        renewed, older = await list_bundles(tx)
    assert bundle.guardrails == shipped_bundle().guardrails
    assert bundle.policies.endswith(NARROWER)
    assert (renewed.origin, renewed.uploaded_by, renewed.approved_by) == ("renewed", ANNA, BEN)
    assert older.active_until == START + HOUR


async def test_a_bundle_proposed_before_an_update_is_proposed_again(
    db: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle_id = await _propose(db, ledger)
    monkeypatch.setattr(bundles, "_has_our_guardrails", lambda _: False)
    with pytest.raises(Conflict, match="another version"):
        await _activate(db, ledger, bundle_id, by=BEN, at=START + HOUR)
