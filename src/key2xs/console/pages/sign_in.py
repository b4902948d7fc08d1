"""Signing in and out, one's password, and the colours."""

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from key2xs.access import SignInRefused, TooManyAttempts
from key2xs.api.auth import require_same_origin
from key2xs.api.routes.session import end_sign_in, session_cookie
from key2xs.api.web import find_caller, web_of
from key2xs.console.frame import THEME_COOKIE, THEMES, Asked, bare, form_of, go, local, show, signed_in
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput

_YEAR = 365 * 24 * 3600


@get("/sign-in", public=True, include_in_schema=False)
async def sign_in_page(request: Asked) -> Response[str] | Redirect:
    """Ask for name and password."""
    onward = local(request.query_params.get("next"))
    if await find_caller(request) is not None:
        return go(onward)
    return bare(request, "sign_in.html", {"next": onward, "login": "", "problem": ""})


@post("/sign-in", public=True, include_in_schema=False)
async def sign_in(request: Asked) -> Response[str] | Redirect:
    """Begin a session."""
    require_same_origin(request)
    web, form = web_of(request), await form_of(request)
    onward = local(form.get("next"))
    try:
        signed = await web.access.sessions.sign_in(
            form.get("login", ""),
            form.get("password", ""),
            address=request.client.host if request.client else "",
            old_secret=request.cookies.get(web.cookie["key"]),
        )
    except (SignInRefused, TooManyAttempts) as error:
        status = 401 if isinstance(error, SignInRefused) else 429
        said = {"next": onward, "login": form.get("login", "")[:200], "problem": str(error)}
        return bare(request, "sign_in.html", said, status=status)
    async with web.services.database.read() as tx:
        held = await web.access.authority.holdings(tx, signed.user.roles)
    if onward == "/" and not held.everywhere:
        onward = "/me"  # a worker: there is nothing else for him to see
    answer = go("/account" if signed.user.one_time else onward)
    answer.set_cookie(session_cookie(web, signed.secret))
    return answer


@post("/sign-out", signed_in=True, own=True, include_in_schema=False)
async def sign_out(request: Asked) -> Redirect:
    """End the session."""
    web, caller = web_of(request), await find_caller(request)
    if caller is not None:
        await end_sign_in(web, caller)
    answer = go("/sign-in")
    answer.set_cookie(Cookie(**web.cookie, value="", max_age=0))
    return answer


@get("/account", signed_in=True, include_in_schema=False)
async def account(request: Asked) -> Response[str]:
    """Ask for a new password."""
    return await _account(request)


@post("/account", signed_in=True, include_in_schema=False)
async def set_password(request: Asked) -> Response[str] | Redirect:
    """Set one's own password; the session goes on under a new cookie."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    try:
        signed = await web.access.sessions.change_password(
            caller, old=form.get("old") or None, new=form.get("new", "")
        )
    except InvalidInput as error:
        return await _account(request, f"The new password {error.problem}.", status=400)
    except (SignInRefused, TooManyAttempts) as error:
        problem = "The present password is wrong." if isinstance(error, SignInRefused) else str(error)
        return await _account(request, problem, status=400)
    answer = go(local(form.get("next")), done="password")
    answer.set_cookie(session_cookie(web, signed.secret))
    return answer


@post("/preferences/theme", signed_in=True, include_in_schema=False)
async def choose_theme(request: Asked) -> Redirect:
    """Keep the colours somebody chose, in a cookie that says nothing else."""
    form = await form_of(request)
    answer = go(local(form.get("next")))
    if form.get("theme") in THEMES:
        answer.set_cookie(
            Cookie(
                THEME_COOKIE,
                value=form["theme"],
                max_age=_YEAR,
                httponly=True,
                samesite="lax",
                secure=web_of(request).cookie["secure"],
            )
        )
    return answer


async def _account(request: Asked, problem: str = "", *, status: int = 200) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, object]:
        user = await web.access.users.get(tx, caller.user_id)
        return {"first": user.one_time, "next": "/", "problem": problem}

    return await show(request, "account.html", "account", read, status=status)


HANDLERS = (sign_in_page, sign_in, sign_out, account, set_password, choose_theme)
