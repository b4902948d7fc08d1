"""A lost key, and the programming keys that carry its block to every cylinder it could open."""

from typing import Any

from key2xs_twin.cliq import CliqSettings
from key2xs_twin.cliq.things import CliqReason
from key2xs_twin.world import World
from tests.twin.cliq_factory import (
    CARRIER,
    DYNAMIC,
    GATE,
    NORMAL,
    PHONE,
    SPARE,
    START,
    TANK,
    TANKS,
    VALVE,
    WALL,
    Client,
    make_plan,
    make_site,
    make_world,
    minutes,
    signed_in,
)


async def lost() -> tuple[World, Client]:
    """A key that opens two cylinders, one of them by a group, is reported lost."""
    world = make_world(
        site=make_site(plan=make_plan(cylinder_ids=frozenset({GATE}), group_ids=frozenset({TANKS})))
    )
    api = await signed_in(world)
    await api.post(f"keys/{DYNAMIC}/report", {"what": "lost"})
    return world, api


async def key_of(api: Client) -> Any:
    return await api.get(f"keys/{DYNAMIC}")


async def test_a_lost_key_goes_on_opening_and_its_plan_becomes_never() -> None:
    world, api = await lost()
    key = await key_of(api)
    assert (key["reported"], key["block_state"], key["revision"]) == ("lost", "blocked_with_access", 2)
    assert (key["planned"]["validity"], key["update"]["state"]) == ({"kind": "never"}, "waiting")
    assert key["planned"]["access"] == key["confirmed"]["access"], "what it could open must stay known"
    assert [event["kind"] for event in (await api.get("events"))["items"]] == ["reported_lost"]
    broken = await api.refused("POST", f"keys/{DYNAMIC}/report", {"what": "broken"})
    assert broken == (409, "wrong_state", None)
    assert world.present(DYNAMIC, GATE).ok
    await api.post(f"keys/{DYNAMIC}/report", {"what": "lost"})
    assert (await key_of(api))["revision"] == 2
    assert world.present_at_updater(DYNAMIC, WALL), "an honest finder brings it"
    assert world.present(DYNAMIC, GATE).reason is CliqReason.NOT_VALID


async def test_a_block_is_known_only_when_the_programming_key_is_back() -> None:
    world, api = await lost()
    job = await api.job((GATE, DYNAMIC), (TANK, DYNAMIC), (VALVE, DYNAMIC))
    assert (job["state"], [task["state"] for task in job["tasks"]]) == ("waiting", ["waiting"] * 3)
    assert world.load_programming_key(CARRIER, WALL) == 3
    assert world.load_programming_key(CARRIER, WALL) == 0, "loaded once"
    (carrier,) = (await api.get("programming-keys"))["items"]
    assert (carrier["tasks_loaded"], carrier["last_seen_place"]) == (3, "AP-TNK-001")
    world.advance_to(START + minutes(30))
    assert world.insert_programming_key(CARRIER, GATE)
    assert world.present(DYNAMIC, GATE).reason is CliqReason.BLOCKED
    job = await api.get(f"jobs/{job['id']}")
    assert (job["state"], job["tasks"][0]["state"]) == ("loaded", "loaded"), "the server hears nothing yet"
    world.insert_programming_key(CARRIER, TANK)
    world.advance_to(START + minutes(60))
    assert world.return_programming_key(CARRIER, WALL)
    job = await api.get(f"jobs/{job['id']}")
    assert (job["state"], [task["state"] for task in job["tasks"]]) == ("loaded", ["done", "done", "loaded"])
    assert job["tasks"][0]["done_at"] == "2026-11-23T17:30:00.000000Z"
    assert job["tasks"][0]["known_at"] == "2026-11-23T18:00:00.000000Z"
    assert (await key_of(api))["block_state"] == "blocked_with_access", "one cylinder still takes it"
    assert world.present(DYNAMIC, VALVE).ok
    world.insert_programming_key(CARRIER, VALVE)
    world.return_programming_key(CARRIER, WALL)
    assert (await api.get(f"jobs/{job['id']}"))["state"] == "returned"
    assert (await key_of(api))["block_state"] == "blocked"
    cylinders = {item["id"]: item for item in (await api.get("cylinders"))["items"]}
    assert cylinders[str(VALVE)]["block_list"]["keys"] == 1
    kinds = [event["kind"] for event in (await api.get("events"))["items"]]
    assert kinds.count("cylinder_programmed") == kinds.count("list_read") == 3
    assert (await api.get("jobs", open="true"))["items"] == []
    assert len((await api.get("jobs", open="false", key=str(DYNAMIC)))["items"]) == 1
    assert (await api.get("jobs", key=str(SPARE)))["items"] == []


