"""Sign-ins and API tokens. A token is shown once, when it is made."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import Said, perform, reason_of
from key2xs.api.auth import require, require_to_pass_on
from key2xs.api.paging import USUAL_PAGE, Id, Limit
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection

from .users import no_repeats


class SessionOut(msgspec.Struct, frozen=True):
    """A sign-in that has not ended; the id ends it and lets nobody in."""

    id: UUID
    user: UUID
    made_at: datetime
    seen_at: datetime
    ends_at: datetime


class SessionList(msgspec.Struct, frozen=True):
    """Sign-ins, the newest first."""

    items: list[SessionOut]


class NewToken(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token for oneself, and why; it can do what is named here, and never more than its owner."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    permissions: Annotated[list[Permission], msgspec.Meta(min_length=1)]
    days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 90


class TokenMade(msgspec.Struct, frozen=True):
    """A new token, shown this once."""

    id: UUID
    token: str


class TokenOut(msgspec.Struct, frozen=True):
    """A token without its secret."""

    id: UUID
    label: str
    owner: UUID
    permissions: list[str]
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_on: date | None = None
    """The day it was last used."""


class TokenList(msgspec.Struct, frozen=True):
    """Tokens, the newest first."""

    items: list[TokenOut]


@get("/api/v1/sessions", signed_in=True, tags=["access"], summary="Sign-ins that have not ended")
async def sessions(web: WebPart, caller: CallerPart, limit: Limit = USUAL_PAGE) -> SessionList:
    """One's own; everybody's for whoever manages users."""
    everybodys = caller.may(Permission.ACCESS_USER_MANAGE)
    async with web.services.database.read() as tx:
        found = await web.access.sessions.list(
            tx, user_id=None if everybodys else caller.user_id, limit=limit
        )
    return SessionList([SessionOut(s.id, s.user_id, s.made_at, s.seen_at, s.ends_at) for s in found])


@post(
    "/api/v1/sessions/{session:uuid}/end",
    signed_in=True,
    status_code=204,
    tags=["access"],
    summary="End a sign-in",
)
async def end_session(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    session: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> None:
    """End one's own sign-in, or anybody's for whoever manages users."""
    why = await reason_of(request)

    async def work(tx: Connection) -> None:
        mine = {each.id for each in await web.access.sessions.list(tx, user_id=caller.user_id)}
        if session not in mine:
            require(caller, Permission.ACCESS_USER_MANAGE)
        await web.access.sessions.end(tx, session, actor=caller.actor, reason=why)

    await web.services.database.transact(work)


@get("/api/v1/tokens", signed_in=True, tags=["access"], summary="API tokens")
async def tokens(web: WebPart, caller: CallerPart, limit: Limit = USUAL_PAGE) -> TokenList:
    """One's own tokens; all of them for whoever manages tokens."""
    everybodys = caller.may(Permission.ACCESS_TOKEN_MANAGE)
    async with web.services.database.read() as tx:
        found = await web.access.tokens.list(tx, owner_id=None if everybodys else caller.user_id, limit=limit)
    return TokenList(
        [
            TokenOut(
                each.id,
                each.label,
                each.owner_id,
                sorted(each.permissions),
                each.made_at,
                each.expires_at,
                each.revoked_at,
                each.used_on,
            )
            for each in found
        ]
    )


@post("/api/v1/tokens", signed_in=True, status_code=201, tags=["access"], summary="Make a token for oneself")
async def make_token(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[NewToken]
) -> Response[TokenMade]:
    """Make a token with some of one's own permissions. Tokens make tokens only where they may manage them."""
    no_repeats(request)
    why = await reason_of(request)
    if caller.kind == "token":
        require(caller, Permission.ACCESS_TOKEN_MANAGE)
    # A token's permissions, not its owner's: otherwise a narrow token could make itself a wide one.
    require_to_pass_on(caller, data.permissions)

    async def work(tx: Connection) -> TokenMade:
        made, secret = await web.access.tokens.make(
            tx,
            owner_id=caller.user_id,
            label=data.label,
            permissions=data.permissions,
            valid_for=timedelta(days=data.days),
            actor=caller.actor,
            reason=why,
        )
        return TokenMade(made, secret)

    return await perform(web, request, caller, work, status=201)


@post(
    "/api/v1/tokens/{token:uuid}/revoke",
    signed_in=True,
    status_code=204,
    tags=["access"],
    summary="Revoke a token",
)
async def revoke_token(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    token: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> None:
    """Revoke one's own token, or anybody's for whoever manages tokens."""
    why = await reason_of(request)

    async def work(tx: Connection) -> None:
        mine = {each.id for each in await web.access.tokens.list(tx, owner_id=caller.user_id)}
        if token not in mine:
            require(caller, Permission.ACCESS_TOKEN_MANAGE)
        await web.access.tokens.revoke(tx, token, actor=caller.actor, reason=why)

    await web.services.database.transact(work)


HANDLERS = (sessions, end_session, tokens, make_token, revoke_token)
