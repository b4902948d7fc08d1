"""Acts: done once however often they are sent, asked by one and approved by another, and on the log."""

import asyncio
from datetime import timedelta

from key2xs.policy import shipped_policies, shipped_site_data
from tests.api.conftest import Site
from tests.api.leases import add_keys, give_grant, states
from tests.api.plant import import_plant


async def test_an_act_sent_twice_with_one_key_happens_once(site: Site) -> None:
    grant = await give_grant(site, await site.person())
    client = await site.signed_in("soc")
    body = {"reason": "alarm from the SIEM", "grant": str(grant)}
    headers = {"Idempotency-Key": "4f1c"}
    first = await client.post("/api/v1/revoke", json=body, headers=headers)
    kinds = await site.kinds()
    again = await client.post("/api/v1/revoke", json=body, headers=headers)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (200, first.json())
    assert await site.kinds() == kinds


async def test_an_act_sent_twice_at_once_happens_once(site: Site) -> None:
    grant = await give_grant(site, await site.person())
    client = await site.signed_in("soc")
    body = {"reason": "alarm from the SIEM", "grant": str(grant)}
    answers = await asyncio.gather(
        *(client.post("/api/v1/revoke", json=body, headers={"Idempotency-Key": "same"}) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert (await site.kinds()).count("grants:lease:end") == 1


async def test_a_key_that_came_with_another_act_is_refused(site: Site) -> None:
    one, other = [await give_grant(site, await site.person(ref=f"p{n}")) for n in range(2)]
    client = await site.signed_in("soc")
    headers = {"Idempotency-Key": "4f1c"}
    body = {"reason": "alarm from the SIEM", "grant": str(one)}
    assert (await client.post("/api/v1/revoke", json=body, headers=headers)).status_code == 200
    body["grant"] = str(other)
    assert (await client.post("/api/v1/revoke", json=body, headers=headers)).status_code == 422
    assert await states(site) == ["ended", "active"]


async def test_one_key_of_two_people_is_two_keys(site: Site) -> None:
    one, other = [await give_grant(site, await site.person(ref=f"p{n}")) for n in range(2)]
    for grant in (one, other):
        client = await site.signed_in("soc")
        body = {"reason": "alarm from the SIEM", "grant": str(grant)}
        answer = await client.post("/api/v1/revoke", json=body, headers={"Idempotency-Key": "4f1c"})
        assert answer.status_code == 200


async def test_an_act_that_failed_may_be_sent_again_with_its_key(site: Site) -> None:
    client = await site.signed_in("security_manager")
    headers = {"Idempotency-Key": "4f1c"}
    body = {"reason": "lost it"}
    assert (await client.post("/api/v1/keys/1001/block", json=body, headers=headers)).status_code == 404
    await add_keys(site, "1001")
    assert (await client.post("/api/v1/keys/1001/block", json=body, headers=headers)).status_code == 200


async def test_a_key_goes_out_once_and_comes_back(site: Site) -> None:
    await add_keys(site, "1001")
    person, other = await site.person(ref="a"), await site.person(ref="b")
    leader = await site.signed_in("shift_leader")
    out = await leader.post("/api/v1/keys/1001/hand-out", json={"person": str(person)})
    assert out.status_code == 200, out.text
    assert out.json()["holder"] == str(person)
    assert (await leader.post("/api/v1/keys/1001/hand-out", json={"person": str(other)})).status_code == 409
    held = (await leader.get("/api/v1/keys/out")).json()["items"]
    assert [(each["key"], each["holder"]) for each in held] == [("1001", str(person))]
    shown = (await leader.get(f"/api/v1/persons/{person}")).json()
    assert [key["stamp"] for key in shown["keys"]] == ["1001"]
    site.clock.advance_to(site.clock.now() + timedelta(hours=1))
    assert (await leader.post("/api/v1/keys/1001/take-back")).status_code == 200
    assert (await leader.post("/api/v1/keys/1001/take-back")).status_code == 409
    again = await leader.post("/api/v1/keys/1001/hand-out", json={"person": "entra:b"})
    assert again.status_code == 200, again.text
    assert again.json()["holder"] == str(other)


async def test_a_request_is_approved_by_somebody_else_and_never_by_the_holder(site: Site) -> None:
    await import_plant(site)
    leader, issuer = await site.signed_in("shift_leader"), await site.signed_in("permit_issuer")
    holder = (await issuer.get("/api/v1/session")).json()["person"]
    asked = {
        "kind": "approved_request",
        "person": holder,
        "cylinders": ["CDU-001"],
        "ends_at": (site.clock.now() + timedelta(hours=2)).isoformat(),
        "reason": "inspection of the gate",
    }
    made = await leader.post("/api/v1/requests", json=asked)
    assert made.status_code == 201, made.text
    path = f"/api/v1/requests/{made.json()['id']}"
    assert (await leader.post(f"{path}/approve", json={})).status_code == 403  # whoever asks
    assert (await issuer.post(f"{path}/approve", json={})).status_code == 403  # whoever would hold
    token = await site.with_token("permit_issuer")
    assert (await token.post(f"{path}/approve", json={})).status_code == 403  # nobody
    unlinked = await site.signed_in("permit_issuer", person=False)
    assert (await unlinked.post(f"{path}/approve", json={})).status_code == 403
    third = await site.signed_in("permit_issuer")
    done = await third.post(f"{path}/approve", json={"reason": "seen"})
    assert done.status_code == 200, done.text
    assert done.json()["state"] == "approved"
    assert (await leader.get("/api/v1/requests")).json()["items"] == []


async def test_an_emergency_needs_two_approvers_and_one_access_point(site: Site) -> None:
    await import_plant(site)
    leader = await site.signed_in("shift_leader")
    holder = str(await site.person(ref="holder"))
    asked = {
        "kind": "emergency",
        "person": holder,
        "cylinders": ["CDU-001", "CDU-002"],
        "ends_at": (site.clock.now() + timedelta(minutes=30)).isoformat(),
        "reason": "smoke behind the gate",
    }
    assert (await leader.post("/api/v1/requests", json=asked)).status_code == 400
    asked["cylinders"] = ["CDU-001"]
    path = f"/api/v1/requests/{(await leader.post('/api/v1/requests', json=asked)).json()['id']}"
    assert (await leader.post(f"{path}/approve", json={})).status_code == 403  # whoever asks does not approve
    first = await site.signed_in("permit_issuer")
    assert (await first.post(f"{path}/approve", json={})).json()["state"] == "requested"
    assert (await first.post(f"{path}/approve", json={})).status_code == 409
    second = await site.signed_in("security_manager")
    assert (await second.post(f"{path}/approve", json={})).json()["state"] == "approved"


async def test_a_zone_is_widened_by_two_people_and_narrowed_by_one(site: Site) -> None:
    await import_plant(site)
    one, other = await site.signed_in("security_manager"), await site.signed_in("security_manager")
    zone = (await one.get("/api/v1/zones")).json()["items"][0]
    assert zone["mode"] == "observe"
    path = f"/api/v1/zones/{zone['id']}/mode"
    proposed = await one.post(path, json={"mode": "enforce", "reason": "ready"})
    assert proposed.status_code == 202, proposed.text
    confirm = f"/api/v1/proposals/{proposed.json()['id']}/confirm"
    assert (await one.post(confirm)).status_code == 403
    assert (await other.post(confirm)).status_code == 200
    assert (await one.get("/api/v1/zones")).json()["items"][0]["mode"] == "enforce"
    back = await one.post(path, json={"mode": "observe", "reason": "trouble with the vendor"})
    assert back.status_code == 200
    assert (await one.post(path, json={"mode": "observe", "reason": "again"})).status_code == 409


async def test_a_bundle_is_put_in_force_by_a_second_person(site: Site) -> None:
    one, other = await site.signed_in("security_manager"), await site.signed_in("security_manager")
    body = {"version": "site-2", "policies": shipped_policies(), "site_data": shipped_site_data()}
    made = await one.post("/api/v1/bundles", json=body)
    assert made.status_code == 201, made.text
    path = f"/api/v1/bundles/{made.json()['id']}/activate"
    assert (await one.post(path)).status_code == 403
    unlinked = await site.signed_in("security_manager", person=False)
    assert (await unlinked.post(path)).status_code == 403
    assert (await (await site.with_token("security_manager")).post(path)).status_code == 403
    assert (await other.post(path)).status_code == 200
    listed = (await one.get("/api/v1/bundles")).json()["items"]
    assert listed[0]["active_from"] is not None


async def test_a_bundle_that_cannot_be_used_is_refused_with_every_problem(site: Site) -> None:
    client = await site.signed_in("security_manager")
    answer = await client.post("/api/v1/bundles", json={"version": "x", "policies": "permit(nonsense"})
    assert answer.status_code == 400
    assert answer.json()["errors"]


async def test_a_name_is_shown_for_a_purpose_that_leaves_a_trace(site: Site) -> None:
    person = await site.person("Joris Hofmeent")
    leader, auditor = await site.signed_in("shift_leader"), await site.signed_in("auditor")
    path = f"/api/v1/persons/{person}/reveal"
    assert (await auditor.post(path, json={"purpose": "curious me"})).status_code == 403
    assert (await leader.post(path, json={"purpose": "x"})).status_code == 400
    shown = await leader.post(path, json={"purpose": "call to the gate"})
    assert shown.json() == {"id": str(person), "name": "Joris Hofmeent"}
    async with site.services.database.read() as tx:
        row = await tx.fetchrow("SELECT actor, subjects, body FROM log_body ORDER BY seq DESC LIMIT 1")
    assert row is not None
    assert row["subjects"] == [f"person:{person}"]
    assert "call to the gate" not in str(row["body"])  # sealed under the key of whoever typed it
    assert await site.services.ledger.reveal(row["body"]["reason"]) == "call to the gate"


async def test_people_appear_by_id_only(site: Site) -> None:
    person = await site.person("Joris Hofmeent", ref="u10127")
    await add_keys(site, "1001")
    await give_grant(site, person)
    leader = await site.signed_in("shift_leader")
    await leader.post("/api/v1/keys/1001/hand-out", json={"person": str(person)})
    for path in (
        f"/api/v1/persons/{person}",
        "/api/v1/grants",
        "/api/v1/keys/1001",
        "/api/v1/keys/out",
        "/api/v1/openings",
        "/api/v1/alarms",
        f"/api/v1/exposure?person={person}",
    ):
        answer = await leader.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert "Joris" not in answer.text
        assert "u10127" not in answer.text
