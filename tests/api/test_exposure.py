"""Exposure over HTTP: by zone and company, with terms, assumptions, what would shorten it, and added up."""

from datetime import timedelta
from pathlib import Path

from key2xs.core.postgres import RoleDsns
from key2xs.keys.assumptions import ASSUMPTIONS
from tests.api.test_answers import night
from tests.support.tiny import twin_id


async def test_a_revoked_key_out_of_reach_is_found_by_zone_company_person_and_key(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    async with night(db_dsns, tmp_path) as it:
        spine = it.spine
        person = await spine.person("u1")
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", "C4", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        assert (await it.get("/api/v1/exposure/totals?by=zone"))["groups"] == []
        spine.world.cut_network(twin_id("key 1"))
        await it.client.post("/api/v1/revoke", json={"reason": "left", "person": str(person)})
        await spine.advance(timedelta(minutes=3))

        whole = await it.get("/api/v1/exposure?company=v017")
        (key,) = whole["keys"]
        assert (key["kind"], key["residual"]) == ("bound", ["C1", "C4"])
        assert whole["counts"] == {
            "no_bound": 0, "bound": 1, "still_allowed": 0, "proven_end": 0, "residual_cylinders": 2,
        }  # fmt: skip
        used = {each for pair in key["cylinders"] for each in pair["assumptions"]}
        assert {each["id"] for each in whole["assumptions"]} == used
        assert all(each["text"] == ASSUMPTIONS[each["id"]].text for each in whole["assumptions"])
        assert all(term["source"] for pair in key["cylinders"] for term in pair["terms"])
        assert key["shorten"]["ask"]["then"] == {"kind": "proven_end", "until": None, "cylinders": 0}
        assert key["shorten"]["walked"]["kind"] == "proven_end"
        assert key["shorten"]["needs_block"] is True
        walked = sorted(each for stop in whole["walk"]["stops"] for each in stop["cylinders"])
        assert walked == ["C1", "C4"]

        zones = {each["code"]: each for each in (await it.get("/api/v1/zones"))["items"]}
        cylinders = {}
        for code in zones:
            found = await it.get(f"/api/v1/exposure?zone={code}")
            for each in found["keys"]:
                cylinders[code] = each["residual"]
                assert [pair["cylinder"] for pair in each["cylinders"]] == each["residual"]
        assert sorted(marking for found in cylinders.values() for marking in found) == ["C1", "C4"]
        assert (await it.get("/api/v1/exposure?zone=nowhere", 404))["status"] == 404

        for by, name in (("key", "K001"), ("person", str(person)), ("company", None), ("zone", None)):
            groups = (await it.get(f"/api/v1/exposure/totals?by={by}"))["groups"]
            assert {each["kind"] for each in groups} == {"bound"}
            assert sum(each["residual_cylinders"] for each in groups) == 2
            assert name is None or [each["name"] for each in groups] == [name]

        # The holder does update: exposure is over at once, and nothing is left to walk to.
        spine.world.restore_network(twin_id("key 1"))
        await spine.advance(timedelta(minutes=20))
        after = await it.get("/api/v1/exposure?key=K001")
        assert (after["kind"], after["keys"][0]["shorten"], after["walk"]["stops"]) == (
            "proven_end",
            None,
            [],
        )
        assert (await it.get("/api/v1/exposure/totals?by=key"))["groups"] == []
