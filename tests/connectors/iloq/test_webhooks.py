"""Subscribing at the simulated vendor, and reading what it sends."""

import json
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from key2xs.connectors.iloq import IloqWebhooks
from key2xs.core.errors import NeedsPerson, Refused
from key2xs.keys.hooks import BadMessage, NewHook
from key2xs_twin import iloq
from key2xs_twin.iloq.webhooks import sign
from key2xs_twin.world import World
from tests.conftest import START

from .connection import KeptSession, WorldClock, make_config

URL = "https://key2xs.test/webhooks/iloq/iloq"
KEY = "5f0c2c1a-0d5e-4f0e-8f8e-2b7b6a3c9d10"


def webhooks(world: World) -> IloqWebhooks:
    return IloqWebhooks(
        make_config(world), store=KeptSession(), clock=WorldClock(world), transport=iloq.transport(world)
    )


def new(event: str = "key_added", **more: object) -> NewHook:
    given = {
        "id": uuid4(), "event": event, "url": URL, "starts_at": START, "ends_at": START + timedelta(days=364),
        "sign_key": KEY,
    }  # fmt: skip
    return NewHook(**(given | more))  # type: ignore[arg-type]


async def test_a_subscription_reads_back_as_it_was_made() -> None:
    world = World(7, START)
    vendor, wanted = webhooks(world), new()
    made = await vendor.add(wanted)
    assert (made.id, made.event, made.url, made.sign_key) == (wanted.id, "key_added", URL, KEY)
    assert await vendor.hooks() == (made,)
    await vendor.remove(made.id)
    assert await vendor.hooks() == ()


async def test_the_key_counts_as_the_vendor_prints_it() -> None:
    world = World(7, START)
    world.iloq.settings.hook_sign_key_of_caller = False
    made = await webhooks(world).add(new())
    assert made.sign_key == world.iloq.webhooks.subscriptions[made.id].sign_key != KEY


async def test_the_fourth_is_refused_in_the_vendors_words() -> None:
    world = World(7, START)
    vendor = webhooks(world)
    for _ in range(3):
        await vendor.add(new())
    with pytest.raises(Refused, match="Maximum number"):
        await vendor.add(new())


async def test_only_the_right_to_administrate_is_needed() -> None:
    world = World(7, START)
    world.iloq.settings.rights_mask = 1 | 2147483648
    assert await webhooks(world).hooks() == ()
    world.iloq.settings.rights_mask = (1 << 55) - 1 - 2147483648
    with pytest.raises(NeedsPerson, match="administrate"):
        await webhooks(world).hooks()


BODY = json.dumps({"data": {"fnKey_ID": "ABC"}, "creationTimeUtc": "2026-03-02T06:00:00Z"}).encode()


def headers(body: bytes = BODY, more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"counter": "7", "webhook-signature": sign(body, KEY), **(more or {})}


def test_names_of_fields_come_in_any_case() -> None:
    message = webhooks(World(7, START)).read(headers(), BODY, KEY)
    assert (message.vendor_key, message.counter) == ("abc", 7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook-signature": sign(BODY, "another key")},
        {"webhook-signature": sign(BODY, KEY).upper()},
        {"webhook-signature": sign(BODY + b" ", KEY)},
        {"webhook-signature": ""},
        {"webhook-signature": "ä" * 64},
    ],
)
def test_what_is_not_signed_is_not_read(wrong: dict[str, str]) -> None:
    with pytest.raises(BadMessage) as refused:
        webhooks(World(7, START)).read(headers(more=wrong), BODY, KEY)
    assert refused.value.unsigned


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"CreationTimeUtc": 3}', b'{"CreationTimeUtc": "soon"}', b"[" * 100_000, b"\xff",
     b'{"CreationTimeUtc": "9999-12-31T23:59:59-23:59"}'],
)  # fmt: skip
def test_nonsense_that_is_signed_is_refused(body: bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        webhooks(World(7, START)).read(headers(body), body, KEY)
    assert not refused.value.unsigned


@pytest.mark.parametrize("counter", ["", "-1", "seven", "9" * 40, "٣"])
def test_a_counter_that_is_none_is_left_out(counter: str) -> None:
    assert webhooks(World(7, START)).read(headers(more={"counter": counter}), BODY, KEY).counter is None


@pytest.mark.parametrize("text", ["", "x", "0" * 33])
def test_a_subscription_that_is_no_id(text: str) -> None:
    assert webhooks(World(7, START)).hook_of({"subscription-id": text}) is None
    assert webhooks(World(7, START)).hook_of({"subscription-id": str(UUID(int=5)).upper()}) == UUID(int=5)
