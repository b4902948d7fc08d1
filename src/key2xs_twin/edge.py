"""Between a client and a vendor's server: where faults act, and the two ways in (in-process transport, ASGI)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import httpx2

if TYPE_CHECKING:
    from key2xs_twin.faults import Fault, FaultPlan
    from key2xs_twin.gateway import Gateway
    from key2xs_twin.time import TwinTime

# ASGI as a bare application spells it; Litestar's own types are narrower.
Message = MutableMapping[str, Any]
Receiver = Callable[[], Awaitable[Message]]
Sender = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receiver, Sender], Awaitable[None]]

JSON_HEADERS = (("content-type", "application/json; charset=utf-8"),)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = JSON_HEADERS


class Call(Protocol):
    """What the edge must know of one vendor's request."""

    @property
    def operation(self) -> str:
        """Method and path, the form that faults match."""

    @property
    def session_id(self) -> str | None:
        """The session that the client names."""


C = TypeVar("C", bound=Call)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door(Generic[C]):
    """What the edge must know of one vendor's server.

    ``read`` makes a request of method, path, query, headers (lower case) and body, ``None`` if it is not for this API;
    ``problem`` is the body of a simulated error status, ``not_here`` the one of a stranger's call.
    """

    time: TwinTime
    faults: FaultPlan
    gateway: Gateway
    read: Callable[[str, str, str, Mapping[str, str], bytes], C | None]
    answer: Callable[[C], Answer]
    end_session: Callable[[str], None]
    problem: Callable[[int], bytes]
    not_here: bytes


class Loss(Enum):
    """How a call ends without an answer."""

    SILENCE = auto()  # the client waits until its time-out
    REFUSED = auto()  # no connection


@dataclass(frozen=True, slots=True)
class Delivery:
    """What becomes of one call: an answer or a loss, and how many seconds it takes."""

    answer: Answer | None = None
    loss: Loss | None = None
    delay_s: float = 0.0


def deliver(door: Door[C], call: C) -> Delivery:
    """Carry out one call with the limits and the faults that hit it; a call that is turned away meets no fault."""
    now = door.time.now
    refusal = door.gateway.refusal(now)
    if refusal is not None:
        retry_after = ("retry-after", str(refusal.retry_after))
        return Delivery(Answer(429, door.problem(429), (*JSON_HEADERS, retry_after)))
    fault = door.faults.pick(call.operation, now)
    if fault is None or fault.name not in _NEVER_ARRIVES:
        door.gateway.count(now)
    if fault is not None:
        return _late(door, _DELIVERIES[fault.name](door, call, fault))
    answer = door.answer(call)
    door.faults.remember(call.operation, answer)
    return _late(door, Delivery(answer))


def _late(door: Door[Any], delivery: Delivery) -> Delivery:
    return replace(delivery, delay_s=delivery.delay_s + door.gateway.delay_s())


def _lose_request(_door: Door[Any], _call: Call, _fault: Fault) -> Delivery:
    return Delivery(loss=Loss.SILENCE)


def _lose_response(door: Door[Any], call: Call, _fault: Fault) -> Delivery:
    door.answer(call)
    return Delivery(loss=Loss.SILENCE)


def _late_write(door: Door[Any], call: Call, fault: Fault) -> Delivery:
    # Nobody waits for this answer any more.
    door.time.after(timedelta(seconds=fault.number), lambda: door.answer(call), name="late write")
    return Delivery(loss=Loss.SILENCE)


def _down(_door: Door[Any], _call: Call, _fault: Fault) -> Delivery:
    return Delivery(loss=Loss.REFUSED)


def _status(door: Door[Any], _call: Call, fault: Fault) -> Delivery:
    status = int(fault.number)
    headers: tuple[tuple[str, str], ...] = JSON_HEADERS
    if fault.retry_after is not None:
        headers = (*headers, ("retry-after", str(round(fault.retry_after))))
    return Delivery(Answer(status, door.problem(status), headers))


def _garbage(door: Door[Any], call: Call, _fault: Fault) -> Delivery:
    door.answer(call)
    return Delivery(Answer(200, b"<html><body>\xff\xfe gateway hiccup"))


def _unauthorised(door: Door[Any], call: Call, _fault: Fault) -> Delivery:
    door.end_session(call.session_id or "")
    return Delivery(door.answer(call))


def _slow(door: Door[Any], call: Call, fault: Fault) -> Delivery:
    return Delivery(door.answer(call), delay_s=fault.number)


def _repeat(door: Door[Any], call: Call, _fault: Fault) -> Delivery:
    """The last answer once more, as from a cache on the way."""
    return Delivery(door.faults.remembered[call.operation])


_NEVER_ARRIVES = frozenset({"down", "lose_request"})
_DELIVERIES: dict[str, Callable[[Door[Any], Any, Fault], Delivery]] = {
    "lose_request": _lose_request,
    "lose_response_after_commit": _lose_response,
    "late_write": _late_write,
    "down": _down,
    "status": _status,
    "garbage": _garbage,
    "unauthorised": _unauthorised,
    "slow": _slow,
    "repeat": _repeat,
}


class VendorTransport(httpx2.AsyncBaseTransport):
    """A vendor's server in the client's own process: no sockets, no waiting, the same faults."""

    def __init__(self, door: Door[Any]) -> None:
        self._door = door

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request, or raise what a network would have raised."""
        body = await request.aread()
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = request.url.query.decode("ascii")
        call = self._door.read(request.method, request.url.path, query, headers, body)
        if call is None:
            return httpx2.Response(404, headers=list(JSON_HEADERS), content=self._door.not_here)
        await asyncio.sleep(0)  # a call always lets others run: two writers interleave, time-outs can strike
        delivery = deliver(self._door, call)
        if delivery.loss is Loss.REFUSED:
            raise httpx2.ConnectError("Simulated: connection refused.", request=request)
        waits_for = request.extensions.get("timeout", {}).get("read")
        too_slow = waits_for is not None and delivery.delay_s > waits_for
        if delivery.answer is None or too_slow:
            raise httpx2.ReadTimeout("Simulated: no answer.", request=request)
        answer = delivery.answer
        return httpx2.Response(answer.status, headers=list(answer.headers), content=answer.body)


class VendorApp:
    """A vendor's server as a bare ASGI application, for real sockets."""

    def __init__(self, door: Door[Any]) -> None:
        self._door = door

    async def __call__(self, scope: Message, receive: Receiver, send: Sender) -> None:
        """Answer one request; a lost answer ends in a closed connection."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        body = await _read_body(receive)
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        call = self._door.read(scope["method"], scope["path"], query, headers, body)
        if call is None:
            await _send(send, Answer(404, self._door.not_here))
            return
        delivery = deliver(self._door, call)
        if delivery.delay_s:
            await asyncio.sleep(delivery.delay_s)
        if delivery.answer is None:
            await _cut(send)
            return
        await _send(send, delivery.answer)


async def _read_body(receive: Receiver) -> bytes:
    chunks = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _send(send: Sender, answer: Answer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _cut(send: Sender) -> None:
    # ASGI has no word for "close": promising a byte and returning without it makes the server drop the line.
    headers = [(b"content-length", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _live(receive: Receiver, send: Sender) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
