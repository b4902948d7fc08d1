"""Normal keys and key groups in the lists of cylinders: planned, brought there by programming keys, told when they are back."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from key2xs_twin.cliq import CliqKeyKind, CliqKeySpec, CliqSettings, CliqSite, KeyGroupSpec, KeyPlan
from key2xs_twin.world import World

from .cliq_factory import (
    CARRIER,
    DYNAMIC,
    GATE,
    NORMAL,
    TANK,
    VALVE,
    WALL,
    Client,
    make_site,
    make_world,
    minutes,
    signed_in,
    uid,
)

OTHER, CREW = uid(0xE05), uid(0xB01)


def site() -> CliqSite:
    base = make_site()
    other = CliqKeySpec(key_id=OTHER, serial="104200005", kind=CliqKeyKind.NORMAL, plan=KeyPlan())
    cylinders = tuple(
        replace(each, key_group_ids=frozenset({CREW})) if each.cylinder_id == TANK else each
        for each in base.cylinders
    )
    crew = KeyGroupSpec(group_id=CREW, name="Crew", member_ids=frozenset({NORMAL, OTHER}))
    return replace(base, cylinders=cylinders, keys=(*base.keys, other), key_groups=(crew,))


async def opened(settings: CliqSettings | None = None) -> tuple[World, Client]:
    world = make_world(site=site(), settings=settings)
    return world, await signed_in(world)


async def put(api: Client, cylinder: UUID, *keys: UUID, groups: tuple[UUID, ...] = ()) -> Any:
    revision = (await api.get(f"cylinders/{cylinder}/list"))["revision"]
    body = {"keys": [str(each) for each in keys], "key_groups": [str(each) for each in groups]}
    return await api.call("PUT", f"cylinders/{cylinder}/list", body, match=revision)


async def listings(api: Client, key: UUID = NORMAL) -> dict[str, tuple[bool, bool]]:
    found = (await api.get(f"keys/{key}/lists"))["items"]
    return {each["cylinder"]: (each["planned"], each["programmed"]) for each in found}


def go_round(world: World, *cylinders: UUID, early: bool = False) -> None:
    world.load_programming_key(CARRIER, WALL)
    for cylinder in cylinders:
        world.insert_programming_key(CARRIER, cylinder, pulled_early=early)
    world.return_programming_key(CARRIER, WALL)


async def test_a_list_is_in_force_when_it_was_carried_there_and_known_when_it_was_told() -> None:
    world, api = await opened()
    assert await listings(api) == {str(GATE): (True, True), str(TANK): (True, True)}
    assert world.present(NORMAL, TANK).ok, "its key group is listed"
    await put(api, GATE)
    assert (await listings(api))[str(GATE)] == (False, True)
    await api.job((GATE, NORMAL), kind="list")
    world.load_programming_key(CARRIER, WALL)
    assert world.present(NORMAL, GATE).ok
    world.insert_programming_key(CARRIER, GATE)
    assert not world.present(NORMAL, GATE).ok
    assert (await listings(api))[str(GATE)] == (False, True), "nobody told the server"
    world.return_programming_key(CARRIER, WALL)
    assert (await listings(api))[str(GATE)] == (False, False)


async def test_a_group_is_one_entry_for_all_its_keys() -> None:
    world, api = await opened()
    await put(api, TANK, OTHER)
    await api.job((TANK, NORMAL), kind="list")
    go_round(world, TANK)
    assert not world.present(NORMAL, TANK).ok
    assert world.present(OTHER, TANK).ok
    assert (await api.get("key-groups"))["items"][0]["members"] == [str(NORMAL), str(OTHER)]


async def test_a_list_holds_what_was_planned_when_it_was_fetched() -> None:
    world, api = await opened()
    await put(api, VALVE, NORMAL)
    await api.job((VALVE, NORMAL), kind="list")
    world.load_programming_key(CARRIER, WALL)
    await put(api, VALVE)
    (task,) = (await api.get(f"keys/{NORMAL}/lists"))["items"][-1]["tasks"]
    assert (task["state"], task["revision"]) == ("loaded", 2)
    world.insert_programming_key(CARRIER, VALVE)
    assert world.present(NORMAL, VALVE).ok, "an older list than planned now"
    world.return_programming_key(CARRIER, WALL)
    assert (await listings(api))[str(VALVE)] == (False, True)


async def test_lists_are_written_against_the_revision_that_was_read() -> None:
    _, api = await opened(CliqSettings(key_group_capacity=0))
    path = f"cylinders/{GATE}/list"
    body = {"keys": [str(OTHER)], "key_groups": []}
    assert await api.refused("PUT", path, body) == (422, "invalid", "If-Match")
    assert await api.refused("PUT", path, body, match=7) == (412, "changed", None)
    assert (await api.call("PUT", path, body, match=1))["revision"] == 2
    assert (await api.call("PUT", path, body, match=2))["revision"] == 2, "the same again changes nothing"
    dynamic = {"keys": [str(DYNAMIC)], "key_groups": []}
    assert await api.refused("PUT", path, dynamic, match=2) == (422, "not_normal", "keys")
    full = {"keys": [], "key_groups": [str(CREW)]}
    assert await api.refused("PUT", path, full, match=2) == (422, "too_many_key_groups", "key_groups")
    tasks = [{"kind": "list", "cylinder": str(GATE), "key": str(DYNAMIC)}]
    job = {"programming_key": str(CARRIER), "tasks": tasks}
    assert await api.refused("POST", "jobs", job) == (422, "not_normal", "tasks")


async def test_another_domains_lists_are_not_seen() -> None:
    world, api = await opened()
    await put(api, VALVE, NORMAL)
    world.cliq.settings.visible_domains = frozenset({"site"})
    assert set(await listings(api)) == {str(GATE), str(TANK)}
    assert (await api.refused("GET", f"cylinders/{VALVE}/list"))[0] == 404


async def test_seven_of_thirty_visits_fail_and_each_of_those_cylinders_is_to_be_overwritten() -> None:
    base = make_site()
    many = [uid(0xC100 + n) for n in range(30)]
    gate = base.cylinders[0]
    world = make_world(
        site=replace(base, cylinders=tuple(replace(gate, cylinder_id=each, marking=f"C-{each.int}") for each in many), groups=(), keys=(base.keys[2],))
    )  # fmt: skip
    api = await signed_in(world)
    await api.job(*((each, NORMAL) for each in many))
    world.load_programming_key(CARRIER, WALL)
    for number, each in enumerate(many):
        assert world.insert_programming_key(
            CARRIER, each, pulled_early=number % 4 == 0 and number < 28
        ) is not (number % 4 == 0 and number < 28)
    world.return_programming_key(CARRIER, WALL)
    block, again = (await api.get("jobs"))["items"]
    assert [task["state"] for task in block["tasks"]].count("failed") == 7
    assert {task["kind"] for task in again["tasks"]} == {"reprogram"}
    assert {task["cylinder"] for task in again["tasks"]} == {
        task["cylinder"] for task in block["tasks"] if task["state"] == "failed"
    }
    assert again["tasks"][0]["key"] is None
    assert again["id"] in {job["id"] for job in (await api.get("jobs", key=str(NORMAL)))["items"]}


async def test_overwriting_brings_all_that_is_planned_and_takes_the_events_along() -> None:
    world, api = await opened()
    world.present(NORMAL, GATE)
    await put(api, GATE, OTHER)
    await api.job((GATE, NORMAL), kind="list")
    go_round(world, GATE, early=True)
    assert world.present(NORMAL, GATE).ok, "nothing was written"
    world.time.advance_to(world.now + minutes(5))
    go_round(world, GATE)
    assert not world.present(NORMAL, GATE).ok
    assert world.present(OTHER, GATE).ok
    rows = (await api.get("events"))["items"]
    kinds = [row["kind"] for row in rows if row["source"] == "cylinder"]
    assert kinds == ["cylinder_reprogrammed", "cylinder_programmed"], (
        "no opening came along, and no list was read"
    )
    assert await listings(api) == {str(GATE): (False, False), str(TANK): (True, True)}


async def test_overwriting_keeps_the_blocks_that_are_planned() -> None:
    world, api = await opened()
    await api.job((GATE, DYNAMIC))
    go_round(world, GATE)
    await api.job((GATE, NORMAL))
    go_round(world, GATE, early=True)
    go_round(world, GATE)
    assert not world.present(DYNAMIC, GATE).ok
    assert not world.present(NORMAL, GATE).ok
    assert {str(each) for each in world.cliq.state.cylinders[GATE].blocked} == {str(DYNAMIC), str(NORMAL)}
