"""Doors for other systems: SCIM for identity providers, signed webhooks for permit systems. Each has its own keys."""

import hmac
from typing import Any, Final

import msgspec
from litestar import Request, Response, asgi, route
from litestar.types import Receive, Scope, Send

from key2xs.api.paging import Name
from key2xs.api.web import Web, WebPart
from key2xs.identity.scim.app import ASGIApp, scim_app
from key2xs.work import BODY_LIMIT, Answer

SCIM: Final = "scim"
"""Where an application keeps its SCIM server."""
_NOBODY = "\0"  # no header can hold it, so it equals no token


def scim_server(web: Web) -> ASGIApp:
    """Return the SCIM server of all configured identity providers."""
    sources = {source.name: source.token.reveal() for source in web.services.settings.scim}

    async def authenticate(source: str, token: str) -> str | None:
        # Compared for an unknown source too, so that time does not tell which sources there are.
        right = hmac.compare_digest(token.encode(), (sources.get(source) or _NOBODY).encode())
        return f"scim:{source}" if right else None

    services = web.services
    return scim_app(
        services.database,
        services.vault,
        services.clock,
        authenticate,
        ledger=services.ledger,
        zone=services.settings.zone,
        body_limit=services.settings.http.body_limit,
    )


@asgi("/scim", is_mount=True, copy_scope=True, public=True)
async def scim(scope: Scope, receive: Receive, send: Send) -> None:
    """Lead an identity provider to the SCIM server."""
    state = scope["litestar_app"].state
    app: Any = state[SCIM]
    await app(scope, receive, send)
    state["web"].runtime.wake()


@route(
    "/webhooks/ptw/{source:str}",
    http_method=["OPTIONS", "POST"],
    public=True,
    status_code=202,
    request_max_body_size=BODY_LIMIT,
    tags=["webhooks"],
    summary="Take in a permit event (CloudEvents, Standard Webhooks signature)",
)
async def permit_event(web: WebPart, request: Request[Any, Any, Any], source: Name) -> Response[bytes]:
    """Take in one `key2xs.ptw.v1` event: 202 taken, 204 known already, 4xx with a problem document.

    OPTIONS answers a sender that asks whether it may send (CloudEvents webhook handshake).
    """
    headers = dict(request.headers)
    if request.method == "OPTIONS":
        return _response(web.webhook.handshake(source, headers))
    answer = await web.webhook.receive(source, headers, await request.body())
    web.runtime.wake()
    return _response(answer)


def _response(answer: Answer) -> Response[bytes]:
    headers = dict(answer.headers)
    media_type = headers.pop("Content-Type", "text/plain")
    body = msgspec.json.encode(answer.problem) if answer.problem is not None else b""
    return Response(body, status_code=answer.status, headers=headers, media_type=media_type)


HANDLERS = (permit_event, scim)
