"""CLIQ through the control interface and on the generated site: one world, two makers, one port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from key2xs_twin.cliq import KeyPlan
from key2xs_twin.control import TwinControl
from key2xs_twin.directory import Directory, NotFoundError
from key2xs_twin.physics import Physics
from key2xs_twin.serving import TwinServer
from key2xs_twin.site import Site, generate_site
from key2xs_twin.world import World

START = datetime(2026, 7, 1, 16, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def site() -> Site:
    return generate_site("S", 7, days=1)


@pytest.fixture
def world(site: Site) -> World:
    return World(7, START, physics=Physics.exact(), site=site.iloq_inventory(), cliq=site.cliq_inventory())


@pytest.fixture
async def control(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(TwinControl(world).app)
    async with httpx2.AsyncClient(base_url="http://twin.test/control", transport=transport) as client:
        yield client


async def act(control: httpx2.AsyncClient, deed: str, **values: Any) -> dict[str, Any]:
    answer = await control.post("/act", json={"act": deed, **values})
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


def tank_dip(site: Site) -> str:
    return next(c.marking for c in site.cylinders if c.vendor == "cliq" and c.zone_ex == "0")


def key_of(site: Site, purpose: str, kind: str = "dynamic") -> str:
    return [key.stamp for key in site.cliq_keys if (key.purpose, key.kind) == (purpose, kind)][-1]


async def test_a_key_is_planned_updated_and_opens_by_the_names_that_people_use(
    control: httpx2.AsyncClient, site: Site
) -> None:
    key, lock = key_of(site, "pool"), tank_dip(site)
    assert not (await act(control, "present", key=key, lock=lock))["worked"]
    await act(
        control,
        "cliq_out_of_band",
        what="change_plan",
        key=key,
        cylinders=[lock],
        ends_at=(START + timedelta(hours=4)).isoformat(),
        revalidation_minutes=60,
    )
    await act(control, "cliq_out_of_band", what="send", key=key)
    assert (await act(control, "present_at_updater", key=key, updater="Key desk"))["worked"]
    opened = (await act(control, "present", key=key, lock=lock, person="u10001"))["opening"]
    assert (opened["ok"], opened["reason"]) == (True, "ok")
    truth = (await control.get("/oracle", params={"key": key, "lock": lock})).json()
    assert (truth["kind"], truth["at"]) == ("end", (START + timedelta(hours=1)).isoformat())
    who = (await control.get("/who", params={"lock": lock})).json()
    assert key in {each["stamp"] for each in who["keys"]}
    openings = (await control.get("/openings")).json()["openings"]
    assert [(each["marking"], each["stamp"], each["ok"]) for each in openings] == [
        (lock, key, False),
        (lock, key, True),
    ]


async def test_a_lost_key_is_blocked_by_a_round_with_a_programming_key(
    control: httpx2.AsyncClient, site: Site, world: World
) -> None:
    key, lock = key_of(site, "emergency"), next(c.marking for c in site.cylinders if c.vendor == "cliq")
    carrier = site.programming_keys[0].serial
    await act(control, "cliq_out_of_band", what="report_lost", key=key)
    assert not (await act(control, "load_programming_key", programming_key=carrier, updater="Key desk"))[
        "worked"
    ]
    assert (await act(control, "insert_programming_key", programming_key=carrier, lock=lock))["worked"]
    assert (await act(control, "return_programming_key", programming_key=carrier, updater="Key desk"))[
        "worked"
    ]
    assert [record.row.kind for record in world.cliq.state.events] == ["reported_lost", "list_read"]
    tried = await act(control, "present_foreign_key", lock=lock)
    assert (tried["worked"], tried["opening"]["reason"]) == (False, "foreign")
    await act(control, "cut_network", thing="Key desk")
    assert not (await act(control, "present_at_updater", key=key, updater="Key desk"))["worked"]
    await act(control, "restore_network", thing="Key desk")
    assert (await act(control, "present_at_updater", key=key, updater="Key desk"))["worked"]
    await act(control, "cliq_out_of_band", what="hand_to", key=key, holder="u10002")
    await act(control, "cliq_out_of_band", what="change_group", group="TNK-FLD", cylinders=[lock])
    await act(control, "cliq_out_of_band", what="retire", key=key)
    assert world.cliq.state.keys[Directory(world).key(key)].retired


async def test_a_stamp_that_both_systems_have_needs_the_maker(
    control: httpx2.AsyncClient, site: Site, world: World
) -> None:
    both = {key.stamp for key in site.keys} & {key.stamp for key in site.cliq_keys}
    (stamp,) = both
    find = Directory(world)
    with pytest.raises(NotFoundError, match="2 keys named"):
        find.key(stamp)
    assert find.key(f"iloq:{stamp}") in world.keys
    assert find.key(f"cliq:{stamp}") in world.cliq_field.keys
    refused = await control.post("/act", json={"act": "lose", "key": stamp})
    assert refused.status_code == 404
    for look in (find.updater, find.programming_key, find.group):
        with pytest.raises(NotFoundError):
            look("nowhere")
    updater = site.updaters[0]
    assert find.updater(updater.id) == find.thing(updater.place) == UUID(updater.id)


async def test_both_makers_answer_on_one_port(world: World, site: Site) -> None:
    vendor = TwinControl(world).vendor
    transport = httpx2.ASGITransport(vendor)
    async with httpx2.AsyncClient(base_url="http://vendor.test", transport=transport) as http:
        assert (await http.get("/iloqws/api/v2/Version")).status_code == 200
        account = {"client": "key2xs", "secret": world.cliq.account.secret}
        session = (await http.post("/cliq-sim/v1/sessions", json=account)).json()["session"]
        system = (await http.get("/cliq-sim/v1/system", headers={"X-Session": session})).json()
        assert system["name"] == site.cliq_system
    assert vendor.calls == 3
    ready = TwinServer(world, 8001, 8002).ready_line()
    assert '"cliq": "http://127.0.0.1:8001"' in ready
    assert '"cliq_client": "key2xs"' in ready


def test_what_the_site_says_is_what_the_cliq_system_holds(site: Site) -> None:
    inventory = site.cliq_inventory()
    assert inventory == generate_site("S", 7, days=1).cliq_inventory()
    cylinders = {str(each.cylinder_id): each for each in inventory.cylinders}
    ours = [c for c in site.cylinders if c.vendor == "cliq"]
    assert {c.id: (c.marking, c.access_point_id) for c in ours} == {
        each: (spec.marking, spec.place) for each, spec in cylinders.items()
    }
    assert {c.safety_role for c in ours} == {"none", "isolation", "lock_box", "egress"}
    assert {c.egress_free for c in ours} == {"y", "n", ""}
    kinds = {point.kind for point in site.access_points if point.id in {c.access_point_id for c in ours}}
    assert kinds == {"gate", "manway", "valve_lock", "lock_box", "tank_dip", "jetty"}
    assert not any(c.online or c.has_clock for c in ours)
    assert all(len(key.stamp) == 9 for key in site.cliq_keys)
    assert {key.kind for key in site.cliq_keys} == {"dynamic", "connect", "normal"}
    lasting = [
        key for key in inventory.keys if key.plan and key.plan.entries and not key.plan.revalidation_minutes
    ]
    assert len(lasting) > 4, "adoption finds keys without any bound"
    places = {point.id for point in site.access_points}
    walls = [each for each in site.updaters if each.kind == "wall"]
    assert len(walls) == 3
    assert all(each.place in places for each in walls)
    phones = {each.updater_id for each in inventory.updaters if each.kind == "phone"}
    assert {key.phone_id for key in inventory.keys if key.kind == "connect"} == phones
    assert KeyPlan() not in {key.plan for key in inventory.keys}
