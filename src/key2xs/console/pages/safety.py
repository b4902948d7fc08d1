"""The page *Safety*, and what people answer to the safety rules."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.clearing import checked_reason
from key2xs.api.releasing import propose_release
from key2xs.api.revoking import by_of
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.views.asking import find_person
from key2xs.console.views.safety import safety_now
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.incidents.inside import ANSWERS

_HERE: Final = "/safety"
_LONGEST_REASON: Final = 200
_NO_FORM: Final = {"who": "", "every": "", "place": ""}


@get("/safety", permission=Permission.GRANTS_LEASE_READ, include_in_schema=False)
async def safety(request: Asked) -> Response[str]:
    """Show what the safety rules hold back and ask."""
    return await _show(request)


@post("/safety/stops/{stop:uuid}/proceed", permission=Permission.SAFETY_HOLD_RELEASE, include_in_schema=False)
async def proceed(request: Asked, stop: FromPath[UUID]) -> Response[str] | Redirect:
    """Let a stop proceed now."""
    web, caller = web_of(request), await signed_in(request)

    async def act(tx: Connection) -> None:
        leads = "shift_leader" in caller.roles
        await web.services.kills.proceed_now(tx, stop, by=by_of(caller), at=web.now, is_shift_leader=leads)

    return await _do(request, act, "proceeded")


@post("/safety/stops/{stop:uuid}/withdraw", permission=Permission.GRANTS_LEASE_READ, include_in_schema=False)
async def withdraw(request: Asked, stop: FromPath[UUID]) -> Response[str] | Redirect:
    """Take back a stop one asked for."""
    web, caller = web_of(request), await signed_in(request)

    async def act(tx: Connection) -> None:
        why = checked_reason((await form_of(request)).get("reason", ""))
        await web.services.kills.withdraw(tx, stop, by=by_of(caller), at=web.now, reason=why)

    return await _do(request, act, "withdrawn")


@post("/safety/inside/{question:uuid}", permission=Permission.SAFETY_CHECKIN_RECORD, include_in_schema=False)
async def answer(request: Asked, question: FromPath[UUID]) -> Response[str] | Redirect:
    """Say whether everybody is out."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    said = form.get("answer", "")

    async def act(tx: Connection) -> None:
        if said not in ANSWERS:
            raise InvalidInput("answer", "use one of the buttons")
        await web.services.ways_out.answer(
            tx, question, "out" if said == "out" else "inside", actor=caller.actor, at=web.now
        )

    return await _do(request, act, "answered")


@post(
    "/safety/holds/{grant:uuid}/release", permission=Permission.SAFETY_HOLD_RELEASE, include_in_schema=False
)
async def release(request: Asked, grant: FromPath[UUID]) -> Response[str] | Redirect:
    """Propose to end what a rule holds."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    reason = form.get("reason", "")[:_LONGEST_REASON]

    async def act(tx: Connection) -> None:
        await propose_release(tx, web, caller, grant, reason=reason)

    return await _do(request, act, "proposed")


@post("/safety/watches", permission=Permission.SAFETY_CHECKIN_RECORD, include_in_schema=False)
async def start_watch(request: Asked) -> Response[str] | Redirect:
    """Watch over somebody who works alone."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    given = {name: form.get(name, "")[:120] for name in _NO_FORM}

    async def act(tx: Connection) -> None:
        if not given["every"].isascii() or not given["every"].isdigit():
            raise InvalidInput("every", "say in whole minutes how often they report")
        person_id = await find_person(tx, web, given["who"])
        await web.services.watches.start(
            tx,
            person_id,
            every_minutes=int(given["every"][:4]),
            place=given["place"],
            actor=caller.actor,
            at=web.now,
        )

    return await _do(request, act, "watching", given=given)


@post(
    "/safety/watches/{watch:uuid}/seen", permission=Permission.SAFETY_CHECKIN_RECORD, include_in_schema=False
)
async def seen(request: Asked, watch: FromPath[UUID]) -> Response[str] | Redirect:
    """Record that somebody reported."""
    web, caller = web_of(request), await signed_in(request)

    async def act(tx: Connection) -> None:
        await web.services.watches.seen(tx, watch, actor=caller.actor, at=web.now)

    return await _do(request, act, "reported")


@post(
    "/safety/watches/{watch:uuid}/end", permission=Permission.SAFETY_CHECKIN_RECORD, include_in_schema=False
)
async def end_watch(request: Asked, watch: FromPath[UUID]) -> Response[str] | Redirect:
    """End a watch: they are back."""
    web, caller = web_of(request), await signed_in(request)

    async def act(tx: Connection) -> None:
        await web.services.watches.end(tx, watch, actor=caller.actor, at=web.now)

    return await _do(request, act, "reported")


async def _do(
    request: Asked,
    act: Callable[[Connection], Awaitable[None]],
    done: str,
    *,
    given: dict[str, str] | None = None,
) -> Response[str] | Redirect:
    """Do an act and show the page; what stands against it is said above it."""
    web = web_of(request)
    try:
        await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotAllowed, NotFound) as error:
        problem = error.problem if isinstance(error, InvalidInput) else str(error)
        status = {InvalidInput: 400, NotAllowed: 403}.get(type(error), 409)
        return await _show(request, problem=problem, given=given, status=status)
    web.runtime.wake()
    return go(_HERE, done=done)


async def _show(
    request: Asked, *, problem: str = "", given: dict[str, str] | None = None, status: int = 200
) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, Any]:
        view = await safety_now(tx, web.services, web.now, caller)
        return {"safety": view, "problem": problem, "given": given or _NO_FORM}

    return await show(request, "safety.html", "safety", read, status=status, home=_HERE)


HANDLERS = (safety, proceed, withdraw, answer, release, start_watch, seen, end_watch)
