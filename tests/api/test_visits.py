"""Rounds that block lost keys: who carries what, and giving a round to somebody else."""

from datetime import timedelta

from key2xs.keys.carriers import BlockVisit, ProgrammingKey, Updater, VisitState
from key2xs.keys.port import Inventory, KeyKind, ProgrammingState, VendorKey, VendorLock
from tests.api.conftest import Site


async def on_a_round(site: Site) -> None:
    """A simulated key system with a lost key, of which one cylinder is on a round."""
    services, at = site.services, site.clock.now()
    async with services.database.transaction() as tx:
        system = await services.registry.ensure_system(tx, "cliq", "cliq", at, interface="simulated")
        found = Inventory(
            keys=(VendorKey("k1", "K001", KeyKind.DYNAMIC, ProgrammingState.UNKNOWN),),
            locks=(VendorLock("c1", "C1"),),
            rights=(),
            as_of=at,
            visibility_complete=True,
            updaters=(Updater("u1", "wall", "gatehouse", online=True),),
            programming_keys=(ProgrammingKey("p1", "C-12", 30, 1, at - timedelta(hours=20), "workshop"),),
        )
        await services.registry.take_inventory(tx, system.id, found, at)
        assert not await services.registry.take_inventory(tx, system.id, found, at), "nothing new"
        key = await services.custody.block(
            tx, (await services.registry.get_key(tx, "K001")).id, reason="lost", actor="user:soc", at=at
        )
        await services.targets.ensure(tx, key, at)
        visit = BlockVisit("c1", VisitState.LOADED, "p1", at - timedelta(hours=20))
        assert await services.visits.note(tx, key, [visit], (), at)
        assert not await services.visits.note(tx, key, [visit], (), at), "told once"


async def test_a_round_is_shown_and_can_be_given_to_another_programming_key(site: Site) -> None:
    await on_a_round(site)
    client = await site.signed_in("soc")
    (carrier,) = (await client.get("/api/v1/programming-keys")).json()["items"]
    assert (carrier["marking"], carrier["open_visits"], carrier["given_up_at"]) == ("C-12", 1, None)
    (visit,) = (await client.get("/api/v1/keys/K001/block-visits")).json()["items"]
    assert (visit["cylinder"], visit["state"], visit["programming_key"]) == ("C1", "loaded", "p1")
    (updater,) = (await client.get("/api/v1/updaters")).json()["items"]
    assert (updater["place"], updater["online"]) == ("gatehouse", True)

    answer = await client.post("/api/v1/programming-keys/C-12/give-up", json={"reason": "fell into the sea"})
    assert answer.json() == {"visits": 1}, answer.text
    (carrier,) = (await client.get("/api/v1/programming-keys")).json()["items"]
    assert carrier["given_up_at"] is not None
    assert "keys:programming_key:give_up" in await site.kinds()
    again = await client.post("/api/v1/programming-keys/C-12/give-up", json={"reason": "once more"})
    assert again.status_code == 409
    nobody = await client.post("/api/v1/programming-keys/C-99/give-up", json={"reason": "once more"})
    assert nobody.status_code == 404


async def test_reading_is_not_enough_to_give_a_round_up(site: Site) -> None:
    await on_a_round(site)
    client = await site.signed_in("auditor")
    assert (await client.get("/api/v1/programming-keys")).status_code == 200
    answer = await client.post("/api/v1/programming-keys/C-12/give-up", json={"reason": "not mine"})
    assert answer.status_code == 403


async def test_a_programming_key_that_is_seen_again_is_no_longer_given_up(site: Site) -> None:
    await on_a_round(site)
    services, at = site.services, site.clock.now()
    async with services.database.transaction() as tx:
        (system,) = await services.registry.systems(tx)
        await services.visits.give_up(tx, system.id, "p1", reason="lost", actor="user:soc", at=at)
        back = Inventory(
            (), (), (), at, visibility_complete=True,
            programming_keys=(ProgrammingKey("p1", "C-12", 30, 0, at + timedelta(minutes=5), "workshop"),),
        )  # fmt: skip
        await services.registry.take_inventory(tx, system.id, back, at)
        (carrier,) = await services.visits.programming_keys(tx)
    assert carrier.given_up_at is None


async def test_the_status_says_which_key_system_is_simulated(site: Site) -> None:
    await on_a_round(site)
    client = await site.signed_in("auditor")
    (system,) = (await client.get("/api/v1/status")).json()["key_systems"]
    assert (system["name"], system["interface"]) == ("cliq", "simulated")
