"""Ending access for many over the API: look, two people, progress, pause, and who is left alone."""

from typing import Any
from uuid import UUID

import httpx2

from key2xs.core.ids import UnitId, new_id
from key2xs.incidents.mass.loop import MassLoop
from tests.api.conftest import Site
from tests.api.leases import add_keys, company_with, give_grant, states

WHY = "breach at v001"


async def _look(client: httpx2.AsyncClient, **aim: str) -> dict[str, Any]:
    answer = await client.post("/api/v1/mass-actions/look", json=aim)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _propose(client: httpx2.AsyncClient, digest: str, **aim: str) -> httpx2.Response:
    return await client.post("/api/v1/mass-actions", json={**aim, "digest": digest, "reason": WHY})


async def begin(site: Site, **aim: str) -> str:
    first, second = await site.signed_in("soc"), await site.signed_in("shift_leader")
    proposed = await _propose(first, (await _look(first, **aim))["digest"], **aim)
    assert proposed.status_code == 202, proposed.text
    done = await second.post(f"/api/v1/proposals/{proposed.json()['id']}/confirm")
    assert done.status_code == 200, done.text
    return str(done.json()["mass"])


async def go_on(site: Site) -> None:
    loop = MassLoop(site.services.database, site.services.mass_runs)
    for _ in range(50):
        if await loop.step(site.clock.now()) is None:
            assert loop.problem is None
            return
    raise AssertionError("does not come to an end")


async def test_a_look_shows_who_and_what_and_changes_nothing(site: Site) -> None:
    persons = await company_with(site, "v001", 2)
    grants = [await give_grant(site, person) for person in persons]
    spared = await give_grant(site, persons[0], kind="duty_role", ref=f"duty:fire_brigade:{UnitId(new_id())}")
    client = await site.signed_in("soc")
    before = await site.kinds()
    found = await _look(client, kind="company", ref="v001")
    assert sorted(found["people"]) == sorted(str(person) for person in persons)
    assert sorted(found["grants"]) == sorted(str(grant) for grant in grants)
    assert found["spared"] == [str(spared)]
    assert not found["stays_stopped"]
    assert await states(site) == ["active"] * 3
    assert await site.kinds() == before


async def test_a_company_ends_after_two_people_and_its_emergency_duty_stays(site: Site) -> None:
    persons = await company_with(site, "v001", 3)
    for person in persons:
        await give_grant(site, person)
    await give_grant(site, persons[0], kind="duty_role", ref=f"duty:fire_brigade:{UnitId(new_id())}")
    others = await give_grant(site, await site.person("other"))
    mass = await begin(site, kind="company", ref="v001")
    assert await states(site) == ["active"] * 5, "begun, and every grant ends in a batch"
    await go_on(site)
    assert await states(site) == ["ended"] * 3 + ["active"] * 2
    client = await site.signed_in("soc")
    shown = (await client.get(f"/api/v1/mass-actions/{mass}")).json()
    assert shown["mass"]["state"] == "finished"
    assert not shown["mass"]["stopped"]
    assert shown["progress"]["grants"]["ended"] == 3
    assert [each["id"] for each in (await client.get("/api/v1/mass-actions")).json()["items"]] == [mass]
    kinds = await site.kinds()
    assert kinds.count("incidents:mass:start") == 1
    assert kinds.count("grants:lease:end") == 3
    assert (await client.get(f"/api/v1/grants/{others}")).json()["state"] == "active"


async def test_what_was_not_looked_at_is_refused_and_what_fell_away_is_not(site: Site) -> None:
    persons = await company_with(site, "v001", 2)
    await give_grant(site, persons[0])
    first, second = await site.signed_in("soc"), await site.signed_in("shift_leader")
    aim = {"kind": "company", "ref": "v001"}
    digest = (await _look(first, **aim))["digest"]
    await give_grant(site, persons[1])
    refused = await _propose(first, digest, **aim)
    assert refused.status_code == 409
    assert "1 more grants, 1 more people" in refused.json()["detail"]
    digest = (await _look(first, **aim))["digest"]
    proposal = (await _propose(first, digest, **aim)).json()["id"]
    late = await give_grant(site, persons[1])
    confirm = f"/api/v1/proposals/{proposal}/confirm"
    assert (await second.post(confirm)).status_code == 409
    seen = (await _look(second, **aim))["digest"]
    ended = await second.post("/api/v1/revoke", json={"reason": "by itself", "grant": str(late)})
    assert ended.status_code == 200, ended.text
    assert (await second.post(confirm, params={"seen": seen})).status_code == 200
    await go_on(site)
    assert set(await states(site)) == {"ended"}
    assert (await _propose(first, "0" * 32, **aim)).status_code == 409, "nobody was shown that"


async def test_a_second_start_is_refused_while_one_is_under_way(site: Site) -> None:
    persons = await company_with(site, "v001", 1)
    await give_grant(site, persons[0])
    first, second = await site.signed_in("soc"), await site.signed_in("shift_leader")
    aim = {"kind": "company", "ref": "v001"}
    digest = (await _look(first, **aim))["digest"]
    proposals = [(await _propose(first, digest, **aim)).json()["id"] for _ in range(2)]
    answers = [await second.post(f"/api/v1/proposals/{each}/confirm") for each in proposals]
    assert [answer.status_code for answer in answers] == [200, 409]
    assert "under way" in answers[1].json()["detail"]


