"""Signing in and out, and one's own password."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody

from key2xs.access import Permission, Principal, SignedIn, csrf_token
from key2xs.api.auth import require_same_origin
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.errors import NotAllowed


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sign-in name and a password."""

    login: Annotated[str, msgspec.Meta(max_length=300)]
    password: Annotated[str, msgspec.Meta(max_length=1000)]


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One's own new password; `old` is left out after a one-time sign-in."""

    new: Annotated[str, msgspec.Meta(max_length=1000)]
    old: Annotated[str, msgspec.Meta(max_length=1000)] | None = None


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A one-time code from the key desk."""

    code: Annotated[str, msgspec.Meta(max_length=40)]


class Visit(msgspec.Struct, frozen=True):
    """A look at one's own page that began."""

    csrf: str


class Me(msgspec.Struct, frozen=True):
    """Who asks, and what that one may do."""

    user: UUID
    person: UUID | None
    kind: str
    roles: list[str]
    permissions: list[Permission]
    csrf: str | None = None
    """Send it as X-CSRF-Token with every request that changes something."""
    ends_at: datetime | None = None
    change_password: bool = False
    """True after a sign-in with a one-time password, which is void now."""


@post("/api/v1/session", public=True, status_code=201, tags=["session"], summary="Sign in")
async def sign_in(web: WebPart, request: Request[Any, Any, Any], data: JSONBody[SignIn]) -> Response[Me]:
    """Begin a session; the answer sets its cookie. A session the request brought along ends."""
    require_same_origin(request)
    signed_in = await web.access.sessions.sign_in(
        data.login,
        data.password,
        address=request.client.host if request.client else "",
        old_secret=request.cookies.get(web.cookie["key"]),
    )
    return Response(
        await me_of(web, signed_in), status_code=201, cookies=[session_cookie(web, signed_in.secret)]
    )


@post(
    "/api/v1/session/code",
    public=True,
    status_code=201,
    tags=["session"],
    summary="Begin with a one-time code",
)
async def sign_in_with_code(
    web: WebPart, request: Request[Any, Any, Any], data: JSONBody[Code]
) -> Response[Visit]:
    """Use up a code of the key desk; the answer sets a cookie that opens GET /api/v1/me and nothing else."""
    require_same_origin(request)
    secret = await web.access.codes.take(
        data.code,
        address=request.client.host if request.client else "",
        old_secret=request.cookies.get(web.cookie["key"]),
    )
    return Response(Visit(csrf_token(secret)), status_code=201, cookies=[session_cookie(web, secret)])


@get("/api/v1/session", signed_in=True, own=True, tags=["session"], summary="Who am I")
async def who_am_i(caller: CallerPart) -> Me:
    """Roles and permissions of whoever asks."""
    return Me(
        user=caller.user_id,
        person=caller.person_id,
        kind=caller.kind,
        roles=sorted(caller.roles),
        permissions=sorted(caller.permissions),
        csrf=csrf_token(caller.secret) if caller.kind != "token" else None,
    )


@delete("/api/v1/session", signed_in=True, own=True, status_code=204, tags=["session"], summary="Sign out")
async def sign_out(web: WebPart, caller: CallerPart) -> Response[None]:
    """End the session and take its cookie away."""
    await end_sign_in(web, caller)
    gone = Cookie(**web.cookie, value="", max_age=0)
    return Response(None, status_code=204, cookies=[gone])


@post(
    "/api/v1/session/password", signed_in=True, status_code=200, tags=["session"], summary="Set my password"
)
async def change_password(web: WebPart, caller: CallerPart, data: JSONBody[NewPassword]) -> Response[Me]:
    """Set one's own password. All other sessions end; this one goes on under a new cookie."""
    if caller.kind != "session":
        raise NotAllowed("a person signs in for this; a token has no password")
    signed_in = await web.access.sessions.change_password(caller, old=data.old, new=data.new)
    return Response(
        await me_of(web, signed_in), status_code=200, cookies=[session_cookie(web, signed_in.secret)]
    )


async def end_sign_in(web: Web, caller: Principal) -> None:
    """End a session, or the visit that a one-time code began."""
    if caller.kind == "session":
        await web.access.sessions.sign_out(caller.secret)
    if caller.kind == "code":
        await web.access.codes.end(caller.secret)


def session_cookie(web: Web, secret: str) -> Cookie:
    """Return the cookie of a session. It has no age: the browser forgets it, the server ends it."""
    return Cookie(**web.cookie, value=secret)


async def me_of(web: Web, signed_in: SignedIn) -> Me:
    """Describe a session that has just begun."""
    user = signed_in.user
    async with web.services.database.read() as tx:
        held = await web.access.authority.holdings(tx, user.roles)
    return Me(
        user=user.id,
        person=user.person_id,
        kind="session",
        roles=sorted(user.roles),
        permissions=sorted(held.everywhere),
        csrf=signed_in.csrf,
        ends_at=signed_in.ends_at,
        change_password=user.one_time,
    )


HANDLERS = (sign_in, sign_in_with_code, who_am_i, sign_out, change_password)
