"""The vendor's webhooks: subscriptions, and what one message must look like (iLOQ Public API v2; beta there).

Subscribing needs the right *administrate*, which is a powerful one: a second user can have it, and does nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import httpx2
import msgspec

from key2xs.connectors.turns import Turns
from key2xs.core.clock import Clock
from key2xs.core.errors import CallFailed, Refused, Retry
from key2xs.keys.hooks import BadMessage, HookAbout, HookMessage, NewHook, VendorHook
from key2xs.keys.port import SessionStore

from .answers import ADMINISTRATE
from .client import Call, Done, IloqClient
from .config import IloqConfig
from .localtime import instant_from_utc_text, utc_text
from .payloads import HookEvent, HookSubscription
from .session import IloqSession

__all__ = ["IloqWebhooks"]

# Public API v2, Webhooks/Events, and what each is about for us
_EVENTS: Final = {
    "device_log_arrived": HookAbout.EVENTS,
    "key_blocklisted": HookAbout.KEY,
    "key_added": HookAbout.INVENTORY,
}
_MOST: Final = 3  # Public API v2: subscriptions per event and locking system
_COUNTER_DIGITS: Final = 18


class IloqWebhooks:
    """The subscriptions of one locking system."""

    events: Mapping[str, HookAbout] = _EVENTS
    most = _MOST

    def __init__(
        self,
        config: IloqConfig,
        *,
        store: SessionStore,
        clock: Clock,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepare; nothing is sent before it is used."""
        self._client = IloqClient(config, transport=transport)
        self._session = IloqSession(self._client, config, store, clock, needs=ADMINISTRATE)
        self._retry_after = config.retry_after
        turns = Turns(
            lambda: self._client.writes_sent, limit=config.call_timeout, retry_after=config.retry_after
        )
        self._call = turns.turn

    async def hooks(self) -> tuple[VendorHook, ...]:
        """Return all subscriptions: two requests."""
        async with self._call("list subscriptions"):
            names = {event.id.lower(): event.name for event in await self._events()}
            listed = await self._session.request(
                Call("GET", "Webhooks/Subscriptions"), list[HookSubscription]
            )
            return tuple(self._hook(each, names) for each in listed)

    async def add(self, hook: NewHook) -> VendorHook:
        """Make a subscription and read back the key it is signed with: three requests."""
        async with self._call(f"subscribe to {hook.event}"):
            ids = {event.name: event.id for event in await self._events()}
            if hook.event not in ids:
                raise Refused(f"the vendor knows no event {hook.event}")
            body = {
                "SubscriptionId": str(hook.id),
                "WebhookEventId": ids[hook.event],
                "TargetEndpointUri": hook.url,
                "StartDateUtc": utc_text(hook.starts_at),
                "EndDateUtc": utc_text(hook.ends_at),
                "SignKey": hook.sign_key,
            }
            await self._session.request(Call("POST", "Webhooks/Subscriptions", body=body, writes=True), Done)
            made = await self._session.request(
                Call("GET", f"Webhooks/Subscriptions/{hook.id}"), HookSubscription
            )
            return self._hook(made, {ids[hook.event].lower(): hook.event})

    async def remove(self, hook_id: UUID) -> None:
        """End a subscription."""
        async with self._call("end a subscription"):
            call = Call("DELETE", f"Webhooks/Subscriptions/{hook_id}", writes=True)
            await self._session.request(call, Done)

    def hook_of(self, headers: Mapping[str, str]) -> UUID | None:
        """Return the subscription that a message says it is of."""
        try:
            return UUID(headers.get("subscription-id", ""))
        except ValueError:
            return None

    def read(self, headers: Mapping[str, str], body: bytes, sign_key: str) -> HookMessage:
        """Check the signature over the bytes as they came, then read the message."""
        if not _is_signed(body, headers.get("webhook-signature", ""), sign_key):
            raise BadMessage("it is not signed with this subscription's key", unsigned=True)
        return _read(headers, body)

    async def close(self) -> None:
        """Sign out and release connections."""
        try:
            async with self._call("sign out"):
                await self._session.close()
        except CallFailed:
            pass  # Leaving does not fail.
        finally:
            await self._client.aclose()

    async def _events(self) -> list[HookEvent]:
        return await self._session.request(Call("GET", "Webhooks/Events"), list[HookEvent])

    def _hook(self, found: HookSubscription, names: Mapping[str, str]) -> VendorHook:
        try:
            ends_at = instant_from_utc_text(found.ends_at) if found.ends_at else None
            hook_id = UUID(found.id)
        except (TypeError, ValueError) as err:
            raise Retry(self._retry_after, "the vendor lists a subscription that cannot be read") from err
        event = names.get(found.event_id.lower(), found.event_id)
        return VendorHook(hook_id, event, found.url or "", ends_at, found.sign_key or "")


def _is_signed(body: bytes, signature: str, sign_key: str) -> bool:
    """Tell whether the bytes were signed with this key: HMAC-SHA256, lower-case hex, the key as it is printed."""
    right = hmac.new(sign_key.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), signature.encode())


def _read(headers: Mapping[str, str], body: bytes) -> HookMessage:
    try:
        told: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as err:
        raise BadMessage("the body is not JSON") from err
    fields = _folded(told)
    made = fields.get("creationtimeutc")
    try:
        made_at = instant_from_utc_text(made) if isinstance(made, str) else None
    except (ValueError, OverflowError) as err:
        raise BadMessage("CreationTimeUtc cannot be read") from err
    if made_at is None:
        raise BadMessage("CreationTimeUtc is missing")
    key = _folded(fields.get("data")).get("fnkey_id")
    counter = headers.get("counter", "")
    is_number = counter.isascii() and counter.isdigit() and len(counter) <= _COUNTER_DIGITS
    return HookMessage(
        made_at=made_at,
        vendor_key=key.lower() if isinstance(key, str) else None,
        counter=int(counter) if is_number else None,
    )


def _folded(value: Any) -> dict[str, Any]:
    """Field names in any case: the vendor's own example prints `fnKey_ID`."""
    return {name.casefold(): inner for name, inner in value.items()} if isinstance(value, dict) else {}
