"""Who may pass: one guard for all routes. A route that says nothing lets nobody in.

A route says `permission=...`, or `signed_in=True` for what anybody with an account may do, or `public=True`. Requests
that change something and come with a session cookie must carry the session's CSRF token.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from key2xs.access import Permission, Principal, is_csrf_token
from key2xs.core.errors import NotAllowed

from .problems import BadCsrf, NotSignedIn
from .web import find_caller

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"
_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


async def authorise(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a request pass, or not.

    Raises:
        NotSignedIn: nobody known asks.
        NotAllowed: somebody asks who may not.
        BadCsrf: a page of somebody else may be asking.
    """
    if handler.opt.get("public"):
        return
    caller = await find_caller(connection)
    if caller is None:
        raise NotSignedIn
    if not handler.opt.get("signed_in"):
        require(caller, *permissions_needed(handler))
    if caller.kind == "session" and connection.scope.get("method") not in SAFE_METHODS:
        require_same_origin(connection)
        await _require_csrf(connection, caller)


def permissions_needed(handler: BaseRouteHandler) -> tuple[Permission, ...]:
    """Return what a route asks for.

    Raises:
        NotAllowed: it does not say; such a route is for nobody.
    """
    needed = handler.opt.get("permission")
    if needed is None:
        raise NotAllowed("this address says nothing of who may use it, so nobody may")
    return needed if isinstance(needed, tuple) else (needed,)


def require(caller: Principal, *permissions: Permission) -> None:
    """Refuse a caller who lacks one of the permissions.

    Raises:
        NotAllowed: names what is missing.
    """
    missing = [permission for permission in permissions if not caller.may(permission)]
    if missing:
        raise NotAllowed(f"needs the permission {', '.join(missing)}")


def require_person(caller: Principal) -> Principal:
    """Refuse a caller who is not a person that signed in: machines approve nothing.

    Raises:
        NotAllowed: says what is missing.
    """
    if caller.kind != "session":
        raise NotAllowed("a person signs in for this; a token is nobody")
    if caller.person_id is None:
        raise NotAllowed("your user is not linked to a person; ask the administrator")
    return caller


def require_same_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse a request that a page of somebody else makes, where the browser tells.

    Raises:
        BadCsrf: it does.
    """
    if connection.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise BadCsrf("this request comes from a page of another site")
    origin = connection.headers.get("origin")
    if origin and urlsplit(origin).netloc != connection.headers.get("host", ""):
        raise BadCsrf("this request comes from a page of another site")


async def _require_csrf(connection: ASGIConnection[Any, Any, Any, Any], caller: Principal) -> None:
    given = connection.headers.get(CSRF_HEADER, "")
    if (
        not given
        and isinstance(connection, Request)
        and connection.headers.get("content-type", "").startswith(_FORM_TYPES)
    ):
        form = await connection.form()
        given = str(form.get(CSRF_FIELD, ""))
    if not given or not is_csrf_token(given, caller.secret):
        raise BadCsrf
