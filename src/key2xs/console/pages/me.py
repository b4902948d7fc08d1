"""The page about oneself: for everybody who is a person here, with an account or with a code from the key desk."""

from litestar import Response, get, post
from litestar.response import Redirect

from key2xs.access import Permission, SignInRefused, TooManyAttempts, csrf_token
from key2xs.api.auth import require_same_origin
from key2xs.api.explaining import find_person
from key2xs.api.own import read_own
from key2xs.api.problems import NotSignedIn
from key2xs.api.routes.privacy import make_code, own_person
from key2xs.api.routes.session import session_cookie
from key2xs.api.web import find_caller, web_of
from key2xs.console.frame import Asked, bare, form_of, go, show, signed_in
from key2xs.console.people import pseudonym
from key2xs.console.times import SiteTime
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound


@get("/me", signed_in=True, own=True, include_in_schema=False)
async def me(request: Asked) -> Response[str]:
    """Show what is known of whoever looks, and nothing about others."""
    web, caller = web_of(request), await find_caller(request)
    if caller is None:
        raise NotSignedIn
    person_id, now = own_person(caller), web.now
    async with web.services.database.read() as tx:
        found = await read_own(tx, web, person_id, now)
    values = {
        "own": found,
        "short": pseudonym(person_id),
        "short_of": pseudonym,
        "t": SiteTime(web.services.settings.zone, now),
        "csrf": csrf_token(caller.secret),
        "has_account": caller.kind == "session",
    }
    return bare(request, "me.html", values)


@get("/me/code", public=True, include_in_schema=False)
async def ask_code(request: Asked) -> Response[str]:
    """Ask for a one-time code."""
    return bare(request, "me_code.html", {"problem": ""})


@post("/me/code", public=True, include_in_schema=False)
async def take_code(request: Asked) -> Response[str] | Redirect:
    """Use up a code and go to the page it opens."""
    require_same_origin(request)
    web, form = web_of(request), await form_of(request)
    try:
        secret = await web.access.codes.take(
            form.get("code", "")[:40],
            address=request.client.host if request.client else "",
            old_secret=request.cookies.get(web.cookie["key"]),
        )
    except (SignInRefused, TooManyAttempts) as error:
        status = 401 if isinstance(error, SignInRefused) else 429
        return bare(request, "me_code.html", {"problem": str(error)}, status=status)
    answer = go("/me")
    answer.set_cookie(session_cookie(web, secret))
    return answer


@get("/codes", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def codes(request: Asked) -> Response[str]:
    """Ask whom a code is for."""
    return await _codes(request)


@post("/codes", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200, include_in_schema=False)
async def give_code(request: Asked) -> Response[str]:
    """Give somebody at the desk a code for the page about himself, shown this once."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    who = form.get("person", "")[:200]

    async def work(tx: Connection) -> str:
        person_id = await find_person(tx, web, who if ":" in who or "-" in who else f"personnel_no:{who}")
        return (await make_code(tx, web, caller, person_id)).code

    try:
        code = await web.services.database.transact(work)
    except NotFound as error:
        return await _codes(request, problem=str(error), status=404)
    return await _codes(request, code=code)


async def _codes(request: Asked, *, code: str = "", problem: str = "", status: int = 200) -> Response[str]:
    async def read(_tx: Connection) -> dict[str, str]:
        return {"code": code, "problem": problem}

    return await show(request, "codes.html", "desk", read, status=status, home="/codes")


HANDLERS = (me, ask_code, take_code, codes, give_code)
