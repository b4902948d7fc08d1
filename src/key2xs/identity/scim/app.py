"""The SCIM endpoint: `/scim/{source}/v2/...`, an ASGI application of its own.

It is mounted beside the API because IAMs expect SCIM's errors, media type and authentication to the letter. Each
source has its own token and sees its own users and groups only.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import asyncpg
from scim2_models import (
    InvalidSyntaxException,
    NotFoundException,
    PayloadTooLargeException,
    PreconditionFailedException,
    SCIMException,
    UnauthorizedException,
)
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse

from key2xs.core.clock import Clock
from key2xs.core.database import TRANSACTION_ATTEMPTS, Database
from key2xs.core.vault import Vault
from key2xs.identity.desk import Desk
from key2xs.ledger import Ledger

from .protocol import SiteHandler, SiteService
from .schemas import Profile
from .storage import SourceStorage

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

Authenticate = Callable[[str, str], Awaitable[str | bool | None]]
"""(source, token) -> the actor for the log, True for the source itself, or a false value to refuse."""

BODY_LIMIT: Final = 1_048_576  # bytes; a group of 5,000 members in Entra's form has about 400 kB

# With or without the mount point: a framework that mounts us may take it off the path.
_PATH: Final = re.compile(r"^(?:/scim)?/(?P<source>[a-z0-9][a-z0-9_-]{0,63})/v2(?P<rest>/.*)?$")
_LOG: Final = logging.getLogger("key2xs.scim")


class ConnectionClosed(Exception):
    """The client went away before its request was complete."""


@dataclass(frozen=True, slots=True)
class _Server:
    database: Database
    desk: Desk
    clock: Clock
    authenticate: Authenticate
    service: SiteService
    body_limit: int
    public_url: str | None


def scim_app(
    database: Database,
    vault: Vault,
    clock: Clock,
    authenticate: Authenticate,
    *,
    ledger: Ledger | None = None,
    zone: ZoneInfo | None = None,
    body_limit: int = BODY_LIMIT,
    public_url: str | None = None,
    profile: Profile = Profile.SITE,
) -> ASGIApp:
    """Make the SCIM application.

    Args:
        database: where people are kept, as the app role.
        vault: where their keys are kept.
        clock: domain time.
        authenticate: checks a source's bearer token.
        ledger: the log; one on `vault` when None.
        zone: the site's time zone; Europe/Amsterdam when None.
        body_limit: longest body in bytes; a longer one is answered with 413.
        public_url: scheme and host as clients see them; from the request when None.
        profile: how much of a user is announced and kept.
    """
    desk = Desk(ledger or Ledger(vault), vault, zone or ZoneInfo("Europe/Amsterdam"))
    server = _Server(database, desk, clock, authenticate, SiteService(profile), body_limit, public_url)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _serve_lifespan(receive, send)
        elif scope["type"] == "http":
            await _serve(server, scope, receive, send)

    return app


async def _serve(server: _Server, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        response = await _answer(server, scope, receive)
    except ConnectionClosed:
        return
    except Exception as error:  # noqa: BLE001 - the edge: whatever happens, the IAM gets a SCIM error
        response = _failure(server, error)
    body = b"" if response.body is None else json.dumps(response.body).encode()
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **response.headers}
    sent = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in headers.items()
    ]
    sent.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": int(response.status), "headers": sent})
    await send({"type": "http.response.body", "body": body})


async def _answer(server: _Server, scope: Scope, receive: Receive) -> ScimResponse:
    path = str(scope["path"])
    matched = _PATH.match(path.rstrip("/") or "/")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    if matched is None:
        raise NotFoundException(detail="SCIM is at /scim/{source}/v2")
    source = matched["source"]
    actor = await _actor(server, source, headers)
    request = ScimRequest(
        method=scope["method"],
        base_url=f"{_origin(server, scope, headers)}/scim/{source}/v2",
        path=(matched["rest"] or "/").removesuffix(".scim"),
        query=_query(scope),
        headers=headers,
        subject=actor,
    )
    request = replace(request, body=await _read_body(server, headers, receive))
    return await _handle(server, request, source, actor)


async def _handle(server: _Server, request: ScimRequest, source: str, actor: str) -> ScimResponse:
    """Serve a request, again when PostgreSQL asks for it or another request was faster."""
    for attempt in range(1, TRANSACTION_ATTEMPTS + 1):
        storage = SourceStorage(
            server.database,
            server.desk,
            server.service.provider,
            source=source,
            actor=actor,
            at=server.clock.now(),
        )
        try:
            return await SiteHandler(server.service, storage).handle(request)
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
            if attempt == TRANSACTION_ATTEMPTS:
                raise
        except PreconditionFailedException:
            # Somebody wrote between our read and our write; a client that named no version did not ask to know.
            if request.header("If-Match") or attempt == TRANSACTION_ATTEMPTS:
                raise
    raise AssertionError  # pragma: no cover - the loop returns or raises


async def _actor(server: _Server, source: str, headers: list[tuple[str, str]]) -> str:
    """Return who asks, for the log; the same answer for a wrong token, no token and an unknown source."""
    given = next((value for name, value in headers if name.lower() == "authorization"), "")
    kind, _, token = given.partition(" ")
    if kind.casefold() == "bearer" and token.strip():
        actor = await server.authenticate(source, token.strip())
        if actor is True:
            return f"system:scim-{source}"
        if actor:
            return str(actor)
    raise UnauthorizedException(detail="a valid bearer token of this source is needed")


async def _read_body(server: _Server, headers: list[tuple[str, str]], receive: Receive) -> bytes:
    announced = next((value for name, value in headers if name.lower() == "content-length"), "0")
    too_large = PayloadTooLargeException(detail=f"a body has at most {server.body_limit} bytes")
    if announced.isdecimal() and int(announced) > server.body_limit:
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionClosed
        body += message.get("body", b"")
        if len(body) > server.body_limit:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def _query(scope: Scope) -> dict[str, str]:
    raw: bytes = scope.get("query_string", b"")
    try:
        return dict(
            parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
        )
    except ValueError as error:
        raise InvalidSyntaxException(detail="the query string cannot be read") from error


def _origin(server: _Server, scope: Scope, headers: list[tuple[str, str]]) -> str:
    if server.public_url:
        return server.public_url.rstrip("/")
    host = next((value for name, value in headers if name.lower() == "host"), "")
    if not host and scope.get("server"):
        host = "{}:{}".format(*scope["server"])
    return f"{scope.get('scheme', 'http')}://{host}"


def _failure(server: _Server, error: Exception) -> ScimResponse:
    """Turn an exception into a SCIM error; the log gets its kind only, because messages may quote the body."""
    if isinstance(error, SCIMException):
        _LOG.info("scim request refused: %s", type(error).__name__)
    elif isinstance(error, (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)):
        response = ScimResponse(HTTPStatus.SERVICE_UNAVAILABLE, _error_body(503, "busy, try again"))
        response.headers["Retry-After"] = "5"
        return response
    else:
        _LOG.error("scim request failed: %s", type(error).__name__)
    with server.service.provider:
        return server.service.error_response(error)


def _error_body(status: int, detail: str) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": str(status),
        "detail": detail,
    }


async def _serve_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
