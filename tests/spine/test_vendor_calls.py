"""A key system that calls: what happens there is known in seconds; nothing that it says is believed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from key2xs.core.postgres import RoleDsns
from key2xs.keys.waking import BODY_LIMIT
from key2xs_twin.faults import Fault
from key2xs_twin.iloq.webhooks import PayloadState, Post, Webhooks
from key2xs_twin.world import World
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import tiny_site, twin_id
from tests.twin.iloq.test_webhooks import subscription

URL = "https://key2xs.test/webhooks/iloq/iloq"
# The pull is slow on purpose: what is known earlier is known because somebody called.
SLOW: Mapping[str, Any] = {"webhook_url": URL, "events_seconds": 3600, "inventory_minutes": 6000}
MINUTE = timedelta(minutes=1)


@asynccontextmanager
async def called(dsns: RoleDsns, folder: Path, **more: Any) -> AsyncIterator[tuple[Spine, Webhooks]]:
    async with open_spine(dsns, folder, START, iloq={**SLOW, **more}) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", crew=("u1",))
        await spine.advance(MINUTE)
        yield spine, spine.world.iloq.webhooks


async def flush(spine: Spine, *, lost: bool = False) -> list[int]:
    """Have the vendor send what is due, and the product do what follows from it."""

    async def send(post: Post) -> tuple[int, bytes]:
        assert post.url == URL
        answer = await spine.services.hooks.receive("iloq", post.headers, post.body)
        if lost:
            raise OSError("the answer was lost")
        return answer.status, b""

    statuses = await spine.world.iloq.webhooks.flush(send)
    spine._due.pop("wakes:iloq", None)  # as the web side does when somebody called
    await spine.settle()
    return statuses


async def openings(spine: Spine) -> int:
    [row] = await spine.fetch("SELECT count(*) AS n FROM key_event WHERE outcome = 'opened'")
    return int(row["n"])


async def open_door(spine: Spine) -> None:
    assert spine.try_open("K001", "C1")
    spine.world.sync(twin_id("key 1"))  # the phone brings the row along


async def test_an_opening_is_known_when_the_vendor_calls(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with called(db_dsns, tmp_path) as (spine, hooks):
        assert {each.event for each in hooks.subscriptions.values()} == {
            "device_log_arrived", "key_added", "key_blocklisted",
        }  # fmt: skip
        await open_door(spine)
        await spine.advance(MINUTE)
        assert await openings(spine) == 0, "nobody looked yet"
        assert set(await flush(spine)) == {202}
        assert await openings(spine) == 1
        assert all(each.state is PayloadState.DELIVERED for each in hooks.payloads)


async def test_a_flood_of_calls_costs_one_look_in_five_seconds(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with called(db_dsns, tmp_path) as (spine, hooks):
        calls = spine.world.iloq.calls
        before = calls["POST LockLogs/GetLockLogDataByTimestamp"]
        for _ in range(20):
            hooks.tell("device_log_arrived", {})
            await flush(spine)
        assert calls["POST LockLogs/GetLockLogDataByTimestamp"] - before == 1
        await spine.advance(timedelta(seconds=6), every=timedelta(seconds=2))
        assert calls["POST LockLogs/GetLockLogDataByTimestamp"] - before == 2, (
            "what came meanwhile is looked at"
        )


async def test_the_same_message_wakes_once_and_a_lost_answer_does_no_harm(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    async with called(db_dsns, tmp_path) as (spine, hooks):
        await open_door(spine)
        await flush(spine, lost=True)
        assert await openings(spine) == 1
        spine.world.iloq.settings.hooks_doubled = True
        await spine.advance(timedelta(minutes=5))
        assert set(await flush(spine)) == {204}, "known by its counter"
        assert {each.state for each in hooks.payloads} == {PayloadState.DELIVERED}


async def test_the_last_retry_of_the_ladder_is_still_taken(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with called(db_dsns, tmp_path) as (spine, hooks):
        hooks.tell("device_log_arrived", {})
        [payload] = hooks.payloads
        payload.due_at = payload.made_at + timedelta(hours=43, minutes=20)
        await spine.advance_to(payload.due_at, every=timedelta(hours=6))
        assert await flush(spine) == [202]
        hooks.tell("device_log_arrived", {})
        payload = hooks.payloads[-1]
        payload.due_at = payload.made_at + timedelta(hours=49)
        await spine.advance_to(payload.due_at, every=timedelta(hours=7))
        assert await flush(spine) == [401], "older than anything the vendor still sends"


async def test_a_key_that_was_blocked_elsewhere_is_read_at_once(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with called(db_dsns, tmp_path, reread_minutes=600, watched_reread_minutes=600) as (spine, hooks):
        await spine.advance(timedelta(minutes=10))
        before = await spine.fetch(READ)
        hooks.tell("key_blocklisted", {"FNKey_ID": str(twin_id("key 1")).upper()})
        await spine.advance(MINUTE)
        assert await spine.fetch(READ) == before
        assert await flush(spine) == [202]
        assert await spine.fetch(READ) != before


READ = """SELECT work.read_at FROM key_work AS work JOIN key_target AS target ON target.id = work.target_id
JOIN key_key AS key ON key.id = target.key_id WHERE key.stamp = 'K001'"""


async def test_a_new_key_is_listed_when_the_vendor_calls(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with called(db_dsns, tmp_path) as (spine, hooks):
        calls = spine.world.iloq.calls
        before = calls["GET Keys"]
        hooks.tell("key_added", {"FNKey_ID": str(UUID(int=9))})
        assert await flush(spine) == [202]
        assert calls["GET Keys"] == before + 1


async def test_nobody_else_can_call(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with called(db_dsns, tmp_path) as (spine, hooks):
        hooks.tell("device_log_arrived", {})
        subscription = next(
            each for each in hooks.subscriptions.values() if each.event == "device_log_arrived"
        )
        good = hooks.post(subscription, hooks.payloads[-1])
        receive = spine.services.hooks.receive
        assert (await receive("other", good.headers, good.body)).status == 404
        assert (await receive("iloq", good.headers, b"x" * (BODY_LIMIT + 1))).status == 413
        wrong = {
            "another body": (good.headers, good.body + b" "),
            "another subscription": (good.headers | {"Subscription-Id": str(UUID(int=3))}, good.body),
            "another one of ours": (
                good.headers | {"Subscription-Id": str(next(i for i in hooks.subscriptions if str(i) != good.headers["Subscription-Id"]))},
                good.body,
            ),
            "no signature": ({k: v for k, v in good.headers.items() if k != "Webhook-Signature"}, good.body),
        }  # fmt: skip
        for why, (headers, body) in wrong.items():
            assert (await receive("iloq", headers, body)).status == 401, why
        assert not await spine.fetch("SELECT FROM key_wake WHERE taken_at IS NULL")
        assert (
            await receive("iloq", {k.lower(): v for k, v in good.headers.items()}, good.body)
        ).status == 202
        assert (await receive("iloq", good.headers, good.body)).status == 204


async def test_subscriptions_are_made_anew_before_they_end(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with called(db_dsns, tmp_path, webhook_days=8, webhook_renew_days=2) as (spine, hooks):
        first = set(hooks.subscriptions)
        await spine.advance_to(START + timedelta(days=5), every=timedelta(days=1))
        assert set(hooks.subscriptions) == first
        await spine.advance_to(START + timedelta(days=7), every=timedelta(days=1))
        assert len(hooks.subscriptions) == 3
        assert not first & set(hooks.subscriptions), "the old ones are ended there, they count"
        hooks.tell("device_log_arrived", {})
        assert await flush(spine) == [202]


async def test_a_subscription_that_somebody_ended_is_made_again(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with called(db_dsns, tmp_path) as (spine, hooks):
        gone = next(iter(hooks.subscriptions))
        hooks.remove(gone)
        await spine.advance(timedelta(days=2), every=timedelta(hours=12))
        assert len(hooks.subscriptions) == 3
        assert gone not in hooks.subscriptions


async def test_subscriptions_of_others_are_left_alone_and_told(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START, iloq=SLOW) as spine:
        hooks = spine.world.iloq.webhooks
        for hook in list(hooks.subscriptions):
            hooks.remove(hook)
        for number in range(3):
            other = subscription(number, event="device_log_arrived")
            other.url = "https://other.test/"
            hooks.subscribe(other)
        await spine.advance(timedelta(days=2), every=timedelta(hours=12))
        keeper = next(loop for loop in spine.installation.loops if loop.name == "hooks:iloq")
        assert "end one of them" in (getattr(keeper, "problem", None) or "")
        assert {UUID(int=number) for number in range(3)} <= set(hooks.subscriptions)


@pytest.mark.parametrize("effect", ["lose_response_after_commit", "lose_request"])
async def test_an_answer_that_was_lost_leaves_one_subscription(
    db_dsns: RoleDsns, tmp_path: Path, effect: str
) -> None:
    site = tiny_site()
    world = World(7, START, site=site.iloq, cliq=site.cliq)
    world.faults.add(Fault(operation="POST Webhooks/Subscriptions", effect=effect, times=2))
    async with open_spine(db_dsns, tmp_path, START, site=site, world=world, iloq=SLOW) as spine:
        await spine.advance(timedelta(hours=3), every=timedelta(minutes=30))
        assert len(world.iloq.webhooks.subscriptions) == 3
        rows = await spine.fetch("SELECT id FROM key_hook WHERE gone_at IS NULL AND made_at IS NOT NULL")
        assert {row["id"] for row in rows} == set(world.iloq.webhooks.subscriptions)
