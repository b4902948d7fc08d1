"""Safety over the API: stops that wait, questions, watches, and who may answer them."""

from datetime import timedelta

import pytest

from key2xs.core.ids import PersonId, UnitId, new_id
from key2xs.identity import Act
from key2xs.identity.duties import Duty
from tests.api.conftest import Site
from tests.api.leases import give_grant, states


async def on_duty(site: Site) -> PersonId:
    """Somebody on duty, with access."""
    person, at = await site.person(), site.clock.now()
    async with site.services.database.transaction() as tx:
        duty = Duty("field_operator", UnitId(new_id()), at, at + timedelta(hours=8))
        await site.identity.put_duty(tx, Act("system:test", at), person, duty)
    await give_grant(site, person)
    return person


async def test_a_stop_of_somebody_on_duty_waits_and_says_until_when(site: Site) -> None:
    person = await on_duty(site)
    soc = await site.signed_in("soc")
    looked = (
        await soc.post("/api/v1/revoke", json={"reason": "what if", "person": str(person), "dry_run": True})
    ).json()
    assert (looked["state"], looked["at_work"], looked["stop"]) == ("dry_run", [str(person)], None)
    done = (await soc.post("/api/v1/revoke", json={"reason": "SIEM alarm", "person": str(person)})).json()
    assert done["state"] == "waiting"
    assert await states(site) == ["active"]
    waiting = (await soc.get("/api/v1/safety/stops")).json()["items"]
    assert [(each["id"], each["proceeds_at"]) for each in waiting] == [(done["stop"], done["proceeds_at"])]
    again = await soc.post("/api/v1/revoke", json={"reason": "SIEM alarm", "person": str(person)})
    assert again.status_code == 409
    assert (await soc.post(f"/api/v1/safety/stops/{done['stop']}/proceed")).status_code == 403
    leader = await site.signed_in("shift_leader")
    assert (
        await leader.post(
            f"/api/v1/safety/stops/{done['stop']}/withdraw", json={"reason": "the wrong person"}
        )
    ).status_code == 403
    went = await leader.post(f"/api/v1/safety/stops/{done['stop']}/proceed")
    assert went.json()["state"] == "done", went.text
    assert await states(site) == ["ended"]
    assert (await leader.post(f"/api/v1/safety/stops/{done['stop']}/proceed")).status_code == 409


async def test_whoever_asked_takes_it_back_and_a_security_manager_does_not_say_go_to_himself(
    site: Site,
) -> None:
    person = await on_duty(site)
    manager = await site.signed_in("security_manager")
    done = (await manager.post("/api/v1/revoke", json={"reason": "a doubt", "person": str(person)})).json()
    assert (await manager.post(f"/api/v1/safety/stops/{done['stop']}/proceed")).status_code == 403
    back = await manager.post(
        f"/api/v1/safety/stops/{done['stop']}/withdraw", json={"reason": "the wrong person"}
    )
    assert back.json()["state"] == "withdrawn", back.text
    assert await states(site) == ["active"]


async def test_ending_a_contract_of_somebody_on_duty_is_told_first(site: Site) -> None:
    person = await on_duty(site)
    coordinator = await site.signed_in("contractor_coordinator")
    path, why = f"/api/v1/persons/{person}/end-contract", {"reason": "job done early"}
    asked = await coordinator.post(path, json=why)
    assert asked.status_code == 202, asked.text
    assert (asked.json()["state"], asked.json()["proceeds_at"]) == ("waiting", asked.json()["ends"])
    assert (await coordinator.post(path, json=why)).status_code == 409
    assert "identity:contract:change" not in await site.kinds()
    leader = await site.signed_in("shift_leader")
    went = await leader.post(f"/api/v1/safety/stops/{asked.json()['stop']}/proceed")
    assert went.json()["state"] == "done", went.text
    assert "identity:contract:change" in await site.kinds()
    idle = await site.person("idle", ref="idle")
    done = await coordinator.post(f"/api/v1/persons/{idle}/end-contract", json=why)
    assert (done.status_code, done.json()["state"]) == (200, "ended")


async def test_somebody_who_works_alone_is_watched_over(site: Site) -> None:
    person = await site.person()
    leader = await site.signed_in("shift_leader")
    body = {"person": str(person), "every_minutes": 15, "place": "pump house 3"}
    made = await leader.post("/api/v1/safety/watches", json=body)
    assert made.status_code == 201, made.text
    assert (await leader.post("/api/v1/safety/watches", json=body)).status_code == 409
    site.clock.advance_to(site.clock.now() + timedelta(minutes=16))
    await site.services.database.transact(lambda tx: site.services.watches.tell_missed(tx, site.clock.now()))
    found = (await leader.get("/api/v1/safety/check-ins")).json()
    assert found["watches"][0]["missed_at"] is not None
    name = found["watches"][0]["id"]
    seen = await leader.post(f"/api/v1/safety/watches/{name}/seen")
    assert seen.json()["missed_at"] is None
    assert (await leader.post(f"/api/v1/safety/watches/{name}/end")).status_code == 200
    assert (await leader.post(f"/api/v1/safety/watches/{name}/seen")).status_code == 409
    assert (await leader.get("/api/v1/safety/check-ins")).json()["watches"] == []


@pytest.mark.parametrize("minutes", [0, 4, 481])
async def test_a_pace_nobody_can_keep_is_refused(site: Site, minutes: int) -> None:
    leader = await site.signed_in("shift_leader")
    body = {"person": str(await site.person()), "every_minutes": minutes}
    answer = await leader.post("/api/v1/safety/watches", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "every_minutes"


async def test_nothing_is_held_and_nothing_asked_on_a_quiet_site(site: Site) -> None:
    leader = await site.signed_in("shift_leader")
    assert (await leader.get("/api/v1/safety/holds")).json() == {"items": []}
    assert (await leader.get("/api/v1/safety/inside")).json() == {"items": []}
    assert (
        await leader.post(f"/api/v1/safety/holds/{new_id()}/release", json={"reason": "why not"})
    ).status_code == 404
    auditor = await site.signed_in("auditor")
    assert (
        await auditor.post("/api/v1/safety/watches", json={"person": "x", "every_minutes": 30})
    ).status_code == 403
