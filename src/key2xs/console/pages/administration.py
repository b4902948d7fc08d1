"""The page *Administration*. A password or token is shown once, in the answer to the form that made it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import COOLING, Permission, new_password
from key2xs.api.auth import require
from key2xs.api.clearing import SecondPersonNeeded, checked_reason
from key2xs.api.explaining import find_person
from key2xs.api.holding import ask_end, ask_hold, finish_hold
from key2xs.api.routes.authority import NewMatrix, propose_change
from key2xs.api.web import Web, web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.times import read_local
from key2xs.console.views.administration import Looked, Once, read_administration
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import PersonId, UserId

_HERE: Final = "/administration"
_LONGEST: Final = 200
Work = Callable[[Connection], Awaitable[Once | Looked | str]]


@get("/administration", signed_in=True, include_in_schema=False)
async def administration(request: Asked) -> Response[str]:
    """Show accounts, tokens, the matrix: each part to whom it is for; one's own tokens to everybody."""
    return await _page(request)


@post("/administration/users", permission=Permission.ACCESS_USER_MANAGE, include_in_schema=False)
async def make_user(request: Asked) -> Response[str] | Redirect:
    """Make a user with a one-time password."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    password, roles = new_password(), await _many(request, "roles")

    async def work(tx: Connection) -> Once:
        why = checked_reason(form.get("reason", ""))
        await web.access.users.make(
            tx,
            login=form.get("login", "")[:_LONGEST],
            roles=roles,
            actor=caller.actor,
            at=web.now,
            person_id=await _person(tx, web, form.get("person", "")),
            one_time_password=password,
            reason=why,
        )
        return Once("One-time password of the new account", password, web.now + COOLING)

    return await _do(request, work)


@post(
    "/administration/users/{user_id:uuid}", permission=Permission.ACCESS_USER_MANAGE, include_in_schema=False
)
async def change_user(request: Asked, user_id: FromPath[UUID]) -> Response[str] | Redirect:
    """Change roles or the person, give a one-time password, or disable: one button each."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    user, roles, password = UserId(user_id), await _many(request, "roles"), new_password()

    async def work(tx: Connection) -> Once | str:
        users, act, why = web.access.users, form.get("act"), checked_reason(form.get("reason", ""))
        if act == "password":
            await users.set_password(
                tx, user, password, actor=caller.actor, at=web.now, one_time=True, reason=why
            )
            return Once("New one-time password", password, web.now + COOLING)
        if user == caller.user_id:
            raise NotAllowed("nobody changes their own account; ask another administrator")
        if act == "disable":
            await users.disable(tx, user, actor=caller.actor, at=web.now, reason=why)
            return "disabled"
        found = await users.get(tx, user)
        person = form.get("person", "")
        person_id = found.person_id
        if act == "unlink":
            person_id = None
        elif act == "link":
            person_id = await _person(tx, web, person)
            if person_id is None:
                raise InvalidInput("person", "say who it is: a personnel number, or an id")
        elif act != "roles":
            raise InvalidInput("act", "use one of the buttons")
        wanted = roles if act == "roles" else list(found.roles)
        await users.set_roles(
            tx, user, roles=wanted, person_id=person_id, actor=caller.actor, at=web.now, reason=why
        )
        return "changed"

    return await _do(request, work)


@post(
    "/administration/sessions/{session_id:uuid}",
    permission=Permission.ACCESS_USER_MANAGE,
    include_in_schema=False,
)
async def end_session(request: Asked, session_id: FromPath[UUID]) -> Response[str] | Redirect:
    """End a sign-in."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def work(tx: Connection) -> str:
        why = checked_reason(form.get("reason", ""))
        await web.access.sessions.end(tx, session_id, actor=caller.actor, reason=why)
        return "changed"

    return await _do(request, work)


@post("/administration/tokens", signed_in=True, include_in_schema=False)
async def make_token(request: Asked) -> Response[str] | Redirect:
    """Make a token for oneself, with some of one's own permissions."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    wanted = await _many(request, "permissions")

    async def work(tx: Connection) -> Once:
        _, secret = await web.access.tokens.make(
            tx,
            owner_id=caller.user_id,
            label=form.get("label", ""),
            permissions=wanted,
            valid_for=timedelta(days=_days(form.get("days", "90"))),
            actor=caller.actor,
            reason=checked_reason(form.get("reason", "")),
        )
        return Once("API token", secret)

    return await _do(request, work)


