"""The CLIQ server's door: how a URL becomes an operation, and the two ways in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from key2xs_twin.cliq.server import PREFIX, CliqRequest, CliqServer
from key2xs_twin.cliq.shapes import problem
from key2xs_twin.edge import Door, VendorApp, VendorTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from key2xs_twin.world import World


def door(server: CliqServer) -> Door[CliqRequest]:
    """What the edge must know of this server."""
    return Door(
        time=server.time,
        faults=server.faults,
        gateway=server.gateway,
        read=read_request,
        answer=lambda call: server.answer(call),  # noqa: PLW0108 - looked up at each call: tests interfere there
        end_session=lambda session_id: server.sessions.end(session_id),  # noqa: PLW0108
        problem=lambda status: problem(f"http_{status}", "Simulated fault."),
        not_here=problem("unknown_operation", "Not this interface."),
    )


def read_request(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> CliqRequest | None:
    """The operation of a URL; ``None`` if it is not a call of this interface."""
    base, found, rest = path.partition(PREFIX)
    if base or not found:
        return None
    return CliqRequest(
        method=method,
        path=rest,
        query=parse_qs(query, keep_blank_values=True),
        session_id=headers.get("x-session"),
        if_match=headers.get("if-match"),
        body=body,
    )


class CliqTransport(VendorTransport):
    """The server in the client's own process."""

    def __init__(self, server: CliqServer) -> None:
        super().__init__(door(server))


class CliqApp(VendorApp):
    """The server as a bare ASGI application."""

    def __init__(self, server: CliqServer) -> None:
        super().__init__(door(server))


def transport(world: World) -> httpx2.AsyncBaseTransport:
    """A transport for ``httpx2.AsyncClient`` that ends in this world's CLIQ server."""
    return CliqTransport(world.cliq)
