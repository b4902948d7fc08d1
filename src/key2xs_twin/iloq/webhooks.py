"""The vendor's webhooks (beta there): subscriptions, payloads, signatures, and the ladder of retries.

Nothing is sent by itself: :meth:`Webhooks.flush` hands everything that is due to a sender, in-process or over a socket.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID

import msgspec

from key2xs_twin.iloq.errors import ApiError, invalid
from key2xs_twin.iloq.settings import IloqSettings
from key2xs_twin.iloq.shapes import write_utc
from key2xs_twin.rng import Randomness
from key2xs_twin.time import TwinTime

EVENTS = ("key_added", "key_blocklisted", "device_log_arrived")
MOST_PER_EVENT = 3  # Public API v2: per event and locking system
LONGEST = timedelta(days=366)  # Public API v2: at most one year; a leap year is one
# Public API v2: 7 tries, then abandoned.
LADDER = (
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=24),
)
KEPT_FOR = timedelta(days=30)
MOST_LISTED = 1000  # Public API v2: the newest 1000 payloads
MOST_RESPONSE = 1_000_000  # Public API v2: stored up to 1 MB


class PayloadState(IntEnum):
    """States of a payload (Public API v2)."""

    PREPARED = 1
    DELIVERED = 2
    FAILED = 3  # will be tried again
    ABANDONED = 4


@dataclass(slots=True, kw_only=True)
class Subscription:
    """Somebody wants to be told of an event."""

    subscription_id: UUID
    event: str
    url: str
    starts_at: datetime
    ends_at: datetime
    sign_key: str
    custom_header: str | None = None
    json_path_filter: str | None = None
    counter: int = 0

    def is_live(self, at: datetime) -> bool:
        """Whether it is told of what happens now; its time ends it, nobody is reminded."""
        return self.starts_at <= at < self.ends_at


@dataclass(slots=True, kw_only=True)
class Payload:
    """One thing to tell one subscriber, with how far that is."""

    number: int
    subscription_id: UUID
    counter: int
    data: dict[str, Any]
    made_at: datetime
    due_at: datetime
    state: PayloadState = PayloadState.PREPARED
    tries: int = 0
    response: bytes = b""


@dataclass(frozen=True, slots=True)
class Post:
    """One HTTP POST as it goes out."""

    url: str
    headers: dict[str, str]
    body: bytes


Send = Callable[[Post], Awaitable[tuple[int, bytes]]]
"""Sends a POST and returns status and body; raises ``OSError`` when nobody answers."""


@dataclass(slots=True)
class Webhooks:
    """Everything about webhooks of one locking system."""

    time: TwinTime
    rng: Randomness
    settings: IloqSettings
    subscriptions: dict[UUID, Subscription] = field(default_factory=dict)
    payloads: list[Payload] = field(default_factory=list)
    made: int = 0

    def subscribe(self, wanted: Subscription) -> None:
        """Take a subscription in; the vendor allows three an event, for a year at most."""
        if wanted.subscription_id in self.subscriptions:
            raise invalid(wanted.subscription_id, "SubscriptionId")
        self._require_time(wanted)
        same = [each for each in self.subscriptions.values() if each.event == wanted.event]
        if len(same) >= MOST_PER_EVENT:
            raise ApiError(400, "ValidationFailed", "Maximum number of subscriptions for the event reached.")
        self.subscriptions[wanted.subscription_id] = wanted

    def change(self, wanted: Subscription) -> None:
        """Change a subscription; its counter goes on."""
        old = self.find(wanted.subscription_id)
        self._require_time(wanted)
        wanted.counter = old.counter
        self.subscriptions[wanted.subscription_id] = wanted

    def find(self, subscription_id: UUID) -> Subscription:
        """The subscription, or the vendor's answer to an id it does not list."""
        found = self.subscriptions.get(subscription_id)
        if found is None:
            raise invalid(subscription_id, "subscription id")
        return found

    def remove(self, subscription_id: UUID) -> None:
        """End a subscription; what waits for it is not sent any more."""
        self.find(subscription_id)
        del self.subscriptions[subscription_id]
        for payload in self._waiting():
            if payload.subscription_id == subscription_id:
                payload.state = PayloadState.ABANDONED

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Something happened: every live subscriber gets a payload."""
        now = self.time.now
        for subscription in self.subscriptions.values():
            if subscription.event != event or not subscription.is_live(now):
                continue
            subscription.counter += 1
            self.made += 1
            self.payloads.append(
                Payload(
                    number=self.made,
                    subscription_id=subscription.subscription_id,
                    counter=subscription.counter,
                    data=data,
                    made_at=now,
                    due_at=now,
                )
            )

    def next_due(self) -> datetime | None:
        """When the next payload is due."""
        return min((payload.due_at for payload in self._waiting()), default=None)

    async def flush(self, send: Send) -> list[int]:
        """Send what is due now, each payload once; return the answers' statuses, 0 where nobody answered in time."""
        now = self.time.now
        self.payloads = [each for each in self.payloads if now - each.made_at < KEPT_FOR]
        due = [payload for payload in self._waiting() if payload.due_at <= now]
        if self.settings.hooks_reordered:
            self.rng.stream("webhook order").shuffle(due)
        statuses = []
        for payload in due:
            copies = 2 if self.settings.hooks_doubled else 1
            statuses += [await self._deliver(payload, send) for _ in range(copies)]
        return statuses

    async def _deliver(self, payload: Payload, send: Send) -> int:
        subscription = self.subscriptions.get(payload.subscription_id)
        if subscription is None:
            payload.state = PayloadState.ABANDONED
            return 0
        try:
            async with asyncio.timeout(self.settings.hook_timeout_seconds):
                status, response = await send(self.post(subscription, payload))
        except (OSError, TimeoutError):
            status, response = 0, b""
        payload.response = response[:MOST_RESPONSE]
        payload.tries += 1
        if 200 <= status < 300:
            payload.state = PayloadState.DELIVERED
        elif payload.state is not PayloadState.DELIVERED:  # the copy of one that arrived changes nothing
            self._try_again(payload)
        return status

    def _try_again(self, payload: Payload) -> None:
        if payload.tries > len(LADDER):
            payload.state = PayloadState.ABANDONED
            return
        payload.state = PayloadState.FAILED
        payload.due_at = self.time.now + LADDER[payload.tries - 1]

    def post(self, subscription: Subscription, payload: Payload) -> Post:
        """The message as it is on the wire."""
        stamp = self.time.now if self.settings.hook_stamp_renewed else payload.made_at
        body = msgspec.json.encode({"Data": payload.data, "CreationTimeUtc": write_utc(stamp)})
        headers = {
            "Content-Type": "application/json",
            "Counter": str(payload.counter),
            "Event-Name": subscription.event,
            "Subscription-Id": str(subscription.subscription_id),
            "Webhook-Signature": sign(body, subscription.sign_key),
        }
        if subscription.custom_header:
            headers["Custom-Header"] = b64encode(subscription.custom_header.encode()).decode()
        return Post(subscription.url, headers, body)

    def _waiting(self) -> list[Payload]:
        return [each for each in self.payloads if each.state in {PayloadState.PREPARED, PayloadState.FAILED}]

    def _require_time(self, wanted: Subscription) -> None:
        if not wanted.starts_at < wanted.ends_at <= wanted.starts_at + LONGEST:
            raise invalid(write_utc(wanted.ends_at), "EndDateUtc")


def sign(body: bytes, sign_key: str) -> str:
    """HMAC-SHA256 over the raw body, lower-case hex; the key is the text of `SignKey` as it is printed."""
    return hmac.new(sign_key.encode(), body, hashlib.sha256).hexdigest()
