"""Between client and server: where faults act, and the two ways in (in-process transport, ASGI)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx2
import msgspec

from key2xs_twin.iloq.server import API_PREFIX, ApiAnswer, ApiRequest, IloqServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from key2xs_twin.faults import Fault
    from key2xs_twin.world import World

    Message = MutableMapping[str, Any]


class Loss(Enum):
    """How a call ends without an answer."""

    SILENCE = auto()  # the client waits until its time-out
    REFUSED = auto()  # no connection


@dataclass(frozen=True, slots=True)
class Delivery:
    """What becomes of one call: an answer or a loss, and how many seconds it takes."""

    answer: ApiAnswer | None = None
    loss: Loss | None = None
    delay_s: float = 0.0


def deliver(server: IloqServer, request: ApiRequest) -> Delivery:
    """Carry out one call with the faults that hit it."""
    fault = server.faults.pick(request.operation, server.time.now)
    if fault is None:
        return Delivery(server.answer(request))
    return _DELIVERIES[fault.name](server, request, fault)


def _lose_request(_server: IloqServer, _request: ApiRequest, _fault: Fault) -> Delivery:
    return Delivery(loss=Loss.SILENCE)


def _lose_response(server: IloqServer, request: ApiRequest, _fault: Fault) -> Delivery:
    server.answer(request)
    return Delivery(loss=Loss.SILENCE)


def _late_write(server: IloqServer, request: ApiRequest, fault: Fault) -> Delivery:
    # Nobody waits for this answer any more.
    server.time.after(timedelta(seconds=fault.number), lambda: server.answer(request), name="late write")
    return Delivery(loss=Loss.SILENCE)


def _down(_server: IloqServer, _request: ApiRequest, _fault: Fault) -> Delivery:
    return Delivery(loss=Loss.REFUSED)


def _status(_server: IloqServer, _request: ApiRequest, fault: Fault) -> Delivery:
    status = int(fault.number)
    body = msgspec.json.encode({"Code": f"Http{status}", "Message": "Simulated fault."})
    headers = [("content-type", "application/json; charset=utf-8")]
    if fault.retry_after is not None:
        headers.append(("retry-after", str(round(fault.retry_after))))
    return Delivery(ApiAnswer(status, body, tuple(headers)))


def _garbage(server: IloqServer, request: ApiRequest, _fault: Fault) -> Delivery:
    server.answer(request)
    return Delivery(ApiAnswer(200, b"<html><body>\xff\xfe gateway hiccup"))


def _unauthorised(server: IloqServer, request: ApiRequest, _fault: Fault) -> Delivery:
    server.sessions.kill(request.session_id or "")
    return Delivery(server.answer(request))


def _slow(server: IloqServer, request: ApiRequest, fault: Fault) -> Delivery:
    return Delivery(server.answer(request), delay_s=fault.number)


_DELIVERIES: dict[str, Callable[[IloqServer, ApiRequest, Fault], Delivery]] = {
    "lose_request": _lose_request,
    "lose_response_after_commit": _lose_response,
    "late_write": _late_write,
    "down": _down,
    "status": _status,
    "garbage": _garbage,
    "unauthorised": _unauthorised,
    "slow": _slow,
}


def read_request(
    method: str, path: str, query: str, session_id: str | None, body: bytes
) -> ApiRequest | None:
    """Split a URL into base and operation; ``None`` if it is not a call of this API."""
    base, found, rest = path.partition(API_PREFIX)
    if not found:
        return None
    return ApiRequest(
        method=method,
        base=base,
        path=rest,
        query=parse_qs(query, keep_blank_values=True),
        session_id=session_id,
        body=body,
    )


class IloqTransport(httpx2.AsyncBaseTransport):
    """The server in the client's own process: no sockets, no waiting, the same faults."""

    def __init__(self, server: IloqServer) -> None:
        self._server = server

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request, or raise what a network would have raised."""
        body = await request.aread()
        call = read_request(
            request.method,
            request.url.path,
            request.url.query.decode("ascii"),
            request.headers.get("SessionId"),
            body,
        )
        if call is None:
            return httpx2.Response(404, json={"Code": "NotFound", "Message": "Not this API."})
        await asyncio.sleep(0)  # a call always lets others run: two writers interleave, time-outs can strike
        delivery = deliver(self._server, call)
        if delivery.loss is Loss.REFUSED:
            raise httpx2.ConnectError("Simulated: connection refused.", request=request)
        waits_for = request.extensions.get("timeout", {}).get("read")
        too_slow = waits_for is not None and delivery.delay_s > waits_for
        if delivery.answer is None or too_slow:
            raise httpx2.ReadTimeout("Simulated: no answer.", request=request)
        answer = delivery.answer
        return httpx2.Response(answer.status, headers=list(answer.headers), content=answer.body)


def transport(world: World) -> httpx2.AsyncBaseTransport:
    """A transport for ``httpx2.AsyncClient`` that ends in this world's iLOQ server."""
    return IloqTransport(world.iloq)


async def _read_body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    chunks = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


class IloqApp:
    """The server as a bare ASGI application, for real sockets."""

    def __init__(self, server: IloqServer) -> None:
        self._server = server

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request; a lost answer ends in a closed connection."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        body = await _read_body(receive)
        session_id = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"sessionid"), None)
        query = scope["query_string"].decode("latin-1")
        call = read_request(scope["method"], scope["path"], query, session_id, body)
        if call is None:
            await _send(send, ApiAnswer(404, b'{"Code":"NotFound","Message":"Not this API."}'))
            return
        delivery = deliver(self._server, call)
        if delivery.delay_s:
            await asyncio.sleep(delivery.delay_s)
        if delivery.answer is None:
            await _cut(send)
            return
        await _send(send, delivery.answer)


async def _send(send: Callable[[Message], Awaitable[None]], answer: ApiAnswer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _cut(send: Callable[[Message], Awaitable[None]]) -> None:
    # ASGI has no word for "close": promising a byte and returning without it makes the server drop the line.
    headers = [(b"content-length", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _live(
    receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
