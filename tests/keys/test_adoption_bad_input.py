"""A mode that changes while commands are pending, a stamp that two systems print, and too many writes at once."""

from datetime import timedelta

import pytest

from key2xs.core.database import Database
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.vault import Vault
from key2xs.keys.registry import Registry
from key2xs.ledger import Ledger
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.tiny import twin_id

from .legacy import open_legacy
from .test_adoption_runs import listing


async def test_a_zone_that_is_switched_back_takes_along_what_waits_to_be_fetched(
    databases: DatabaseServer,
) -> None:
    async with open_legacy(databases) as site:
        spine, key = site.spine, twin_id("key 3")
        await site.mode("Z3", "enforce")
        await spine.hand_out("K003", "u1")
        await spine.settle()
        spine.world.cut_network(key)
        await spine.live_permit("C1", crew=["u1"])
        await site.wait(1)
        assert site.planned("K003") == {"AP C1"}, "ordered, and nobody has fetched it"
        await site.mode("Z3", "observe")
        await site.wait(1)
        assert site.planned("K003") == set()
        spine.world.restore_network(key)
        await site.wait(2)
        assert not spine.try_open("K003", "C1")


async def test_bulk_writes_wait_for_a_person_and_then_go_on(databases: DatabaseServer) -> None:
    async with open_legacy(databases) as site:
        services = site.spine.services
        services.brake._limit = 1
        await site.mode("Z3", "enforce")
        await site.wait(1)
        emptied = [stamp for stamp in ("K001", "K002") if "AP C1" not in site.planned(stamp)]
        assert site.planned("K002") == {"C1 and C2"} or len(emptied) == 1
        rows = await site.spine.fetch(
            "SELECT problem FROM key_target WHERE problem LIKE '%bulk writes are stopped%'"
        )
        assert len(rows) == 1
        system = await site.system()
        async with services.database.transaction() as tx:
            await services.brake.release(
                tx, system, keys=5, actor="user:leader", reason="looked", at=site.spine.now
            )
        await site.wait(1)
        assert site.planned("K001") == {"AP C3"}
        assert site.planned("K002") == set()


async def test_a_stamp_that_two_systems_print_is_asked_about(db: Database, vault: Vault) -> None:
    registry = Registry(Ledger(vault))
    async with db.transaction() as tx:
        for name in ("iloq", "cliq"):
            system = await registry.ensure_system(tx, name, name, START)
            await registry.take_inventory(tx, system.id, listing(2), START + timedelta(seconds=1))
    async with db.read() as tx:
        with pytest.raises(Conflict, match="1001@cliq, 1001@iloq"):
            await registry.get_key(tx, "1001")
        found = await registry.get_key(tx, "1001@cliq")
        assert found.stamp == "1001"
        assert len(await registry.keys_named(tx, "1001")) == 2
        with pytest.raises(NotFound):
            await registry.get_key(tx, "1001@other")
