"""Custody over HTTP: from hand to hand, crews, lost and broken keys, lists, what does not fit, cabinets."""

from datetime import timedelta
from typing import Any

import httpx2
import msgspec
import pytest

from key2xs.core.ids import KeyId, PersonId, UnitId, new_id
from key2xs.core.outside import CabinetSource, PermitSource, ScimSource
from key2xs.core.secret import Secret
from key2xs.core.settings import Settings
from key2xs.identity.duties import Duty
from key2xs.identity.types import Act
from key2xs.incidents.kill_types import By
from key2xs.keys.port import Inventory, KeyKind, ProgrammingState, VendorKey, VendorLock
from key2xs.work.signature import sign
from tests.api.conftest import PTW_SECRET, SCIM_TOKEN, Site
from tests.api.leases import give_grant
from tests.api.plant import CSV, FILES

SECRET = Secret("whsec_" + "D" * 43 + "=")


@pytest.fixture
def settings() -> Settings:
    return Settings(
        scim=(ScimSource("entra", Secret(SCIM_TOKEN)),),
        permits=(PermitSource("eptw", (Secret(PTW_SECRET),)),),
        cabinets=(CabinetSource("north", (SECRET,), "iam"),),
    )


class Counter:
    """A site with three fobs, two people, and somebody at the key desk."""

    def __init__(self, site: Site, people: list[PersonId], client: httpx2.AsyncClient) -> None:
        self.site, self.people, self.client = site, people, client

    async def post(self, path: str, status: int = 200, **body: Any) -> Any:
        answer = await self.client.post(f"/api/v1{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str) -> Any:
        answer = await self.client.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def on_duty(self, person: PersonId) -> None:
        """Put somebody on the roster."""
        at = self.site.clock.now()
        duty = Duty("field_operator", UnitId(new_id()), at, at + timedelta(hours=8))
        async with self.site.services.database.transaction() as tx:
            await self.site.identity.put_duty(tx, Act("user:rota", at), person, duty)


@pytest.fixture
async def counter(site: Site) -> Counter:
    people = [await site.person(f"P{number}", ref=f"p{number}") for number in range(3)]
    keys = tuple(
        VendorKey(f"v-{stamp}", stamp, KeyKind.FOB, ProgrammingState.PROGRAMMED)
        for stamp in ("1001", "1002", "1003")
    )
    async with site.services.database.transaction() as tx:
        registry, now = site.services.registry, site.clock.now()
        system = await registry.ensure_system(tx, "iloq", "iloq", now)
        await registry.take_inventory(
            tx, system.id, Inventory(keys, (), (), now, visibility_complete=True), now
        )
        for row in await tx.fetch("SELECT id FROM key_key"):
            # Handed out before, so that nothing on it has to be read first.
            key = await registry.get_key(tx, KeyId(row["id"]))
            entry = await site.services.custody.tell(tx, "keys:key:adopt", key, actor="user:x", at=now)
            await tx.execute(
                "UPDATE key_key SET adopted_at = $2, entry = $3 WHERE id = $1", key.id, now, entry
            )
    return Counter(site, people, await site.signed_in("shift_leader"))


async def test_a_key_goes_from_hand_to_hand_and_nobody_holds_it_twice(counter: Counter) -> None:
    first, second, _ = (str(person) for person in counter.people)
    await counter.post("/keys/1001/hand-out", person=first)
    counter.site.clock.advance_to(counter.site.clock.now() + timedelta(hours=1))
    moved = await counter.post("/keys/1001/transfer", person="iam:p1", reason="goes home")
    assert (moved["holder"], moved["certainty"]) == (second, "sure")
    again = await counter.post("/keys/1001/transfer", 409, person=second)
    assert again["detail"] == "key 1001 is with that person already"
    out = await counter.get("/custody/out")
    assert [(each["key"], each["holder"]) for each in out["items"]] == [("1001", second)]
    assert "keys:custody:transfer" in await counter.site.kinds()


async def test_a_hand_out_by_mistake_is_taken_back(counter: Counter) -> None:
    await counter.post("/keys/1001/hand-out", person=str(counter.people[0]))
    assert (await counter.post("/keys/1001/undo"))["holder"] is None
    refused = await counter.post("/keys/1001/undo", 409)
    assert "take it back instead" in refused["detail"]


async def test_a_crew_gets_a_key_and_the_list_says_one_of_how_many(counter: Counter) -> None:
    people = [str(person) for person in counter.people]
    done = await counter.post("/keys/1001/crew", leader=people[0], crew="pump gang", members=people[1:])
    assert (done["crew"], done["crew_size"], done["certainty"]) == ("pump gang", 3, "crew")
    await counter.post("/keys/1002/crew", 400, leader=people[0], crew="alone", members=[people[0]])


async def test_lost_replaced_found_broken_repaired(counter: Counter) -> None:
    first = str(counter.people[0])
    await counter.post("/keys/1001/hand-out", person=first)
    lost = await counter.post("/keys/1001/lost", reason="in the sump")
    assert (lost["report"], lost["certainty"]) == ("lost", "lost")
    assert (await counter.get("/keys/1001"))["blocked_at"] is not None
    placed = await counter.post("/keys/1001/replace", by="1002", reason="in the sump")
    assert (placed["key"], placed["holder"]) == ("1002", first)
    gone = await counter.post("/keys/1001/hand-out", 409, person=first)
    assert "was replaced by another one" in gone["detail"]
    broken = await counter.post("/keys/1002/broken", reason="tip bent")
    assert (broken["holder"], broken["report"]) == (None, "broken")
    await counter.post("/keys/1002/found", 409, reason="under a seat")
    assert (await counter.post("/keys/1002/repaired", reason="new tip"))["report"] is None
    kinds = await counter.site.kinds()
    assert [kind for kind in kinds if kind in {"keys:custody:lost", "keys:custody:replace"}] == [
        "keys:custody:lost",
        "keys:custody:replace",
    ]


async def test_a_found_key_takes_back_the_stop_that_its_loss_asked_for_and_no_other(counter: Counter) -> None:
    services, at, person = counter.site.services, counter.site.clock.now(), counter.people[0]
    await counter.post("/keys/1001/hand-out", person=str(person))
    await counter.on_duty(person)
    await counter.post("/keys/1001/lost", reason="in the sump")
    async with services.database.read() as tx:
        assert [kill.state for kill in await services.kills.open(tx)] == ["waiting"]
    await counter.post("/keys/1001/found", reason="under a seat")
    async with services.database.read() as tx:
        assert await services.kills.open(tx) == []
    assert (await counter.get("/keys/1001"))["blocked_at"] is None
    # Somebody else's stop stands, whether the key is found or not.
    await counter.post("/keys/1001/hand-out", person=str(person))
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, "1001")
        await services.kills.ask(tx, key.subject, reason="misuse", by=By("user:soc"), at=at)
    counter.site.clock.advance_to(at + timedelta(seconds=30))
    await counter.post("/keys/1001/lost", reason="in the sump")
    await counter.post("/keys/1001/found", reason="under a seat")
    async with services.database.read() as tx:
        assert [kill.reason for kill in await services.kills.open(tx)] == ["misuse"]