@post("/administration/tokens/{token_id:uuid}", signed_in=True, include_in_schema=False)
async def revoke_token(request: Asked, token_id: FromPath[UUID]) -> Response[str] | Redirect:
    """Revoke one's own token, or anybody's for whoever manages tokens."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def work(tx: Connection) -> str:
        mine = {each.id for each in await web.access.tokens.list(tx, owner_id=caller.user_id)}
        if token_id not in mine:
            require(caller, Permission.ACCESS_TOKEN_MANAGE)
        why = checked_reason(form.get("reason", ""))
        await web.access.tokens.revoke(tx, token_id, actor=caller.actor, reason=why)
        return "changed"

    return await _do(request, work)


@post("/administration/matrix", permission=Permission.ACCESS_MATRIX_CHANGE, include_in_schema=False)
async def change_matrix(request: Asked) -> Response[str] | Redirect:
    """Show what a matrix would change, then let it wait for a second person."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    text, act = form.get("matrix", "").replace("\r\n", "\n") + "\n", form.get("act")

    async def work(tx: Connection) -> Looked | str:
        if act == "propose":
            await propose_change(tx, web, caller, NewMatrix(text, form.get("reason", "")[:500]))
            return "asked"
        _, changes = await web.access.authority.check_change(tx, text)
        return Looked(text, tuple(changes))

    return await _do(request, work)


@post("/administration/holds", signed_in=True, include_in_schema=False)
async def make_hold(request: Asked) -> Response[str] | Redirect:
    """Ask for a legal hold; it is made when a second person has confirmed it."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def act() -> None:
        until = read_local(form.get("until", ""), web.services.settings.zone)
        if until is None:
            raise InvalidInput("until", "give the day and the time")
        async with web.services.database.read() as tx:
            person_id = await _person(tx, web, form.get("person", ""))
        if (person_id is None) != (form.get("whose") == "everybody"):
            raise InvalidInput("person", "say whose openings: a personnel number, an id, or everybody's")
        await ask_hold(web, caller, person_id=person_id, until=until, reason=form.get("reason", ""))

    return await _hold(request, act)


@post("/administration/holds/{hold_id:uuid}", signed_in=True, include_in_schema=False)
async def end_hold(request: Asked, hold_id: FromPath[UUID]) -> Response[str] | Redirect:
    """Ask to end a legal hold; it ends when a second person has confirmed it."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    return await _hold(request, lambda: ask_end(web, caller, hold_id, reason=form.get("reason", "")))


@post("/administration/holds/confirmed/{proposal:uuid}", signed_in=True, include_in_schema=False)
async def do_hold(request: Asked, proposal: FromPath[UUID]) -> Response[str] | Redirect:
    """Do what a second person has confirmed."""
    web, caller = web_of(request), await signed_in(request)
    return await _hold(request, lambda: finish_hold(web, caller, proposal))


async def _hold(request: Asked, act: Callable[[], Awaitable[None]]) -> Response[str] | Redirect:
    """Do an act about holds; where it waits for a second person, that is said on Requests."""
    try:
        await act()
    except SecondPersonNeeded:
        raise
    except (Conflict, InvalidInput, NotAllowed, NotFound) as error:
        return await _page(request, problem=str(error), status=403 if isinstance(error, NotAllowed) else 409)
    web_of(request).runtime.wake()
    return go(_HERE, done="changed")


async def _do(request: Asked, work: Work) -> Response[str] | Redirect:
    """Do an act; a secret is shown at once, because it is kept nowhere."""
    web = web_of(request)
    try:
        done = await web.services.database.transact(work)
    except (Conflict, InvalidInput, NotAllowed, NotFound) as error:
        problem = str(error)
        return await _page(request, problem=problem, status=403 if isinstance(error, NotAllowed) else 409)
    web.runtime.wake()
    if isinstance(done, Once | Looked):
        return await _page(request, shown=done)
    return go(_HERE, done=done)


async def _page(
    request: Asked, *, problem: str = "", shown: Once | Looked | None = None, status: int = 200
) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, Any]:
        return {
            "v": await read_administration(tx, web, caller),
            "problem": problem,
            "once": shown if isinstance(shown, Once) else None,
            "looked": shown if isinstance(shown, Looked) else None,
        }

    return await show(request, "administration.html", "administration", read, status=status, home=_HERE)


async def _person(tx: Connection, web: Web, text: str) -> PersonId | None:
    """Return who is meant; a bare number is a personnel number."""
    name = text.strip()[:_LONGEST]
    if not name:
        return None
    return await find_person(tx, web, name if ":" in name or "-" in name else f"personnel_no:{name}")


async def _many(request: Asked, name: str) -> list[str]:
    form = await request.form()
    return [value for value in form.getall(name, []) if isinstance(value, str)]


def _days(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput("days", "must be a whole number") from None


HANDLERS = (
    administration,
    make_user,
    change_user,
    end_session,
    make_token,
    revoke_token,
    change_matrix,
    make_hold,
    end_hold,
    do_hold,
)