async def test_a_programming_key_that_never_comes_back_leaves_everything_open() -> None:
    world, api = await lost()
    job = await api.job((GATE, DYNAMIC))
    world.load_programming_key(CARRIER, WALL)
    world.insert_programming_key(CARRIER, GATE)
    world.advance_to(START + minutes(60 * 24 * 30))
    job = await api.get(f"jobs/{job['id']}")
    assert (job["state"], job["tasks"][0]["known_at"]) == ("loaded", None)
    assert (await key_of(api))["block_state"] == "blocked_with_access"
    assert [each["id"] for each in (await api.get("jobs", open="true"))["items"]] == [job["id"]]
    path = f"jobs/{job['id']}/tasks/1"
    assert await api.refused("DELETE", path) == (409, "wrong_state", None), "out is out"
    assert await api.refused("POST", f"keys/{DYNAMIC}/report", {"what": "found"}) == (
        409,
        "wrong_state",
        None,
    )


async def test_pulled_early_the_task_has_failed_and_a_new_job_does_it() -> None:
    world, api = await lost()
    job = await api.job((GATE, DYNAMIC))
    world.load_programming_key(CARRIER, WALL)
    assert not world.insert_programming_key(CARRIER, GATE, pulled_early=True)
    assert world.present(DYNAMIC, GATE).ok
    world.insert_programming_key(CARRIER, GATE)
    assert world.present(DYNAMIC, GATE).ok, "a failed task is not tried again"
    world.return_programming_key(CARRIER, WALL)
    job = await api.get(f"jobs/{job['id']}")
    assert (job["state"], job["tasks"][0]["state"]) == ("returned", "failed")
    await api.job((GATE, DYNAMIC))
    world.load_programming_key(CARRIER, WALL)
    world.insert_programming_key(CARRIER, GATE)
    assert world.present(DYNAMIC, GATE).reason is CliqReason.BLOCKED


async def test_a_programming_key_holds_thirty_tasks() -> None:
    world, api = await lost()
    world.cliq.settings.job_capacity = 2
    await api.job((GATE, DYNAMIC))
    full = {
        "programming_key": str(CARRIER),
        "tasks": [{"kind": "block", "cylinder": str(each), "key": str(DYNAMIC)} for each in (TANK, VALVE)],
    }
    assert await api.refused("POST", "jobs", full) == (422, "job_full", "tasks")
    await api.job((TANK, DYNAMIC))
    world.load_programming_key(CARRIER, WALL)
    one = full | {"tasks": full["tasks"][:1]}
    assert await api.refused("POST", "jobs", one) == (422, "job_full", "tasks"), "loaded ones count too"
    world.insert_programming_key(CARRIER, GATE)
    world.return_programming_key(CARRIER, WALL)
    await api.job((VALVE, DYNAMIC))


