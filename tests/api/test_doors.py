"""The doors of other systems, the live feed, and the demo's clock."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from key2xs.access import Access
from key2xs.api.app import stop_streams
from key2xs.api.routes.happenings import messages
from key2xs.core.clock import StoredClock
from key2xs.core.database import Database
from key2xs.core.settings import Settings
from key2xs.core.vault import Vault
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.opening import open_log
from key2xs.ledger.sequencer import Sequencer
from key2xs.runtime import DemoTime, Runtime
from key2xs.services import build_services
from tests.api.conftest import CHEAP, SCIM_TOKEN, Site
from tests.support.web import web_side


async def test_scim_is_mounted_with_its_own_keys_and_right_addresses(site: Site) -> None:
    client = site.client()
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "jan@firm.test",
        "externalId": "ext-jan",
        "active": True,
    }
    path = "/scim/entra/v2/Users"
    assert (await client.post(path, json=body)).status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert (await client.post(path, json=body, headers=wrong)).status_code == 401
    other = {"Authorization": f"Bearer {SCIM_TOKEN}"}
    assert (await client.post("/scim/okta/v2/Users", json=body, headers=other)).status_code == 401
    made = await client.post(path, json=body, headers=other)
    assert made.status_code == 201, made.text
    location = made.json()["meta"]["location"]
    assert location.startswith("http://site.test/scim/entra/v2/Users/")
    assert (await client.get(location, headers=other)).status_code == 200
    assert made.headers["x-content-type-options"] == "nosniff"
    async with site.services.database.read() as tx:
        assert await tx.fetchval("SELECT actor FROM log_body ORDER BY seq DESC LIMIT 1") == "scim:entra"


async def test_an_api_token_opens_no_other_door(site: Site) -> None:
    token = await site.with_token("administrator")
    assert (await token.get("/scim/entra/v2/Users")).status_code == 401
    answer = await token.post("/webhooks/ptw/eptw", json={})
    assert answer.status_code == 401


async def test_unsigned_and_unknown_permit_messages_are_refused_with_a_problem(site: Site) -> None:
    client = site.client()
    unsigned = await client.post("/webhooks/ptw/eptw", json={})
    assert unsigned.status_code == 401
    assert unsigned.headers["content-type"] == "application/problem+json"
    assert (await client.post("/webhooks/ptw/nobody", json={})).status_code == 404
    headers = {"Content-Type": "application/json"}
    long = await client.post("/webhooks/ptw/eptw", content=b"x" * 262_145, headers=headers)
    assert long.status_code == 413


async def test_a_permit_system_may_ask_whether_it_may_send(site: Site) -> None:
    client = site.client()
    headers = {"WebHook-Request-Origin": "eptw.example"}
    answer = await client.options("/webhooks/ptw/eptw", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["webhook-allowed-origin"] == "eptw.example"


@pytest.fixture
async def sequencer(log_db: Database, vault: Vault, site: Site, tmp_path: Any) -> AsyncIterator[Sequencer]:
    copy = CheckpointCopy(tmp_path / "checkpoint")
    await open_log(log_db, origin="site.test/log", seed=b"s" * 32, copy=copy, at=site.clock.now())
    made = Sequencer(log_db, b"s" * 32, vault.stream_key, copy)
    yield made
    await made.close()


async def test_the_feed_tells_new_entries_goes_on_where_one_left_off_and_ends(
    site: Site, sequencer: Sequencer
) -> None:
    web = site.app.state["web"]
    async with web.feed.running():
        stream = messages(web.feed, 0)  # the log is empty: what comes first is what comes from now on
        assert (await anext(stream)).startswith(b":")
        waiting = asyncio.ensure_future(anext(stream))
        await site.person()
        await sequencer.step(site.clock.now())
        told = (await asyncio.wait_for(waiting, 10)).decode()
        first = told.split("\n\n")[0]
        assert first.startswith("id: 0\ndata: ")
        said = json.loads(first.partition("data: ")[2])
        assert said["kind"] == "identity:person:create"
        assert said["subjects"][0].startswith("person:")
        again = messages(web.feed, 0)
        await anext(again)
        assert b"identity:person:create" in await asyncio.wait_for(anext(again), 10)
        idle = asyncio.ensure_future(anext(stream))
        await stop_streams(site.app)
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(idle, 5)


async def test_the_stream_needs_a_permission_and_is_no_named_event(site: Site) -> None:
    admin = await site.signed_in("administrator")
    assert (await admin.get("/api/v1/events")).status_code == 403


async def test_the_demos_clock_is_not_there_on_a_real_site(site: Site) -> None:
    admin = await site.signed_in("administrator")
    assert (await admin.get("/api/v1/demo/quiet")).status_code == 404
    assert (await admin.post("/api/v1/demo/time", json={"to": "2030-01-01T00:00:00Z"})).status_code == 404


async def test_the_demos_clock_steps_forward_only(
    site: Site, db: Database, vault: Vault, settings: Settings
) -> None:
    clock = StoredClock(site.clock.now())
    demo = msgspec.structs.replace(settings, demo_time=True)
    services = build_services(demo, db, vault, clock, site.wall)
    runtime = Runtime(runner=None, database=db, demo_time=DemoTime(db, clock, lambda: None))
    access = Access(db, services.ledger, vault, clock, site.wall, hasher=CHEAP)
    site.app = web_side(services, runtime, access)
    admin = await site.with_token("administrator")
    later = clock.now() + timedelta(hours=1)
    moved = await admin.post("/api/v1/demo/time", json={"to": later.isoformat()})
    assert moved.status_code == 200, moved.text
    assert clock.now() == later
    quiet = (await admin.get("/api/v1/demo/quiet")).json()
    assert quiet["quiet"] is False  # entries wait for a sequencer that this test does not run
    back = await admin.post("/api/v1/demo/time", json={"to": (later - timedelta(hours=1)).isoformat()})
    assert back.status_code == 409
    soc = await site.with_token("soc")
    assert (await soc.post("/api/v1/demo/time", json={"to": later.isoformat()})).status_code == 403
