"""Bounds that a finding opened again, pages of exposure, and walks with the plant's coordinates, over HTTP."""

from datetime import timedelta
from pathlib import Path

from key2xs.core.postgres import RoleDsns
from key2xs.keys.reopening.rules import Broken, Cause
from key2xs.plant.importer import import_csv
from tests.api.test_answers import Night, night
from tests.support.tiny import tiny_site, twin_id

PLACES = {"AP-C1": ("51.90000", "4.30000"), "AP-C4": ("51.90100", "4.30000")}


async def revoked(it: Night) -> None:
    """A key that is out of reach was ended: it is bounded at C1 and C4."""
    spine = it.spine
    person = await spine.person("u1")
    await spine.hand_out("K001", "u1")
    await spine.live_permit("C1", "C4", crew=("u1",))
    await spine.advance(timedelta(minutes=1))
    spine.world.cut_network(twin_id("key 1"))
    await it.client.post("/api/v1/revoke", json={"reason": "left", "person": str(person)})
    await spine.advance(timedelta(minutes=3))


async def find_clock(it: Night) -> None:
    async with it.spine.services.database.transaction() as tx:
        key = await it.spine.services.registry.get_key(tx, "K001")
        found = Broken(Cause.CLOCK, "its clock was off by 40 minutes when it was updated", it.spine.now)
        assert await it.spine.services.reopenings.of_key(tx, key, found, it.spine.now)
        assert not await it.spine.services.reopenings.of_key(tx, key, found, it.spine.now), "once"


async def test_a_finding_opens_a_bound_again_until_a_person_says_it_was_put_right(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    async with night(db_dsns, tmp_path) as it:
        await revoked(it)
        before = await it.get("/api/v1/exposure?key=K001")
        assert before["kind"] == "bound"
        assert (await it.get("/api/v1/exposure/reopened"))["items"] == []
        await find_clock(it)
        (found,) = (await it.get("/api/v1/exposure/reopened?key=K001"))["items"]
        assert (found["key"], found["before"], found["after"]) == ("K001", "bound", "no_bound")
        assert found["before_until"] == before["until"]
        assert found["assumptions"] == ["clock-margin"]
        after = await it.get("/api/v1/exposure?key=K001")
        assert (after["kind"], after["until"]) == ("no_bound", None)
        term = after["keys"][0]["cylinders"][0]["terms"][0]
        assert term["name"] == "re-opened because"
        assert term["value"] == "its clock was off by 40 minutes when it was updated"
        assert {each["kind"] for each in (await it.get("/api/v1/exposure/totals?by=key"))["groups"]} == {
            "no_bound"
        }

        path = f"/api/v1/exposure/reopened/{found['id']}/settle"
        assert (await it.client.post(path, json={})).status_code == 400
        done = await it.client.post(path, json={"reason": "clock checked"}, headers={"Idempotency-Key": "a"})
        assert done.json()["closed_by"] == "person"
        again = await it.client.post(path, json={"reason": "clock checked"}, headers={"Idempotency-Key": "a"})
        assert again.json() == done.json()
        assert (await it.client.post(path, json={"reason": "clock checked"})).status_code == 409
        assert (await it.get("/api/v1/exposure?key=K001"))["until"] == before["until"]
        assert (await it.get("/api/v1/exposure/reopened"))["items"] == []
        assert len((await it.get("/api/v1/exposure/reopened?closed=true"))["items"]) == 1


async def test_exposure_comes_in_pages_the_worst_keys_first(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with night(db_dsns, tmp_path) as it:
        for stamp, ref in (("K001", "u1"), ("K002", "u2")):
            await it.spine.person(ref)
            await it.spine.hand_out(stamp, ref)
        await it.spine.live_permit("C1", crew=("u2",))
        await it.spine.advance(timedelta(minutes=1))
        whole = await it.get("/api/v1/exposure?company=v017")
        stamps = [each["key"] for each in whole["keys"]]
        assert (whole["total"], whole["next"]) == (len(stamps), None)
        seen, cursor, page = [], "", whole
        for _ in stamps:
            page = await it.get(f"/api/v1/exposure?company=v017&limit=1{cursor}")
            seen += [each["key"] for each in page["keys"]]
            assert page["total"] == len(stamps)
            cursor = f"&cursor={page['next']}"
        assert sorted(seen) == sorted(stamps)
        assert page["next"] is None
        assert (await it.get("/api/v1/exposure?company=v017&cursor=AAAAAAAAAAAAAAAAAAAAAA", 400))[
            "status"
        ] == 400


async def test_walks_know_the_coordinates_of_the_plant(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with night(db_dsns, tmp_path) as it:
        await revoked(it)
        rows = [
            row | dict(zip(("lat", "lon"), PLACES[row["access_point_id"]], strict=True))
            for row in tiny_site().files["access_points"]
            if row["access_point_id"] in PLACES
        ]
        async with it.spine.services.database.transaction() as tx:
            report = await import_csv(
                tx, it.spine.services.ledger, "access_points", rows, at=it.spine.now, actor="user:setup"
            )
        assert not report.errors
        walk = (await it.get("/api/v1/exposure?key=K001"))["walk"]
        assert {stop["place"] for stop in walk["stops"]} == set(PLACES)
        assert walk["stops"][0]["metres"] is None
        assert 110 <= walk["metres"] <= 112, "a thousandth of a degree of latitude"
        assert (walk["unplaced"], walk["left_out"]) == (0, 0)

        route = await it.get("/api/v1/coverage/route")
        assert route["cylinders"] == len((await it.get("/api/v1/coverage?standing=unknown"))["cylinders"]) > 2
        assert [stop["metres"] for stop in route["walk"]["stops"]][1] == walk["metres"], "near ones first"
        assert route["walk"]["unplaced"] == len(route["walk"]["stops"]) - 2
        assert (await it.get("/api/v1/coverage/route?zone=nowhere"))["walk"]["stops"] == []
