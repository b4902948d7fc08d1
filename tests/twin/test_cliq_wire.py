"""The simulated CLIQ interface: what it answers, and every way in which it refuses."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from key2xs_twin.cliq import CliqApp, CliqSettings, KeyPlan, OfflineUpdates
from key2xs_twin.faults import Fault
from tests.twin.cliq_factory import (
    ASKING,
    CARRIER,
    CONNECT,
    DYNAMIC,
    GATE,
    NORMAL,
    SPARE,
    START,
    TANK,
    TANKS,
    VALVE,
    WALL,
    WIRE_PLAN,
    make_site,
    make_world,
    minutes,
    signed_in,
    uid,
)

PUT = "PUT cliq/keys/*/plan"
PATH = f"keys/{DYNAMIC}/plan"


async def test_a_session_ends_when_it_idles_and_each_call_prolongs_it() -> None:
    world = make_world()
    api = await signed_in(world, lasting=False)
    world.advance_to(START + minutes(19))
    await api.get("system")
    world.advance_to(START + minutes(38))
    await api.get("system")
    world.advance_to(START + minutes(58))
    assert await api.refused("GET", "system") == (401, "session_expired", None)
    assert await api.refused("DELETE", "sessions/current") == (401, "session_expired", None)


async def test_signing_in_and_out() -> None:
    world = make_world()
    api = await signed_in(world)
    other = await signed_in(world)
    assert api.http.headers["X-Session"] != other.http.headers["X-Session"]
    await api.call("DELETE", "sessions/current")
    assert await api.refused("GET", "system") == (401, "session_unknown", None)
    await other.get("system")
    wrong = {"client": "key2xs", "secret": "guess"}
    assert await api.refused("POST", "sessions", wrong) == (401, "credentials", None)
    assert await api.refused("POST", "sessions", wrong | {"more": 1}) == (422, "invalid", "more")
    assert await api.refused("POST", "sessions", {"client": "key2xs"}) == (422, "invalid", "secret")


async def test_without_a_session_nothing_is_told() -> None:
    world = make_world()
    transport = httpx2.ASGITransport(CliqApp(world.cliq))
    async with httpx2.AsyncClient(base_url="https://cliq.test", transport=transport) as http:
        for path in ("system", "keys", f"keys/{DYNAMIC}", "cylinders", "events", "jobs", "updaters"):
            answer = await http.get(f"/cliq-sim/v1/{path}")
            assert (answer.status_code, answer.json()["code"]) == (401, "session_unknown")
        assert (await http.get("/cliq-sim/v1/nothing")).status_code == 404
        assert (await http.get("/other")).json()["code"] == "unknown_operation"


async def test_the_system_tells_its_settings_and_that_it_is_simulated() -> None:
    rules = OfflineUpdates(count=2, gap=timedelta(minutes=90), block_list=timedelta(hours=6))
    world = make_world(settings=CliqSettings(offline_updates=rules, max_access_entries=9))
    api = await signed_in(world)
    assert await api.get("system") == {
        "name": "Simulated CLIQ system",
        "time": "2026-11-23T17:00:00.000000Z",
        "interface": "simulated",
        "domain_complete": True,
        "offline_updates": {"count": 2, "gap_minutes": 90, "block_list_hours": 6},
        "max_access_entries": 9,
        "revalidation_minutes": {"min": 60, "max": 43200},
        "job_capacity": 30,
    }


async def test_a_listing_comes_in_pages_that_hold_everything_once() -> None:
    api = await signed_in(make_world())
    seen, cursor = [], None
    while True:
        page = await api.get("keys", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [str(key) for key in (DYNAMIC, CONNECT, NORMAL, SPARE)]
    for query in ({"limit": 0}, {"limit": 1001}, {"limit": "many"}):
        assert await api.refused("GET", "keys", **query) == (422, "invalid", "limit")
    assert await api.refused("GET", "keys", cursor="x") == (422, "invalid", "cursor")
    assert await api.refused("GET", "keys", page=2) == (422, "invalid", "page")
    assert await api.refused("GET", "events", after="x") == (422, "invalid", "after")
    assert await api.refused("GET", "events", limit=501) == (422, "invalid", "limit")


async def test_a_key_tells_plan_sending_and_confirmation_apart() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.plan(DYNAMIC, access=[{"cylinder": str(TANK)}])
    key = await api.get(f"keys/{DYNAMIC}")
    assert (key["revision"], key["sent_revision"], key["confirmed_revision"]) == (2, 1, 1)
    assert key["planned"]["access"] == [{"cylinder": str(TANK)}]
    assert key["confirmed"]["access"] == [{"cylinder": str(GATE)}]
    assert await api.post(f"keys/{DYNAMIC}/send") == {
        "update": {"state": "waiting", "at": "2026-11-23T17:00:00.000000Z"}
    }
    assert world.present_at_updater(DYNAMIC, WALL)
    key = await api.get(f"keys/{DYNAMIC}")
    assert (key["update"]["state"], key["confirmed_revision"]) == ("done", 2)
    assert key["confirmed"] == key["planned"]
    assert key["last_update"] == {"at": "2026-11-23T17:00:00.000000Z", "updater": str(WALL)}


async def test_a_plan_is_replaced_only_with_the_revision_that_was_read() -> None:
    api = await signed_in(make_world())
    answer = await api.send("GET", f"keys/{DYNAMIC}")
    assert answer.headers["etag"] == '"1"'
    assert await api.refused("PUT", PATH, WIRE_PLAN) == (422, "invalid", "If-Match")
    assert await api.refused("PUT", PATH, WIRE_PLAN, match=2) == (412, "changed", None)
    same = await api.call("PUT", PATH, WIRE_PLAN, match=1)
    assert same["revision"] == 1, "the same plan again is no change"
    longer = await api.call("PUT", PATH, WIRE_PLAN | {"revalidation_minutes": 600}, match=1)
    assert longer["revision"] == 2


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"extra": 1}, "invalid", "extra"),
        ({"access": [{"cylinder": str(GATE), "group": str(TANKS)}]}, "invalid", "access"),
        ({"access": [{}]}, "invalid", "access"),
        ({"access": [{"cylinder": str(GATE), "day": 1}]}, "invalid", "access"),
        ({"access": [{"cylinder": "gate"}]}, "invalid", "access"),
        ({"access": [{"cylinder": str(GATE)}] * 2}, "invalid", "access"),
        ({"access": [{"group": str(uid(0xBAD))}]}, "invalid", "access"),
        ({"validity": {"kind": "sometimes"}}, "invalid", "validity"),
        ({"validity": {"kind": "always", "to": None}}, "invalid", "validity"),
        ({"validity": {"kind": "between", "to": "2026-11-24T00:00:00Z"}}, "invalid", "validity"),
        ({"validity": {"kind": "between", "from": None, "to": None}}, "invalid", "validity"),
        ({"validity": {"kind": "between", "from": None, "to": "2026-11-24T00:00:00"}}, "invalid", "validity"),
        (
            {"validity": {"kind": "between", "from": None, "to": "2026-11-24T00:00:00+01:00"}},
            "invalid",
            "validity",
        ),
        (
            {"validity": {"kind": "between", "from": None, "to": "2026-13-24T00:00:00Z"}},
            "invalid",
            "validity",
        ),
        (
            {"validity": {"kind": "between", "from": "2026-11-24T00:00:00Z", "to": "2026-11-24T00:00:00Z"}},
            "validity_order",
            "validity",
        ),
        ({"schedule": []}, "invalid", "schedule"),
        ({"schedule": [{"day": 7, "from": "08:00", "to": "09:00"}]}, "invalid", "schedule"),
        ({"schedule": [{"day": 0, "from": "22:00", "to": "06:00"}]}, "invalid", "schedule"),
        ({"schedule": [{"day": 0, "from": "8:00", "to": "09:00"}]}, "invalid", "schedule"),
        ({"schedule": [{"day": 0, "from": "08:00", "to": "24:01"}]}, "invalid", "schedule"),
        ({"revalidation_minutes": 59}, "revalidation_range", "revalidation_minutes"),
        ({"revalidation_minutes": 43_201}, "revalidation_range", "revalidation_minutes"),
        ({"revalidation_minutes": "480"}, "invalid", "revalidation_minutes"),
        ({"online_opening": True}, "invalid", "online_opening"),
    ],
)
async def test_a_plan_that_cannot_be_is_refused_by_name(
    change: dict[str, Any], code: str, field: str
) -> None:
    world = make_world()
    api = await signed_in(world)
    assert await api.refused("PUT", PATH, WIRE_PLAN | change, match=1) == (422, code, field)
    assert world.cliq.state.keys[DYNAMIC].revision == 1


@pytest.mark.parametrize("left_out", list(WIRE_PLAN))
async def test_a_plan_is_whole_or_refused(left_out: str) -> None:
    api = await signed_in(make_world())
    part = {name: value for name, value in WIRE_PLAN.items() if name != left_out}
    assert await api.refused("PUT", PATH, part, match=1) == (422, "invalid", left_out)


async def test_limits_of_a_key_and_of_its_kind() -> None:
    world = make_world(settings=CliqSettings(max_access_entries=1))
    api = await signed_in(world)
    two = WIRE_PLAN | {"access": [{"cylinder": str(GATE)}, {"group": str(TANKS)}]}
    assert await api.refused("PUT", PATH, two, match=1) == (422, "too_many_entries", "access")
    normal = f"keys/{NORMAL}/plan"
    assert await api.refused("PUT", normal, WIRE_PLAN, match=1) == (422, "not_dynamic", "access")
    times_only = WIRE_PLAN | {"access": [], "revalidation_minutes": 60}
    assert (await api.call("PUT", normal, times_only, match=1))["revision"] == 2
    online = WIRE_PLAN | {"online_opening": True}
    assert (await api.call("PUT", f"keys/{CONNECT}/plan", online, match=1))["planned"]["online_opening"]


async def test_what_does_not_exist_is_named() -> None:
    api = await signed_in(make_world())
    nobody = uid(0xBAD)
    assert await api.refused("GET", f"keys/{nobody}") == (404, "unknown_key", None)
    assert await api.refused("GET", "keys/stamp") == (404, "unknown_key", None)
    assert await api.refused("POST", f"keys/{nobody}/send") == (404, "unknown_key", None)
    assert await api.refused("GET", "jobs", key=str(nobody)) == (404, "unknown_key", None)
    assert await api.refused("GET", f"jobs/{nobody}") == (404, "unknown_job", None)
    assert await api.refused("DELETE", f"jobs/{nobody}/tasks/1") == (404, "unknown_job", None)
    there = WIRE_PLAN | {"access": [{"cylinder": str(nobody)}]}
    assert await api.refused("PUT", PATH, there, match=1) == (404, "unknown_cylinder", None)
    task = {"kind": "block", "cylinder": str(GATE), "key": str(DYNAMIC)}
    for change, code in (
        ({"cylinder": str(nobody)}, "unknown_cylinder"),
        ({"key": str(nobody)}, "unknown_key"),
    ):
        body = {"programming_key": str(CARRIER), "tasks": [task | change]}
        assert await api.refused("POST", "jobs", body) == (404, code, None)
    body = {"programming_key": str(nobody), "tasks": [task]}
    assert await api.refused("POST", "jobs", body) == (404, "unknown_programming_key", None)
    assert await api.refused("GET", "jobs", open="maybe") == (422, "invalid", "open")


async def test_another_domain_is_neither_seen_nor_touched() -> None:
    world = make_world(settings=CliqSettings(visible_domains=frozenset({"site"})))
    api = await signed_in(world)
    assert not (await api.get("system"))["domain_complete"]
    assert str(VALVE) not in {item["id"] for item in (await api.get("cylinders"))["items"]}
    (group,) = (await api.get("cylinder-groups"))["items"]
    assert group["members"] == [str(TANK)]
    for access in ({"cylinder": str(VALVE)}, {"group": str(TANKS)}):
        body = WIRE_PLAN | {"access": [access]}
        assert await api.refused("PUT", PATH, body, match=1) == (403, "domain", "access")
    world.cliq_out_of_band.change_plan(DYNAMIC, [GATE, VALVE])
    shown = await api.get(f"keys/{DYNAMIC}")
    assert shown["planned"]["access"] == [{"cylinder": str(GATE)}]
    # Replacing the plan would silently take away what the client cannot see.
    assert await api.refused("PUT", PATH, WIRE_PLAN, match=2) == (403, "domain", "access")


async def test_a_group_that_is_not_ours_to_give_may_be_taken_away() -> None:
    world = make_world(site=make_site(plan=KeyPlan(group_ids=frozenset({TANKS}))))
    world.cliq.state.groups[TANKS].writable = False
    api = await signed_in(world)
    kept = WIRE_PLAN | {"access": [{"group": str(TANKS)}, {"cylinder": str(GATE)}]}
    assert (await api.call("PUT", PATH, kept, match=1))["revision"] == 2
    assert (await api.call("PUT", PATH, WIRE_PLAN, match=2))["revision"] == 3
    assert await api.refused("PUT", PATH, kept, match=3) == (403, "domain", "access")


async def test_bodies_and_parameters_where_none_belong_are_refused() -> None:
    api = await signed_in(make_world())
    assert await api.refused("POST", f"keys/{DYNAMIC}/send", {}) == (422, "invalid", "body")
    assert await api.refused("PATCH", f"keys/{DYNAMIC}") == (404, "unknown_operation", None)
    assert await api.refused("PUT", PATH, [], match=1) == (422, "invalid", "body")
    answer = await api.http.put(PATH, content=b"{", headers={"If-Match": "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_holders_are_booked_and_told() -> None:
    world = make_world()
    api = await signed_in(world)
    path = f"keys/{SPARE}/holder"
    out = await api.call("POST", path, {"holder": "u10001"})
    assert (out["holder"], out["handed_out"]) == ("u10001", True)
    await api.call("POST", path, {"holder": "u10001"})
    back = await api.call("POST", path, {"holder": None})
    assert (back["holder"], back["handed_out"]) == (None, False)
    events = (await api.get("events"))["items"]
    assert [(e["kind"], e["key"], e["source"]) for e in events] == [
        ("handed_out", str(SPARE), "system"),
        ("handed_in", str(SPARE), "system"),
    ]
    assert await api.refused("POST", path, {"holder": ""}) == (422, "invalid", "holder")
    assert await api.refused("POST", path, {}) == (422, "invalid", "holder")
    await api.post(f"keys/{SPARE}/report", {"what": "broken"})
    assert await api.refused("POST", path, {"holder": "u10001"}) == (409, "wrong_state", None)


async def test_a_retired_or_reported_key_takes_no_plan() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.post(f"keys/{DYNAMIC}/report", {"what": "broken"})
    assert await api.refused("PUT", PATH, WIRE_PLAN, match=1) == (409, "wrong_state", None)
    assert await api.refused("POST", f"keys/{DYNAMIC}/send") == (409, "wrong_state", None)
    await api.post(f"keys/{DYNAMIC}/report", {"what": "found"})
    assert await api.refused("POST", f"keys/{DYNAMIC}/report", {"what": "found"}) == (
        409,
        "wrong_state",
        None,
    )
    assert await api.refused("POST", f"keys/{DYNAMIC}/report", {"what": "gone"}) == (422, "invalid", "what")
    world.cliq_out_of_band.retire(DYNAMIC)
    assert (await api.get(f"keys/{DYNAMIC}"))["retired"]
    assert await api.refused("PUT", PATH, WIRE_PLAN, match=1) == (409, "wrong_state", None)
    for path, body in (("report", {"what": "lost"}), ("holder", {"holder": None}), ("send", None)):
        assert await api.refused("POST", f"keys/{DYNAMIC}/{path}", body) == (409, "wrong_state", None)
    assert await api.refused("POST", f"keys/{SPARE}/send") == (409, "wrong_state", None), "no plan yet"


async def test_faults_hit_the_named_operation_only() -> None:
    world = make_world()
    api = await signed_in(world)
    for effect, after in (("status:429", 7.0), ("status:503", None)):
        world.faults.add(Fault(operation=PUT, effect=effect, times=1, retry_after=after))
    changed = WIRE_PLAN | {"revalidation_minutes": 600}
    first = await api.send("PUT", PATH, changed, match=1)
    assert (first.status_code, first.headers["retry-after"], first.json()["code"]) == (429, "7", "http_429")
    second = await api.send("PUT", PATH, changed, match=1)
    assert second.status_code == 503
    world.faults.assert_all_fired()
    assert world.cliq.state.keys[DYNAMIC].revision == 1, "neither was carried out"


async def test_a_lost_answer_is_found_by_reading_again() -> None:
    world = make_world()
    api = await signed_in(world)
    world.faults.add(Fault(operation=PUT, effect="lose_response_after_commit", times=1))
    changed = WIRE_PLAN | {"revalidation_minutes": 600}
    with pytest.raises(httpx2.ReadTimeout):
        await api.send("PUT", PATH, changed, match=1)
    assert await api.refused("PUT", PATH, changed, match=1) == (412, "changed", None)
    assert (await api.get(f"keys/{DYNAMIC}"))["planned"]["revalidation_minutes"] == 600


async def test_a_late_write_meets_the_world_as_it_is_then() -> None:
    world = make_world()
    api = await signed_in(world)
    world.faults.add(Fault(operation=PUT, effect="late_write:60", times=1))
    with pytest.raises(httpx2.ReadTimeout):
        await api.send("PUT", PATH, WIRE_PLAN | {"revalidation_minutes": 600}, match=1)
    await api.plan(DYNAMIC, revalidation_minutes=120)
    world.advance_to(START + minutes(2))
    assert (await api.get(f"keys/{DYNAMIC}"))["planned"]["revalidation_minutes"] == 120, (
        "If-Match kept it out"
    )


async def test_an_ended_session_and_a_refused_connection() -> None:
    world = make_world()
    api = await signed_in(world)
    world.faults.add(Fault(operation="GET cliq/system", effect="unauthorised", times=1))
    world.faults.add(Fault(operation="* cliq/**", effect="down", times=1))
    assert await api.refused("GET", "system") == (401, "session_unknown", None)
    with pytest.raises(httpx2.ConnectError):
        await api.get("cylinders")
    world.faults.assert_all_fired()


async def test_cylinders_tell_groups_domain_and_block_list() -> None:
    api = await signed_in(make_world())
    items = {item["id"]: item for item in (await api.get("cylinders"))["items"]}
    assert items[str(VALVE)] == {
        "id": str(VALVE),
        "marking": "C-003",
        "groups": [str(TANKS)],
        "domain": "tank farm",
        "block_list": {"keys": 0, "capacity": 3000},
        "online_opening": False,
    }
    assert items[str(ASKING)]["online_opening"]
    assert [each["kind"] for each in (await api.get("updaters"))["items"]] == ["wall", "phone"]