async def test_a_job_that_cannot_be_is_refused_by_name() -> None:
    world, api = await lost()
    task = {"kind": "block", "cylinder": str(GATE), "key": str(DYNAMIC)}
    body = {"programming_key": str(CARRIER), "tasks": [task]}
    for change, field in (
        ({"tasks": []}, "tasks"),
        ({"tasks": [task, task]}, "tasks"),
        ({"tasks": [task | {"kind": "forget"}]}, "tasks"),
        ({"tasks": [task | {"day": 1}]}, "tasks"),
        ({"note": "soon"}, "note"),
    ):
        assert await api.refused("POST", "jobs", body | change) == (422, "invalid", field)
    world.cliq.settings.visible_domains = frozenset({"tank farm"})
    assert await api.refused("POST", "jobs", body) == (403, "domain", "tasks")


async def test_a_waiting_task_can_be_taken_back_and_a_found_key_takes_them_along() -> None:
    world, api = await lost()
    job = await api.job((GATE, DYNAMIC), (TANK, DYNAMIC))
    await api.call("DELETE", f"jobs/{job['id']}/tasks/1")
    assert await api.refused("DELETE", f"jobs/{job['id']}/tasks/1") == (404, "unknown_job", None)
    assert await api.refused("DELETE", f"jobs/{job['id']}/tasks/one") == (404, "unknown_job", None)
    found = await api.post(f"keys/{DYNAMIC}/report", {"what": "found"})
    assert (found["reported"], found["block_state"]) == (None, "none")
    assert found["planned"]["validity"] == {"kind": "never"}, "somebody must plan it anew"
    assert await api.refused("GET", f"jobs/{job['id']}") == (404, "unknown_job", None)
    assert world.load_programming_key(CARRIER, WALL) == 0
    await api.program(DYNAMIC)
    assert world.present(DYNAMIC, GATE).ok


async def test_an_unblocked_key_opens_again() -> None:
    world, api = await lost()
    for kind in ("block", "unblock"):
        await api.job((GATE, DYNAMIC), (TANK, DYNAMIC), (VALVE, DYNAMIC), kind=kind)
        world.load_programming_key(CARRIER, WALL)
        for cylinder in (GATE, TANK, VALVE):
            world.insert_programming_key(CARRIER, cylinder)
        world.return_programming_key(CARRIER, WALL)
        assert world.present(DYNAMIC, GATE).ok is (kind == "unblock")
    assert (await key_of(api))["block_state"] == "blocked_with_access"


async def test_what_may_still_be_in_the_key_counts_for_blocked() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.plan(DYNAMIC, access=[{"cylinder": str(TANK)}])
    await api.post(f"keys/{DYNAMIC}/send")
    assert world.present_at_updater(DYNAMIC, WALL, ack_lost=True)
    await api.plan(DYNAMIC, access=[{"cylinder": str(VALVE)}])
    await api.post(f"keys/{DYNAMIC}/report", {"what": "lost"})
    await api.job((GATE, DYNAMIC), (VALVE, DYNAMIC))
    world.load_programming_key(CARRIER, WALL)
    for cylinder in (GATE, VALVE):
        world.insert_programming_key(CARRIER, cylinder)
    world.return_programming_key(CARRIER, WALL)
    assert world.present(DYNAMIC, TANK).ok
    assert (await key_of(api))["block_state"] == "blocked_with_access", (
        "the tank was handed over, unacknowledged"
    )


async def test_a_full_block_list_takes_nobody_more_and_a_phone_loads_no_programming_key() -> None:
    world = make_world(settings=CliqSettings(block_capacity=1))
    api = await signed_in(world)
    await api.job((GATE, DYNAMIC), (GATE, NORMAL))
    assert world.load_programming_key(CARRIER, PHONE) == 0
    assert not world.return_programming_key(CARRIER, PHONE)
    world.cut_network(WALL)
    assert world.load_programming_key(CARRIER, WALL) == 0
    world.restore_network(WALL)
    assert world.load_programming_key(CARRIER, WALL) == 2
    assert not world.insert_programming_key(CARRIER, GATE)
    world.return_programming_key(CARRIER, WALL)
    (job,) = (await api.get("jobs"))["items"]
    assert [task["state"] for task in job["tasks"]] == ["done", "failed"]
    assert world.present(NORMAL, GATE).ok
