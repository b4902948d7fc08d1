"""The simulated vendor's webhooks: subscriptions, signature, retries, and what may go wrong on the way."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from key2xs_twin.iloq.errors import ApiError
from key2xs_twin.iloq.webhooks import LADDER, PayloadState, Post, Subscription, sign
from key2xs_twin.world import World

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
KEY = "5f0c2c1a-0d5e-4f0e-8f8e-2b7b6a3c9d10"


def subscription(number: int = 1, *, event: str = "key_added", days: int = 300) -> Subscription:
    return Subscription(
        subscription_id=UUID(int=number),
        event=event,
        url="https://key2xs.test/webhooks/iloq/iloq",
        starts_at=START,
        ends_at=START + timedelta(days=days),
        sign_key=KEY,
    )


def world(number: int = 1) -> World:
    found = World(7, START)
    found.iloq.webhooks.subscribe(subscription(number))
    return found


class Receiver:
    """Answers as told and keeps what came."""

    def __init__(self, status: int = 202) -> None:
        self.status = status
        self.posts: list[Post] = []

    async def __call__(self, post: Post) -> tuple[int, bytes]:
        self.posts.append(post)
        if not self.status:
            raise OSError("nobody there")
        return self.status, b"x" * 2_000_000


async def test_a_message_is_signed_over_its_bytes_with_the_key_as_printed() -> None:
    twin, receiver = world(), Receiver()
    twin.iloq.webhooks.tell("key_added", {"FNKey_ID": "k"})
    assert await twin.iloq.webhooks.flush(receiver) == [202]
    [post] = receiver.posts
    assert post.headers["Webhook-Signature"] == hmac.new(KEY.encode(), post.body, hashlib.sha256).hexdigest()
    assert sign(post.body, KEY.upper()) != post.headers["Webhook-Signature"]
    assert json.loads(post.body) == {
        "Data": {"FNKey_ID": "k"},
        "CreationTimeUtc": "2026-03-02T06:00:00.000000Z",
    }
    assert post.headers["Counter"] == "1"
    assert post.headers["Event-Name"] == "key_added"
    [payload] = twin.iloq.webhooks.payloads
    assert payload.state is PayloadState.DELIVERED
    assert len(payload.response) == 1_000_000


@pytest.mark.parametrize("status", [0, 300, 401, 500])
async def test_what_is_not_taken_is_tried_seven_times_and_then_abandoned(status: int) -> None:
    twin, receiver = world(), Receiver(status)
    hooks = twin.iloq.webhooks
    hooks.tell("key_added", {})
    tried = []
    while (due := hooks.next_due()) is not None:
        twin.advance_to(max(due, twin.now))
        await hooks.flush(receiver)
        tried.append(twin.now - START)
    assert tried == [sum(LADDER[:number], timedelta(0)) for number in range(7)]
    assert tried[-1] == timedelta(hours=43, minutes=20)
    assert hooks.payloads[0].state is PayloadState.ABANDONED
    assert {post.headers["Counter"] for post in receiver.posts} == {"1"}  # a retry does not raise it
    assert len({post.body for post in receiver.posts}) == 1


async def test_a_renewed_stamp_is_a_setting() -> None:
    twin, receiver = world(), Receiver(500)
    twin.iloq.settings.hook_stamp_renewed = True
    twin.iloq.webhooks.tell("key_added", {})
    await twin.iloq.webhooks.flush(receiver)
    twin.advance_to(START + LADDER[0])
    await twin.iloq.webhooks.flush(receiver)
    assert len({post.body for post in receiver.posts}) == 2


async def test_a_receiver_that_takes_too_long_has_not_answered() -> None:
    twin = world()
    twin.iloq.settings.hook_timeout_seconds = 0.01
    twin.iloq.webhooks.tell("key_added", {})

    async def slow(_post: Post) -> tuple[int, bytes]:
        await asyncio.Event().wait()  # for ever
        return 202, b""

    assert await twin.iloq.webhooks.flush(slow) == [0]
    assert twin.iloq.webhooks.payloads[0].state is PayloadState.FAILED


async def test_copies_and_another_order_keep_their_counters() -> None:
    twin, receiver = world(), Receiver()
    twin.iloq.settings.hooks_doubled = twin.iloq.settings.hooks_reordered = True
    for _ in range(6):
        twin.iloq.webhooks.tell("key_added", {})
    await twin.iloq.webhooks.flush(receiver)
    counters = [int(post.headers["Counter"]) for post in receiver.posts]
    assert sorted(counters) == sorted([*range(1, 7), *range(1, 7)])
    assert counters != sorted(counters)


def test_three_an_event_for_a_year_at_most() -> None:
    twin = world()
    hooks = twin.iloq.webhooks
    hooks.subscribe(subscription(2))
    hooks.subscribe(subscription(3))
    hooks.subscribe(subscription(4, event="key_blocklisted"))
    with pytest.raises(ApiError, match="Maximum"):
        hooks.subscribe(subscription(5))
    with pytest.raises(ApiError, match="EndDateUtc"):
        hooks.subscribe(subscription(6, event="key_blocklisted", days=367))


async def test_its_time_ends_a_subscription_without_a_word() -> None:
    twin, receiver = world(), Receiver()
    twin.advance_to(START + timedelta(days=300))
    twin.iloq.webhooks.tell("key_added", {})
    assert await twin.iloq.webhooks.flush(receiver) == []
