"""The control interface: time, acts, faults and the truth, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from key2xs_twin.control import TwinControl
from key2xs_twin.people import OutOfBand, Sync, perform
from key2xs_twin.physics import Physics
from key2xs_twin.site import Site, generate_site
from key2xs_twin.world import World

START = datetime(2026, 7, 1, 16, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def site() -> Site:
    return generate_site("S", 7, days=1)


@pytest.fixture
def control(site: Site) -> TwinControl:
    return TwinControl(World(7, START, physics=Physics.exact(), site=site.iloq_inventory()))


@pytest.fixture
async def http(control: TwinControl) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(control.app)
    async with httpx2.AsyncClient(base_url="http://twin.test/control", transport=transport) as client:
        yield client


async def ask(http: httpx2.AsyncClient, path: str, **query: str) -> dict[str, Any]:
    answer = await http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def tell(http: httpx2.AsyncClient, path: str, body: object, *, status: int = 200) -> dict[str, Any]:
    answer = await http.post(path, json=body)
    assert answer.status_code == status, answer.text
    result: dict[str, Any] = answer.json()
    return result


def program_cabinet(control: TwinControl, site: Site, key: str) -> str:
    cabinet = next(p for p in site.access_points if p.kind == "cabinet" and p.unit == "CDU")
    for act in (
        OutOfBand(
            what="change_rights", key=key, rights=[f"API {cabinet.id}"], offline_expiration_seconds=3600
        ),
        OutOfBand(what="order", key=key),
        Sync(key=key),
    ):
        perform(control.world, act)
    return site.cylinders_of(cabinet.id)[0].marking


async def test_time_moves_only_when_told_and_never_back(
    http: httpx2.AsyncClient, control: TwinControl
) -> None:
    assert (await ask(http, "/state"))["now"] == START.isoformat()
    state = await tell(http, "/advance", {"to": "2026-07-01T19:00:00+02:00"})
    assert state["now"] == "2026-07-01T17:00:00+00:00"
    refused = await tell(http, "/advance", {"to": START.isoformat()}, status=400)
    assert "time cannot go back" in refused["detail"]
    await tell(http, "/advance", {"to": "2026-07-01T20:00:00"}, status=400)  # no offset
    assert control.world.now == START + HOUR


async def test_an_act_is_done_at_once_and_its_result_comes_back(http: httpx2.AsyncClient, site: Site) -> None:
    fire = next(k.stamp for k in site.keys if k.purpose == "fire_brigade")
    gate = next(c for c in site.cylinders if c.safety_role == "emergency")
    done = await tell(http, "/act", {"act": "present", "key": fire, "lock": gate.marking, "person": "crew"})
    assert done["worked"] is True
    assert done["opening"]["lock"] == gate.id
    assert done["opening"]["reason"] == "ok"
    openings = await ask(http, "/openings")
    assert [(o["marking"], o["stamp"]) for o in openings["openings"]] == [(gate.marking, fire)]
    assert (await ask(http, "/openings", since=str(openings["next"])))["openings"] == []


async def test_a_planned_act_happens_when_time_reaches_it(http: httpx2.AsyncClient, site: Site) -> None:
    lock = site.cylinders[0].marking
    at = START + HOUR
    planned = await tell(
        http,
        "/plan",
        {"at": at.isoformat(), "do": {"act": "unexplained_opening", "lock": lock}},
        status=202,
    )
    assert planned["next_event"] == at.isoformat()
    assert planned["openings"] == 0
    state = await tell(http, "/advance", {"to": (at + HOUR).isoformat()})
    assert state["openings"] == 1
    (opening,) = (await ask(http, "/openings"))["openings"]
    assert (opening["at"], opening["reason"], opening["key"]) == (at.isoformat(), "unknown_key", None)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"act": "present", "key": "9999", "lock": "CDU-001"}, 404, "no key named '9999'"),
        ({"act": "present", "key": "1001", "lock": "NOWHERE"}, 404, "no lock named 'NOWHERE'"),
        ({"act": "fly"}, 400, ""),
        ({"act": "sync", "key": "1001", "extra": 1}, 400, ""),
        ({"act": "restore_network", "thing": "1001"}, 400, "only a phone"),  # 1001 is a fob
        ({"act": "out_of_band", "what": "block", "key": "1300"}, 400, ""),  # a key without rights
    ],
)
async def test_an_act_that_cannot_be_done_says_why(
    http: httpx2.AsyncClient, body: dict[str, object], status: int, words: str
) -> None:
    refused = await tell(http, "/act", body, status=status)
    assert words in refused["detail"]


async def test_the_oracle_tells_until_when_a_key_can_open(
    http: httpx2.AsyncClient, control: TwinControl, site: Site
) -> None:
    pool = next(k.stamp for k in site.keys if k.purpose == "pool")
    fire = next(k.stamp for k in site.keys if k.purpose == "fire_brigade")
    gate = next(c.marking for c in site.cylinders if c.safety_role == "emergency")
    cabinet = program_cabinet(control, site, pool)
    answer = await ask(http, "/oracle", key=pool, lock=cabinet)
    assert (answer["kind"], answer["at"], answer["now"]) == ("end", (START + HOUR).isoformat(), True)
    later = await ask(http, "/oracle", key=pool, lock=cabinet, **{"from": (START + 2 * HOUR).isoformat()})
    assert (later["kind"], later["at"]) == ("never", None)
    assert (await ask(http, "/oracle", key=pool, lock=gate))["kind"] == "never"
    assert (await ask(http, "/oracle", key=fire, lock=gate))["kind"] == "no_end"
    naive = await http.get("/oracle", params={"key": fire, "lock": gate, "from": "2026-07-01T18:00:00"})
    assert naive.status_code == 400
    assert (await http.get("/oracle", params={"key": "9999", "lock": gate})).status_code == 404


async def test_who_names_every_key_that_would_open(
    http: httpx2.AsyncClient, control: TwinControl, site: Site
) -> None:
    pool = next(k.stamp for k in site.keys if k.purpose == "pool")
    cabinet = program_cabinet(control, site, pool)
    standing = {k.stamp for n, k in enumerate(site.keys) if k.purpose == "pool" and n % 12 == 0}
    now = await ask(http, "/who", lock=cabinet)
    assert {each["stamp"] for each in now["keys"]} == {pool} | standing
    later = await ask(http, "/who", lock=cabinet, at=(START + 2 * HOUR).isoformat())
    assert {each["stamp"] for each in later["keys"]} == standing, "the hour is over, old rights stand"


async def test_a_planned_fault_hits_the_vendors_interface_and_is_counted(
    http: httpx2.AsyncClient, control: TwinControl
) -> None:
    await tell(http, "/faults", [{"operation": "* **", "effect": "status:503", "times": 1}])
    transport = httpx2.ASGITransport(control.vendor)
    async with httpx2.AsyncClient(base_url="http://vendor.test/iloqws", transport=transport) as vendor:
        statuses = [(await vendor.get("/api/v2/Version")).status_code for _ in range(2)]
    assert statuses[0] == 503
    assert statuses[1] != 503
    assert (await tell(http, "/faults/clear", None))["fired"] == {"* ** status:503": 1}
    assert control.world.faults.rules == []
    await tell(http, "/faults", [{"operation": "* **", "effect": "explode"}], status=400)


async def test_calls_under_way_are_counted_until_they_are_answered(
    http: httpx2.AsyncClient, control: TwinControl
) -> None:
    seen: list[int] = []
    inner = control.vendor.app

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        seen.append((await ask(http, "/state"))["open_calls"])
        await inner(scope, receive, send)

    control.vendor.app = looking
    transport = httpx2.ASGITransport(control.vendor)
    async with httpx2.AsyncClient(base_url="http://vendor.test/iloqws", transport=transport) as vendor:
        await vendor.get("/api/v2/Version")
    state = await ask(http, "/state")
    assert (seen, state["open_calls"], state["calls"]) == ([1], 0, 1)


async def test_the_digest_is_the_same_for_the_same_acts_and_can_be_spared(site: Site) -> None:
    digests = []
    for _ in range(2):
        control = TwinControl(World(7, START, site=site.iloq_inventory()))
        transport = httpx2.ASGITransport(control.app)
        async with httpx2.AsyncClient(base_url="http://twin.test/control", transport=transport) as client:
            before = (await ask(client, "/state"))["digest"]
            await tell(client, "/act", {"act": "lose", "key": "1020"})
            await tell(client, "/advance", {"to": (START + 12 * HOUR).isoformat()})
            after = (await ask(client, "/state"))["digest"]
            assert "digest" not in await ask(client, "/state", digest="false")
        assert before != after
        digests.append((before, after))
    assert digests[0] == digests[1]
