"""The webhook, against an independent sender over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest

from key2xs.core.outside import PermitSource
from key2xs.core.secret import Secret
from key2xs.core.settings import Settings
from key2xs.work import BODY_LIMIT, Webhook
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.webhook import Chaos, WebhookSender, make_secret
from tests.work.worlds import NIGHT, World, after

OLD, NEW = make_secret(b"o" * 32), make_secret(b"n" * 32)
SETTINGS = Settings(permits=(PermitSource("eptw", (Secret(OLD), Secret(NEW))),))
Scope = dict[str, Any]


def asgi(webhook: Webhook) -> Any:
    """The smallest server around the endpoint."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        answer = await webhook.receive(scope["path"].rsplit("/", 1)[-1], headers, body)
        given = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": given})
        text = msgspec.json.encode(answer.problem) if answer.problem else b""
        await send({"type": "http.response.body", "body": text})

    return app


@pytest.fixture
def webhook(world: World) -> Webhook:
    world.clock.advance_to(NIGHT)
    return Webhook(world.db, world.desk, world.clock, SETTINGS, burst=40)


@pytest.fixture
async def sender(webhook: Webhook) -> AsyncIterator[WebhookSender]:
    made = WebhookSender("http://site.test/webhooks/ptw/eptw", [OLD], httpx2.ASGITransport(asgi(webhook)))
    yield made
    await made.aclose()


async def test_a_night_of_an_unreliable_sender_arrives(world: World, sender: WebhookSender) -> None:
    sender.chaos = Chaos(seed=5, duplicate=0.4, reorder=1.0)
    system = PermitSystem(sender, site="SITEA")
    permit = system.create(
        type_="cold_work", area="CDU", unit="U1", assets=["P-1"], valid_from=NIGHT, valid_to=after(700), at=NIGHT,
        people=[],
    )  # fmt: skip
    system.approve(permit.id, by="aa", at=NIGHT)
    system.sign_on(permit.id, "u1", role="worker", at=NIGHT)
    system.go_live(permit.id, by="ia", at=NIGHT)
    system.heartbeat(at=NIGHT)
    statuses = {delivery.status for delivery in await system.flush(at=NIGHT)}
    assert statuses == {202, 204}
    assert (await world.facts(permit.id, after(1))).live == "yes"


async def test_while_secrets_change_either_signature_is_taken(sender: WebhookSender) -> None:
    for secrets in ([OLD], [NEW], [OLD, NEW]):
        sender.secrets = secrets
        system = PermitSystem(sender, site="SITEA", source=f"urn:{len(secrets)}{secrets[0]}")
        assert (await sender.post(system.heartbeat(at=NIGHT), at=NIGHT)).status == 204


async def test_a_replay_changes_nothing(world: World, sender: WebhookSender) -> None:
    PermitSystem(sender, site="SITEA").create(
        type_="cold_work",
        area="CDU",
        unit="U1",
        assets=["P-1"],
        valid_from=NIGHT,
        valid_to=after(700),
        at=NIGHT,
    )
    (first,) = await sender.flush(at=NIGHT)
    entries = await world.kinds()
    again = await sender.post(first.event, at=NIGHT)
    assert (first.status, again.status) == (202, 204)
    assert await world.kinds() == entries


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_an_old_or_early_signature_is_refused(
    world: World, sender: WebhookSender, minutes: int
) -> None:
    event = PermitSystem(sender).heartbeat(at=NIGHT)
    delivery = await sender.post(event, at=after(minutes))
    assert delivery.status == 401
    assert await world.kinds() == []


async def test_an_unsigned_or_strangely_signed_message_leaves_no_trace(
    world: World, webhook: Webhook, sender: WebhookSender
) -> None:
    answer = await webhook.receive("eptw", {"content-type": "application/json"}, b"{}")
    assert answer.status == 401
    assert answer.problem
    assert answer.problem["title"] == "The message is not signed"
    sender.secrets = [make_secret(b"x" * 32)]
    assert (await sender.post(PermitSystem(sender).heartbeat(at=NIGHT), at=NIGHT)).status == 401
    assert await world.kinds() == []


async def test_a_body_that_is_too_long_is_not_read(sender: WebhookSender) -> None:
    delivery, _ = await sender.post_bytes(b" " * (BODY_LIMIT + 1), message_id="m", at=NIGHT)
    assert delivery.status == 413


async def test_a_body_that_is_no_json_is_400_and_another_type_415(
    webhook: Webhook, sender: WebhookSender
) -> None:
    delivery, answer = await sender.post_bytes(b"{not json", message_id="m1", at=NIGHT)
    assert delivery.status == 400
    assert answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"] == [{"field": "body", "problem": "is not JSON"}]
    assert (await webhook.receive("eptw", {"Content-Type": "text/xml"}, b"<a/>")).status == 415
    assert (await webhook.receive("eptw", {}, b"{}")).status == 415


async def test_an_unknown_source_is_404(webhook: Webhook) -> None:
    assert (await webhook.receive("nobody", {}, b"")).status == 404
    assert webhook.handshake("nobody", {"WebHook-Request-Origin": "ptw.test"}).status == 404


async def test_a_wrong_event_is_400_with_its_fields_and_again_400(sender: WebhookSender) -> None:
    event = PermitSystem(sender).heartbeat(at=NIGHT)
    event["type"] = "com.key2xs.ptw.permit.live.v1"
    for _ in range(2):
        delivery = await sender.post(event, at=NIGHT)
        assert delivery.status == 400
        assert "data.permit" in delivery.answer


async def test_an_event_from_the_future_is_refused(world: World, sender: WebhookSender) -> None:
    PermitSystem(sender, site="SITEA").create(
        type_="cold_work",
        area="CDU",
        unit="U1",
        assets=["P-1"],
        valid_from=NIGHT,
        valid_to=after(700),
        at=after(6),
    )
    (delivery,) = await sender.flush(at=after(6))
    assert delivery.status == 401  # the signature is from the future, too
    event = dict(delivery.event)
    delivery = await sender.post(event, at=NIGHT)
    assert delivery.status == 400
    assert "in the future" in delivery.answer
    assert await world.kinds("work:permit:") == []


async def test_too_many_at_once_must_wait_but_what_takes_away_never_does(
    world: World, sender: WebhookSender
) -> None:
    system = PermitSystem(sender, site="SITEA")
    permit = system.create(
        type_="cold_work",
        area="CDU",
        unit="U1",
        assets=["P-1"],
        valid_from=NIGHT,
        valid_to=after(700),
        at=NIGHT,
    )
    await system.flush(at=NIGHT)
    waiting = None
    for _ in range(60):
        body = msgspec.json.encode(system.heartbeat(at=NIGHT))
        _, waiting = await sender.post_bytes(body, message_id="m", at=NIGHT)
        if waiting and waiting.status_code == 429:
            break
    assert waiting
    assert waiting.status_code == 429
    assert int(waiting.headers["retry-after"]) >= 1
    stop = await sender.post(system.cancel(permit.id, code="esd", at=NIGHT), at=NIGHT)
    assert stop.status == 202
    assert (await world.facts(permit.id, after(1))).state == "cancelled"
    world.clock.advance_to(after(1))
    assert (await sender.post(system.heartbeat(at=after(1)), at=after(1))).status == 204


async def test_the_handshake_allows_the_origin_that_asks(webhook: Webhook) -> None:
    answer = webhook.handshake("eptw", {"WebHook-Request-Origin": "ptw.site.test"})
    assert answer.status == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "ptw.site.test"
    assert webhook.handshake("eptw", {}).status == 400
