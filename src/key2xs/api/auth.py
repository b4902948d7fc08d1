"""Who may pass: one guard for all routes. A route that says nothing lets nobody in.

A route says `permission=...`, or `signed_in=True` for what anybody with an account may do, or `public=True`. Requests
that change something and come with a session cookie must carry the session's CSRF token. Where the authority matrix
asks for a reason or a second person, `clearing` sees to it before the handler runs.

A permission that is held in single units only lets nobody in, unless the route says `by_unit=True` and asks again
with the place. A one-time code opens routes that say `own=True`. A route that takes `dry_run` in its body says
`rehearses=True`: looking first needs no second person. A page that says `asks_why=True` refuses a missing reason itself,
beside its form.
"""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from key2xs.access import Permission, Principal, is_csrf_token
from key2xs.core.errors import InvalidInput, NotAllowed
from key2xs.policy.acts import EVERYWHERE, Place

from .clearing import SecondPersonNeeded, clear, needs_ticket
from .problems import BadCsrf, NotSignedIn
from .web import CALLER, find_caller, web_of

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
    if caller.kind == "code" and not handler.opt.get("own"):
        raise NotAllowed("a one-time code opens the page about yourself and nothing else")
    needed = () if handler.opt.get("signed_in") else permissions_needed(handler)
    _require_held(caller, needed, by_unit=bool(handler.opt.get("by_unit")))
    if connection.scope.get("method") in SAFE_METHODS:
        return
    if caller.kind != "token":
        require_same_origin(connection)
        await _require_csrf(connection, caller)
    if isinstance(connection, Request):
        scope: dict[str, Any] = connection.scope  # type: ignore[assignment]
        scope[CALLER] = await clear(
            connection,
            web_of(connection),
            caller,
            needed,
            rehearses=bool(handler.opt.get("rehearses")),
            asks_why=bool(handler.opt.get("asks_why")),
        )


def permissions_needed(handler: BaseRouteHandler) -> tuple[Permission, ...]:
    """Return what a route asks for.

    Raises:
        NotAllowed: it does not say; such a route is for nobody.
    """
    needed = handler.opt.get("permission")
    if needed is None:
        raise NotAllowed("this address says nothing of who may use it, so nobody may")
    return needed if isinstance(needed, tuple) else (needed,)


def require(caller: Principal, *permissions: Permission, place: Place = EVERYWHERE) -> None:
    """Refuse a caller who lacks one of the permissions, or holds it on terms that are not met.

    Args:
        caller: who asks.
        permissions: all that it takes.
        place: where the act takes effect; matters to permissions that the matrix limits to units and areas.

    Raises:
        NotAllowed: names what is missing.
        SecondPersonNeeded: a second person has to confirm it; `perform` proposes it then.
        InvalidInput: it takes a reason.
    """
    terms = {permission: caller.terms_of(permission, place) for permission in permissions}
    missing = [permission for permission, found in terms.items() if found is None]
    if missing:
        where = f" for unit {place.unit}" if place.unit and caller.may_somewhere(missing[0]) else ""
        raise NotAllowed(f"needs the permission {', '.join(missing)}{where}")
    for permission, found in terms.items():
        if found is not None and found.reason and not caller.reasoned:
            raise InvalidInput("reason", "say why; the authority matrix asks for it")
        if found is not None and found.second and needs_ticket(caller, permission):
            raise SecondPersonNeeded(permission)


def require_to_confirm(caller: Principal, permission: Permission) -> None:
    """Refuse a caller who may not confirm what takes a permission; who may be the second person is decided with it.

    Raises:
        NotAllowed: names what is missing.
    """
    _require_held(caller, (permission,), by_unit=False)


def require_to_pass_on(caller: Principal, permissions: Iterable[Permission]) -> None:
    """Refuse a caller who wants to give a token what he may not do himself, on whatever terms.

    Raises:
        NotAllowed: names what is missing.
    """
    _require_held(caller, tuple(permissions), by_unit=True)


def _require_held(caller: Principal, needed: tuple[Permission, ...], *, by_unit: bool) -> None:
    may = caller.may_somewhere if by_unit else caller.may
    missing = [permission for permission in needed if not may(permission)]
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
