"""The iLOQ server's door: how a URL becomes an operation, and the two ways in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec

from key2xs_twin.edge import Door, VendorApp, VendorTransport
from key2xs_twin.iloq.server import API_PREFIX, ApiRequest, IloqServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from key2xs_twin.world import World


def door(server: IloqServer) -> Door[ApiRequest]:
    """What the edge must know of this server."""
    return Door(
        time=server.time,
        faults=server.faults,
        gateway=server.gateway,
        read=read_request,
        answer=lambda call: server.answer(call),  # noqa: PLW0108 - looked up at each call: tests interfere there
        end_session=lambda session_id: server.sessions.kill(session_id),  # noqa: PLW0108
        problem=_problem,
        not_here=b'{"Code":"NotFound","Message":"Not this API."}',
    )


def read_request(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
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
        session_id=headers.get("sessionid"),
        body=body,
    )


def _problem(status: int) -> bytes:
    return msgspec.json.encode({"Code": f"Http{status}", "Message": "Simulated fault."})


class IloqTransport(VendorTransport):
    """The server in the client's own process."""

    def __init__(self, server: IloqServer) -> None:
        super().__init__(door(server))


class IloqApp(VendorApp):
    """The server as a bare ASGI application."""

    def __init__(self, server: IloqServer) -> None:
        super().__init__(door(server))


def transport(world: World) -> httpx2.AsyncBaseTransport:
    """A transport for ``httpx2.AsyncClient`` that ends in this world's iLOQ server."""
    return IloqTransport(world.iloq)