async def isolation_holder(counter: Counter) -> PersonId:
    """Somebody on duty with the only key for an isolation point, and nobody else on shift."""
    site, person, at = counter.site, counter.people[0], counter.site.clock.now()
    for kind, text in FILES.items():
        made = await (await site.signed_in("administrator")).post(
            f"/api/v1/imports/{kind}", content=text.replace(",2,none", ",2,isolation"), headers=CSV
        )
        assert made.json()["ok"], made.text
    async with site.services.database.transaction() as tx:
        registry = site.services.registry
        system = await registry.ensure_system(tx, "iloq", "iloq", at)
        keys = tuple(
            VendorKey(f"v-{stamp}", stamp, KeyKind.FOB, ProgrammingState.PROGRAMMED)
            for stamp in ("1001", "1002", "1003")
        )
        found = Inventory(keys, (VendorLock("v1", "CDU-001"),), (), at, visibility_complete=True)
        await registry.take_inventory(tx, system.id, found, at)
        cylinder = await tx.fetchval("SELECT id FROM plant_cylinders WHERE external_id = 'v1'")
    await counter.post("/keys/1001/hand-out", person=str(person))
    await counter.on_duty(person)
    await give_grant(site, person, kind="duty_role", ref=f"duty:field_operator:{new_id()}", cylinder=cylinder)
    return person


