"""Adoption over the API, with two people, on a site with a past."""

from typing import Any

import httpx2

from tests.support.database import DatabaseServer

from .past import SYSTEM, served


async def ok(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_site_is_taken_over_step_by_step(databases: DatabaseServer) -> None:
    async with served(databases, adopted=False) as (legacy, site):
        first, second = await site.signed_in("security_manager"), await site.signed_in("security_manager")
        looks_on = await site.signed_in("auditor")
        before = legacy.vendor()

        systems = await ok(await looks_on.get("/api/v1/key-systems"))
        assert [(s["name"], s["writes"], s["adopted"]) for s in systems["items"]] == [(SYSTEM, False, 0)]
        report = await ok(await looks_on.get("/api/v1/adoption/report"))
        assert report["counts"]["keys_without_holder"] == 4
        assert {line["right"] for line in report["lists"]["rights_unused"]} >= {"AP C1", "Operators"}
        assert report["openings_cover"] is False, "openings are known for too short a time, and it says so"
        answer = await looks_on.get("/api/v1/adoption/report/keys_without_holder.csv")
        assert answer.text.splitlines()[0] == "key,system,kind,vendor_says_out,adopted,locks"
        assert len(answer.text.splitlines()) == 5
        standing = (await ok(await looks_on.get("/api/v1/adoption/standing")))["content"]
        assert standing["share"]["standing"] == 6
        assert standing["share"]["just_in_time"] == 0

        asked = {"system": SYSTEM, "reason": "take over"}
        assert (await looks_on.post("/api/v1/adoption/runs", json=asked)).status_code == 403
        proposal = await ok(await first.post("/api/v1/adoption/runs", json=asked), 202)
        own = await first.post(f"/api/v1/proposals/{proposal['id']}/confirm")
        assert own.status_code == 403
        await ok(await second.post(f"/api/v1/proposals/{proposal['id']}/confirm"))
        await legacy.spine.settle()
        runs = (await ok(await looks_on.get("/api/v1/adoption/runs")))["content"]["items"]
        assert [(run["state"], run["adopted"], run["share"]) for run in runs] == [("done", 4, 1.0)]

        switched = {"writes": True, "reason": "pilot begins"}
        await ok(await first.post(f"/api/v1/key-systems/{SYSTEM}/writes", json=switched))
        again = await first.post(f"/api/v1/key-systems/{SYSTEM}/writes", json=switched)
        assert again.status_code == 409
        await legacy.spine.settle()
        assert legacy.vendor() == before


async def test_the_first_difference_is_shown_stored_and_compared_before_a_zone_is_switched(
    databases: DatabaseServer,
) -> None:
    async with served(databases, adopted=True) as (legacy, site):
        first, second = await site.signed_in("security_manager"), await site.signed_in("security_manager")
        zone = await legacy.zone("Z3")
        shown = (await ok(await first.get(f"/api/v1/zones/{zone}/difference")))["content"]
        assert [(c["stamp"], c["takes"], c["elsewhere"]) for c in shown["changes"]] == [
            ("K001", ["C1"], []),
            ("K002", ["C1", "C2"], []),
        ]
        asked = {"mode": "enforce", "reason": "pilot"}
        proposal = await ok(await first.post(f"/api/v1/zones/{zone}/mode", json=asked), 202)
        assert proposal["payload"]["digest"] == shown["digest"]
        assert proposal["payload"]["counts"]["keys_losing"] == 2

        key = await legacy.key("K002")
        await ok(await first.post(f"/api/v1/keys/{key.id}/end-standing", json={"reason": "lost in the mail"}))
        confirm = f"/api/v1/proposals/{proposal['id']}/confirm"
        refused = await second.post(confirm)
        assert refused.status_code == 409
        assert "2 keys then, 1 keys now" in refused.text
        now = (await ok(await second.get(f"/api/v1/zones/{zone}/difference")))["content"]
        await ok(await second.post(confirm, params={"seen": now["digest"]}))
        await legacy.wait(4)
        assert legacy.planned("K001") == {"AP C3"}
        assert legacy.planned("K002") == set()
        done = (await ok(await first.get(f"/api/v1/zones/{zone}/difference")))["content"]
        assert done["changes"] == []


async def test_two_zones_in_turn_empty_a_key_and_the_roll_out_says_how_far_it_is(
    databases: DatabaseServer,
) -> None:
    async with served(databases, adopted=True) as (legacy, site):
        first = await site.signed_in("security_manager")
        plan = {"starts_on": "2026-02-09", "pilot": ["Z3"], "reason": "as agreed"}
        await ok(await first.post("/api/v1/rollout", json=plan))
        before = (await ok(await first.get("/api/v1/rollout")))["content"]
        assert before["week"] == 3
        checks = {c["text"]: c["done"] for stage in before["stages"] for c in stage["checks"]}
        assert checks["The pilot is enforced"] == "no"
        assert checks["Its locks were visited"] == "yes"
        assert checks["Evidence pack and monthly figures"] == "unknown"
        await legacy.mode("Z3", "enforce")
        after = (await ok(await first.get("/api/v1/rollout")))["content"]
        checks = {c["text"]: c["done"] for stage in after["stages"] for c in stage["checks"]}
        assert checks["The pilot is enforced"] == "yes"
        assert checks["Every zone is enforced"] == "no"
        zones = {zone["zone"]: zone for zone in after["zones"]}
        assert zones["Z3"]["mode"] == "enforce"
        assert zones["Z2"]["missing"] == []


async def test_one_key_is_adopted_at_the_desk_and_visits_are_listed(databases: DatabaseServer) -> None:
    async with served(databases, adopted=False) as (legacy, site):
        desk = await site.signed_in("shift_leader")
        person = legacy.spine.persons["u1"]
        refused = await desk.post("/api/v1/keys/K001/hand-out", json={"person": str(person)})
        assert refused.status_code == 409
        assert "adopt it first" in refused.text
        done = await ok(await desk.post("/api/v1/keys/K001/adopt", json={"reason": "for the test"}))
        assert done["kept"] == 2
        await ok(await desk.post("/api/v1/keys/K001/hand-out", json={"person": str(person)}))
        twice = await desk.post("/api/v1/keys/K001/adopt", json={"reason": "for the test"})
        assert twice.status_code == 409
        visits = (await ok(await desk.get("/api/v1/adoption/visits")))["content"]
        assert visits["locks_done"] == len(visits["locks"]) == 6
        assert [lock["area"] for lock in visits["locks"]] == ["CDU"] * 6


async def test_ending_a_persons_access_ends_what_their_keys_kept_from_before(
    databases: DatabaseServer,
) -> None:
    async with served(databases, adopted=True) as (legacy, site):
        soc = await site.signed_in("soc")
        person = await legacy.spine.person("u1")
        await legacy.spine.hand_out("K002", "u1")
        await legacy.wait(2)
        assert legacy.planned("K002") != set()
        others = legacy.planned("K001")
        await ok(await soc.post("/api/v1/revoke", json={"reason": "suspected", "person": str(person)}))
        await legacy.wait(4)
        assert legacy.planned("K002") == set()
        assert legacy.planned("K001") == others
