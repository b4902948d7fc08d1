"""Sign and post webhooks after Standard Webhooks, with the mishaps of a real sender: lost, doubled, late, out of order."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import httpx2

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIA_TYPE = "application/cloudevents+json"  # CloudEvents over HTTP, structured mode
SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks marks a secret
DEFAULT_RETRY = timedelta(minutes=1)

JsonObject = dict[str, Any]


def make_secret(key: bytes) -> str:
    """The printed form of a secret."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def signature_of(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; ValueError when the secret is not base64."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


@dataclass(slots=True)
class Chaos:
    """How unreliable the way to the product is; probabilities per event, drawn from one seed."""

    seed: int = 0
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # chance that a whole batch goes out shuffled
    delay: float = 0.0
    delay_for: timedelta = timedelta(minutes=10)
    _rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def happens(self, probability: float) -> bool:
        """Draw once; a probability of 0 draws nothing, so that switching one mishap off leaves the others alone."""
        return probability > 0 and self._rng.random() < probability

    def shuffle(self, batch: list[Pending]) -> None:
        """Put a batch out of order."""
        self._rng.shuffle(batch)


@dataclass(frozen=True, slots=True)
class Pending:
    """An event on its way out."""

    event: JsonObject
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one attempt. `status` 0: nothing answered."""

    event: JsonObject
    sent_at: datetime
    outcome: Literal["sent", "dropped", "delayed", "failed"]
    status: int = 0
    answer: str = ""


@dataclass(slots=True)
class WebhookSender:
    """Posts events to one address and keeps what came back.

    Args:
        url: for example http://127.0.0.1:8080/webhooks/ptw/site.
        secrets: one, or two while the receiver changes over; every message carries a signature of each.
        transport: for example `httpx2.ASGITransport(app)`.
        chaos: the mishaps; none by default.
    """

    url: str
    secrets: Sequence[str]
    transport: httpx2.AsyncBaseTransport | None = None
    chaos: Chaos = field(default_factory=Chaos)
    deliveries: list[Delivery] = field(default_factory=list, init=False)
    queue: list[Pending] = field(default_factory=list, init=False)
    _http: httpx2.AsyncClient = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._http = httpx2.AsyncClient(transport=self.transport)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def put(self, event: JsonObject, *, at: datetime) -> None:
        """Queue an event; this is where it may get lost, doubled or late."""
        if self.chaos.happens(self.chaos.drop):
            self.deliveries.append(Delivery(event, at, "dropped"))
            return
        late = self.chaos.delay_for if self.chaos.happens(self.chaos.delay) else timedelta(0)
        if late:
            self.deliveries.append(Delivery(event, at, "delayed"))
        self.queue.append(Pending(event, at + late))
        if self.chaos.happens(self.chaos.duplicate):
            self.queue.append(Pending(event, at + late))

    async def flush(self, *, at: datetime) -> list[Delivery]:
        """Send everything due at `at`; what the receiver could not take stays queued for later (same event id)."""
        batch = [pending for pending in self.queue if pending.due_at <= at]
        self.queue = [pending for pending in self.queue if pending.due_at > at]
        if self.chaos.happens(self.chaos.reorder):
            self.chaos.shuffle(batch)
        return [await self._attempt(pending, at) for pending in batch]

    async def post(self, event: JsonObject, *, at: datetime) -> Delivery:
        """Send one event now, past the queue and the chaos; never raises for an error status."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        return (await self.post_bytes(body, message_id=str(event["id"]), at=at, event=event))[0]

    async def post_bytes(
        self, body: bytes, *, message_id: str, at: datetime, event: JsonObject | None = None
    ) -> tuple[Delivery, httpx2.Response | None]:
        """Send any bytes with a right signature: for bodies that are no JSON, too long, or replayed."""
        timestamp = int(at.timestamp())
        headers = {
            "Content-Type": MEDIA_TYPE,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(
                signature_of(secret, message_id, timestamp, body) for secret in self.secrets
            ),
        }
        answer: httpx2.Response | None = None
        try:
            answer = await self._http.post(self.url, content=body, headers=headers)
        except httpx2.TransportError as err:
            delivery = Delivery(event or {}, at, "failed", 0, str(err))
        else:
            outcome: Literal["sent", "failed"] = "failed" if answer.is_error else "sent"
            delivery = Delivery(event or {}, at, outcome, answer.status_code, answer.text)
        self.deliveries.append(delivery)
        return delivery, answer

    async def _attempt(self, pending: Pending, at: datetime) -> Delivery:
        body = json.dumps(pending.event, ensure_ascii=False, separators=(",", ":")).encode()
        message_id = str(pending.event["id"])
        delivery, answer = await self.post_bytes(body, message_id=message_id, at=at, event=pending.event)
        # 4xx other than 429 will not get better by itself; a permit system gives up and shows it to its operator.
        if delivery.status in {0, 429} or delivery.status >= 500:
            self.queue.append(Pending(pending.event, at + _retry_after(answer)))
        return delivery


def _retry_after(answer: httpx2.Response | None) -> timedelta:
    seconds = answer.headers.get("retry-after", "") if answer is not None else ""
    return timedelta(seconds=int(seconds)) if seconds.isdigit() else DEFAULT_RETRY