async def test_a_found_key_stays_with_the_last_holder_until_a_second_person_agrees(counter: Counter) -> None:
    """Reporting a key lost and found is no way around the rule that a return goes through."""
    person = await isolation_holder(counter)
    assert (await counter.client.post("/api/v1/keys/1001/take-back")).status_code == 202
    await counter.post("/keys/1001/lost", reason="in the sump")
    found = await counter.post("/keys/1001/found", 202, reason="under a seat")
    assert (found["kind"], found["state"]) == ("remove_last_holder", "open")
    out = (await counter.get("/custody/out"))["items"]
    assert [(each["key"], each["holder"], each["report"]) for each in out] == [("1001", str(person), None)]
    second = await counter.site.signed_in("shift_leader")
    assert (await second.post(f"/api/v1/proposals/{found['id']}/confirm")).status_code == 200
    assert (await counter.get("/custody/out"))["items"] == []


async def test_a_found_key_comes_off_the_block_list_with_a_second_person(counter: Counter) -> None:
    await counter.post("/keys/1001/lost", reason="in the sump")
    await counter.post("/keys/1001/found", reason="under a seat")
    asked = {"reason": "lay under a seat"}
    waits = await counter.client.post("/api/v1/keys/1001/unblock", json=asked)
    assert waits.status_code == 403, waits.text
    second = await counter.site.signed_in("security_manager")
    proposal = next(
        each
        for each in (await second.get("/api/v1/proposals")).json()["items"]
        if each["subject"] == "act:keys:key:unblock" and each["reason"] == asked["reason"]
    )
    assert (await second.post(f"/api/v1/proposals/{proposal['id']}/confirm")).status_code == 200
    done = await counter.client.post("/api/v1/keys/1001/unblock", json=asked)
    assert done.status_code == 202, done.text
    assert done.json()["unblock_asked_at"] is not None
    assert (await counter.get("/keys/1001"))["blocked_at"] is not None, "until it is carried out"
    assert (await counter.site.kinds()).count("keys:key:ask_unblock") == 1
    desk = await counter.site.signed_in("key_desk")
    assert (await desk.post("/api/v1/keys/1001/unblock", json=asked)).status_code == 403


async def test_an_overdue_key_is_listed_and_its_due_time_moves(counter: Counter) -> None:
    await counter.post("/keys/1001/hand-out", person=str(counter.people[0]))
    assert (await counter.get("/custody/overdue"))["items"] == []
    counter.site.clock.advance_to(counter.site.clock.now() + timedelta(hours=13))
    assert [each["key"] for each in (await counter.get("/custody/overdue"))["items"]] == ["1001"]
    due = (counter.site.clock.now() + timedelta(hours=2)).isoformat()
    moved = await counter.post("/keys/1001/due", due_at=due, reason="job runs on")
    assert not moved["overdue"]
    await counter.post("/keys/1001/due", 400, due_at="2026-03-02T10:00:00Z", reason="too late")


async def test_a_change_of_shifts_by_keys_names_what_it_refuses(counter: Counter) -> None:
    first, second, _ = (str(person) for person in counter.people)
    await counter.post("/keys/1001/hand-out", person=first)
    wanted = [["1001", second], ["1002", second]]
    dry = await counter.post("/custody/shift-transfer", keys=wanted, dry_run=True)
    assert (await counter.get("/custody/out"))["items"][0]["holder"] == first
    assert dry["dry_run"]
    done = await counter.post("/custody/shift-transfer", keys=wanted)
    assert {each["key"]: each["why_not"] for each in done["items"]} == {
        "1001": "",
        "1002": "key 1002 was not handed out; hand it out at the desk",
    }
    await counter.post("/custody/shift-transfer", 400, unit="X", keys=wanted)
    await counter.post("/custody/shift-transfer", 404, unit="nowhere")


async def test_the_gate_asks_before_somebody_leaves(counter: Counter) -> None:
    first = str(counter.people[0])
    assert (await counter.post("/custody/exit-check", person=first))["may_leave"]
    await counter.post("/keys/1001/hand-out", person=first)
    assert await counter.post("/custody/exit-check", person="iam:p0") == {
        "may_leave": False,
        "keys": ["1001"],
    }


