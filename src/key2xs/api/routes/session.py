"""Signing in and out, and one's own password."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.params import JSONBody

from key2xs.access import Permission, SignedIn, csrf_token, permissions_of
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
    return Response(me_of(signed_in), status_code=201, cookies=[session_cookie(web, signed_in.secret)])


@get("/api/v1/session", signed_in=True, tags=["session"], summary="Who am I")
async def who_am_i(caller: CallerPart) -> Me:
    """Roles and permissions of whoever asks."""
    return Me(
        user=caller.user_id,
        person=caller.person_id,
        kind=caller.kind,
        roles=sorted(caller.roles),
        permissions=sorted(caller.permissions),
        csrf=csrf_token(caller.secret) if caller.kind == "session" else None,
    )


@delete("/api/v1/session", signed_in=True, status_code=204, tags=["session"], summary="Sign out")
async def sign_out(web: WebPart, caller: CallerPart) -> Response[None]:
    """End the session and take its cookie away."""
    if caller.kind == "session":
        await web.access.sessions.sign_out(caller.secret)
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
    return Response(me_of(signed_in), status_code=200, cookies=[session_cookie(web, signed_in.secret)])


def session_cookie(web: Web, secret: str) -> Cookie:
    """Return the cookie of a session. It has no age: the browser forgets it, the server ends it."""
    return Cookie(**web.cookie, value=secret)


def me_of(signed_in: SignedIn) -> Me:
    """Describe a session that has just begun."""
    user = signed_in.user
    return Me(
        user=user.id,
        person=user.person_id,
        kind="session",
        roles=sorted(user.roles),
        permissions=sorted(permissions_of(user.roles)),
        csrf=signed_in.csrf,
        ends_at=signed_in.ends_at,
        change_password=user.one_time,
    )


HANDLERS = (sign_in, who_am_i, sign_out, change_password)
