"""Operations on webhook subscriptions and what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from key2xs_twin.iloq.errors import invalid
from key2xs_twin.iloq.routes import NO_BODY, Call, Right, route
from key2xs_twin.iloq.shapes import SubscriptionBody, decode, read_utc, write_utc
from key2xs_twin.iloq.webhooks import EVENTS, MOST_LISTED, Payload, PayloadState, Subscription


def _event_id(call: Call, name: str) -> UUID:
    # Public API v2: events have ids; which, the vendor does not publish. ASSUMPTION: other ones in every system.
    return call.server.webhooks.rng.uuid("webhook event", name)


@route("GET", "Webhooks/Events", Right.ADMINISTRATE)
def list_events(call: Call) -> Any:
    """What can be subscribed to."""
    return [
        {
            "Id": str(_event_id(call, name)),
            "Name": name,
            "DisplayName": name.replace("_", " "),
            "Description": "",
        }
        for name in EVENTS
    ]


@route("GET", "Webhooks/Subscriptions", Right.ADMINISTRATE)
def list_subscriptions(call: Call) -> Any:
    """All subscriptions."""
    return [_shown(call, each) for each in call.server.webhooks.subscriptions.values()]


@route("GET", "Webhooks/Subscriptions/*", Right.ADMINISTRATE)
def get_subscription(call: Call) -> Any:
    """One subscription."""
    return _shown(call, call.server.webhooks.find(call.ids[0]))


@route("POST", "Webhooks/Subscriptions", Right.ADMINISTRATE)
def insert_subscription(call: Call) -> Any:
    """A new subscription; the caller chooses its id."""
    call.server.webhooks.subscribe(_read(call))
    return NO_BODY


@route("PUT", "Webhooks/Subscriptions", Right.ADMINISTRATE)
def update_subscription(call: Call) -> Any:
    """Change a subscription."""
    call.server.webhooks.change(_read(call))
    return NO_BODY


@route("DELETE", "Webhooks/Subscriptions/*", Right.ADMINISTRATE)
def delete_subscription(call: Call) -> Any:
    """End a subscription."""
    call.server.webhooks.remove(call.ids[0])
    return NO_BODY


@route("GET", "Webhooks/Subscriptions/*/Payloads", Right.ADMINISTRATE)
def list_payloads(call: Call) -> Any:
    """What was or will be sent, the newest first, of one state if asked for."""
    wanted = call.query("state")
    return _payloads(call, lambda each: not wanted or str(int(each.state)) in wanted)


@route("GET", "Webhooks/Subscriptions/*/PendingPayloads", Right.ADMINISTRATE)
def list_pending(call: Call) -> Any:
    """What will be sent."""
    return _payloads(call, lambda each: each.state in {PayloadState.PREPARED, PayloadState.FAILED})


def _payloads(call: Call, wanted: Any) -> Any:
    call.server.webhooks.find(call.ids[0])
    found = [
        each for each in call.server.webhooks.payloads if each.subscription_id == call.ids[0] and wanted(each)
    ]
    return [_payload(each) for each in reversed(found[-MOST_LISTED:])]


def _payload(payload: Payload) -> Any:
    return {
        "Counter": payload.counter,
        "CreationTimeUtc": write_utc(payload.made_at),
        "State": int(payload.state),
        "Tries": payload.tries,
        "Response": payload.response.decode(errors="replace"),
    }


def _shown(call: Call, found: Subscription) -> Any:
    return {
        "SubscriptionId": str(found.subscription_id),
        "WebhookEventId": str(_event_id(call, found.event)),
        "TargetEndpointUri": found.url,
        "StartDateUtc": write_utc(found.starts_at),
        "EndDateUtc": write_utc(found.ends_at),
        "JsonPathFilter": found.json_path_filter,
        "CustomHeader": found.custom_header,
        "SignKey": found.sign_key,
        "Counter": found.counter,
        "State": 1,
    }


def _read(call: Call) -> Subscription:
    body: SubscriptionBody = decode(call.request.body, SubscriptionBody)
    event = next((name for name in EVENTS if _event_id(call, name) == body.webhook_event_id), None)
    if event is None:
        raise invalid(body.webhook_event_id, "WebhookEventId")
    if not body.target_endpoint_uri.startswith("https://"):
        raise invalid(body.target_endpoint_uri, "TargetEndpointUri")
    made = call.server.webhooks.rng.uuid("sign key", body.subscription_id)
    chosen = body.sign_key if call.server.settings.hook_sign_key_of_caller else None
    return Subscription(
        subscription_id=body.subscription_id,
        event=event,
        url=body.target_endpoint_uri,
        starts_at=_instant(body.start_date_utc, "StartDateUtc"),
        ends_at=_instant(body.end_date_utc, "EndDateUtc"),
        sign_key=chosen or str(made),
        custom_header=body.custom_header,
        json_path_filter=body.json_path_filter,
    )


def _instant(text: str, parameter: str) -> datetime:
    at = read_utc(text, parameter)
    if at is None:
        raise invalid(text, parameter)
    return at