async def test_a_cabinet_and_the_desk_hand_out_the_same_key_and_a_person_settles_it(counter: Counter) -> None:
    first, second, third = (str(person) for person in counter.people)
    await counter.post("/keys/1001/hand-out", person=first)
    now = counter.site.clock.now() + timedelta(hours=1)
    counter.site.clock.advance_to(now)
    body = msgspec.json.encode(
        {"id": "e1", "event": "item_taken", "time": now, "item": "1001", "person": "p1", "cabinet": "NORTH-1"}
    )
    headers = {"content-type": "application/json", **sign("m1", now, body, secret=SECRET)}
    told = await counter.site.client().post("/webhooks/cabinets/north", content=body, headers=headers)
    assert (told.status_code, told.json()["events"][0]["findings"]) == (202, ["taken_while_out"])
    again = await counter.site.client().post("/webhooks/cabinets/north", content=body, headers=headers)
    assert again.status_code == 204
    forged = await counter.site.client().post(
        "/webhooks/cabinets/north", content=body + b" ", headers=headers
    )
    assert (forged.status_code, forged.headers["content-type"]) == (401, "application/problem+json")
    found = (await counter.get("/custody/findings"))["items"][0]
    assert (found["kind"], found["person"], found["holder"]) == ("taken_while_out", second, first)
    await counter.post(f"/custody/findings/{found['id']}/settle", 400, reason="rang both", holder=third)
    await counter.post(f"/custody/findings/{found['id']}/settle", reason="rang both", holder=second)
    assert (await counter.get("/custody/out"))["items"][0]["holder"] == second
    await counter.post(f"/custody/findings/{found['id']}/settle", 409, reason="rang both", holder=second)


async def test_cabinets_by_file(counter: Counter) -> None:
    manager = await counter.site.signed_in("security_manager")
    manager.headers["content-type"] = "text/csv"
    now = counter.site.clock.now().isoformat()
    text = f"event_id,event,time,cabinet,slot,item,person\ne1,item_returned,{now},NORTH-1,4,1003,\ne2,eaten,{now},,,1003,\n"
    answer = await manager.post("/api/v1/cabinets/north/events", content=text)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["added"], answer.json()["errors"][0]["field"]) == (1, "event")
    listed = (await counter.get("/cabinets"))["items"]
    assert [(each["name"], each["online"], each["keys"]) for each in listed] == [("NORTH-1", True, 1)]
    file = await manager.get("/api/v1/cabinets/north/NORTH-1/may-take.csv")
    assert file.text.startswith("cabinet,slot,item,person,from,until,because,as_of")
    assert (await manager.post("/api/v1/cabinets/south/events", content=text)).status_code == 404


async def test_whoever_only_looks_changes_no_custody(counter: Counter) -> None:
    auditor = await counter.site.signed_in("auditor")
    assert (await auditor.get("/api/v1/custody/out.csv")).text.startswith("key,kind,person,company")
    for path in ("/keys/1001/transfer", "/keys/1001/lost", "/custody/exit-check", "/custody/shift-transfer"):
        assert (await auditor.post(f"/api/v1{path}", json={})).status_code == 403, path


async def test_a_cabinet_that_sends_too_much_is_told_when_to_come_again(counter: Counter) -> None:
    now = counter.site.clock.now()
    body = msgspec.json.encode(
        [
            {"id": f"e{n}", "event": "item_overdue", "time": now, "item": "none", "cabinet": "N"}
            for n in range(500)
        ]
    )
    headers = {"content-type": "application/json", **sign("m1", now, body, secret=SECRET)}
    client = counter.site.client()
    told = [await client.post("/webhooks/cabinets/north", content=body, headers=headers) for _ in range(3)]
    # A repeated message costs its sender as much: 1,200 events at once, as the settings have it.
    assert [each.status_code for each in told] == [202, 204, 429]
    assert told[-1].json()["type"] == "urn:key2xs:problem:cabinet-429"
    assert 0 < int(told[-1].headers["retry-after"]) <= 60