async def test_a_pause_keeps_what_is_left_and_takes_nothing_back(site: Site) -> None:
    persons = await company_with(site, "v001", 3)
    for person in persons:
        await give_grant(site, person)
    mass = await begin(site, kind="company", ref="v001")
    async with site.services.database.transaction() as tx:
        assert await site.services.mass_runs.batch(tx, UUID(mass), site.clock.now(), 1) == 1
    leader = await site.signed_in("shift_leader")
    assert (await leader.post(f"/api/v1/mass-actions/{mass}/pause")).status_code == 400, "says why"
    paused = await leader.post(f"/api/v1/mass-actions/{mass}/pause", json={"reason": "wrong company"})
    assert paused.json()["state"] == "paused"
    async with site.services.database.transaction() as tx:
        assert not await site.services.mass_runs.batch(tx, UUID(mass), site.clock.now()), "one step late"
    await go_on(site)
    assert sorted(await states(site)) == ["active", "active", "ended"]
    again = await leader.post(f"/api/v1/mass-actions/{mass}/pause", json={"reason": "wrong company"})
    assert again.status_code == 409
    await leader.post(f"/api/v1/mass-actions/{mass}/resume", json={"reason": "right after all"})
    await go_on(site)
    assert await states(site) == ["ended"] * 3


async def test_everyone_is_stopped_until_two_people_lift_it(site: Site) -> None:
    fireman, worker = await site.person("fire"), await site.person("work")
    await give_grant(site, fireman, kind="duty_role", ref=f"duty:fire_brigade:{UnitId(new_id())}")
    await give_grant(site, fireman)
    await give_grant(site, worker)
    await give_grant(site, worker, kind="emergency", ref=f"request:{new_id()}")
    mass = await begin(site, kind="everyone")
    await go_on(site)
    assert await states(site) == ["active", "active", "ended", "active"], "the crew keeps all it has"
    first, second = await site.signed_in("soc"), await site.signed_in("shift_leader")
    shown = (await first.get(f"/api/v1/mass-actions/{mass}")).json()["mass"]
    assert (shown["state"], shown["stopped"]) == ("finished", True)
    lift = await first.post(f"/api/v1/mass-actions/{mass}/lift", json={"reason": "it is over"})
    assert lift.status_code == 202, lift.text
    own = await first.post(f"/api/v1/proposals/{lift.json()['id']}/confirm")
    assert own.status_code == 403
    assert (await second.post(f"/api/v1/proposals/{lift.json()['id']}/confirm")).status_code == 200
    shown = (await first.get(f"/api/v1/mass-actions/{mass}")).json()["mass"]
    assert not shown["stopped"]
    assert await states(site) == ["active", "active", "ended", "active"], "nothing comes back by it"


async def test_keys_of_the_people_affected_are_listed_until_they_are_back(site: Site) -> None:
    persons = await company_with(site, "v001", 1)
    await give_grant(site, persons[0])
    keys = await add_keys(site, "K1", "K2")
    at = site.clock.now()
    async with site.services.database.transaction() as tx:
        await site.services.custody.hand_out(tx, keys["K1"], persons[0], actor="user:desk", at=at)
    mass = await begin(site, kind="company", ref="v001")
    await go_on(site)
    client = await site.signed_in("soc")
    items = (await client.get(f"/api/v1/mass-actions/{mass}/unreturned")).json()["items"]
    assert [(each["key"], each["person"], each["overdue"]) for each in items] == [
        ("K1", str(persons[0]), False)
    ]
    text = (await client.get(f"/api/v1/mass-actions/{mass}/unreturned.csv")).text
    assert text.splitlines()[1].startswith(f"K1,iloq-main,{persons[0]},")
    async with site.services.database.transaction() as tx:
        await site.services.custody.take_back(tx, keys["K1"], actor="user:desk", at=site.clock.now())
    assert (await client.get(f"/api/v1/mass-actions/{mass}/unreturned")).json()["items"] == []


async def test_who_may_do_what(site: Site) -> None:
    await company_with(site, "v001", 1)
    auditor = await site.signed_in("auditor")
    digest = (await _look(auditor, kind="company", ref="v001"))["digest"]
    assert (await _propose(auditor, digest, kind="company", ref="v001")).status_code == 403
    worker = await site.signed_in("worker")
    assert (await worker.post("/api/v1/mass-actions/look", json={"kind": "everyone"})).status_code == 403
    soc = await site.signed_in("soc")
    for wrong in ({"kind": "everyone", "ref": "x"}, {"kind": "company"}, {"kind": "all"}):
        assert (await soc.post("/api/v1/mass-actions/look", json=wrong)).status_code == 400
    assert (
        await soc.post("/api/v1/mass-actions/look", json={"kind": "zone", "ref": "Z9"})
    ).status_code == 404
    nothing = await _propose(soc, digest, kind="company", ref="v001")
    assert nothing.status_code == 409, "there is nothing to end"
