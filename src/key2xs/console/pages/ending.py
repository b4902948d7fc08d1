"""The pages *End access for many*: look, confirm, follow, pause, and the keys that are still out."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.auth import require_person
from key2xs.api.clearing import checked_reason
from key2xs.api.massing import Aim, NewMassAction, propose, propose_lift
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.views.ending import read_act, read_acts, read_ahead, read_unreturned
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound

_HERE: Final = "/ending"
_READS: Final = (Permission.GRANTS_LEASE_READ, Permission.KEYS_EXPOSURE_READ)
_LONGEST_REASON: Final = 500
_LONGEST_NAME: Final = 200


@get(_HERE, permission=_READS, include_in_schema=False)
async def ending(request: Asked) -> Response[str]:
    """List acts on many, and ask whose access is to end."""
    return await _list(request)


@get("/ending/look", permission=_READS, include_in_schema=False)
async def ahead(request: Asked) -> Response[str]:
    """Show who and what would be affected, and ask why."""
    asked = request.query_params
    return await _look(request, asked.get("kind", ""), asked.get("ref", ""))


@post(_HERE, permission=Permission.GRANTS_SET_PROPOSE, asks_why=True, include_in_schema=False)
async def start(request: Asked) -> Response[str] | Redirect:
    """Propose it; a second person confirms."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)
    kind, ref, reason = (form.get(name, "")[:_LONGEST_REASON] for name in ("kind", "ref", "reason"))

    async def act(tx: Connection) -> None:
        asked = NewMassAction(
            kind=_aim(kind, ref).kind, ref=ref[:_LONGEST_NAME], digest=form.get("digest", "")[:40],
            reason=checked_reason(reason),
        )  # fmt: skip
        await propose(tx, web, caller, asked)

    try:
        await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotAllowed) as error:
        return await _look(request, kind, ref, given=reason, problem=_said(error), status=409)
    web.runtime.wake()
    return go(_HERE, done="proposed")


@get("/ending/{mass:uuid}", permission=_READS, include_in_schema=False)
async def one(request: Asked, mass: FromPath[UUID]) -> Response[str]:
    """Show one act and how far it is."""
    return await _one(request, mass)


@get(
    "/ending/{mass:uuid}/unreturned", permission=(*_READS, Permission.KEYS_KEY_READ), include_in_schema=False
)
async def still_out(request: Asked, mass: FromPath[UUID]) -> Response[str]:
    """List the keys of the people affected that are still out."""
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"v": await read_unreturned(tx, web, mass)}

    return await show(request, "ending_out.html", "ending", read)


@post("/ending/{mass:uuid}", permission=Permission.GRANTS_SET_PROPOSE, asks_why=True, include_in_schema=False)
async def change(request: Asked, mass: FromPath[UUID]) -> Response[str] | Redirect:
    """Pause an act, let it go on, or propose to allow new access again."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)
    reason, what = form.get("reason", "")[:_LONGEST_REASON], form.get("what", "")

    async def act(tx: Connection) -> str:
        why = checked_reason(reason)
        if what == "lift":
            await propose_lift(tx, web, caller, mass, reason=why)
            return "proposed"
        if what not in {"paused", "running"}:
            raise InvalidInput("what", "use one of the buttons")
        runs = web.services.mass_runs
        await runs.set_state(
            tx, mass, "paused" if what == "paused" else "running", reason=why, actor=caller.actor, at=web.now
        )
        return "changed"

    return await _do(request, mass, act)


async def _do(
    request: Asked, mass: UUID, act: Callable[[Connection], Awaitable[str]]
) -> Response[str] | Redirect:
    web = web_of(request)
    try:
        done = await web.services.database.transact(act)
    except (Conflict, InvalidInput) as error:
        return await _one(request, mass, problem=_said(error), status=409)
    web.runtime.wake()
    return go(f"{_HERE}/{mass}", done=done)


async def _one(request: Asked, mass: UUID, *, problem: str = "", status: int = 200) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"v": await read_act(tx, web, mass), "problem": problem}

    return await show(request, "ending_act.html", "ending", read, status=status, home=f"{_HERE}/{mass}")


async def _look(
    request: Asked, kind: str, ref: str, *, given: str = "", problem: str = "", status: int = 200
) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, object]:
        v = await read_ahead(tx, web, _aim(kind, ref))
        may = caller.may(Permission.GRANTS_SET_PROPOSE)
        return {"v": v, "given": given, "problem": problem, "may": may}

    try:
        return await show(request, "ending_look.html", "ending", read, status=status)
    except (InvalidInput, NotFound) as error:
        return await _list(request, problem=_said(error), kind=kind, ref=ref, status=409)


async def _list(
    request: Asked, *, problem: str = "", kind: str = "", ref: str = "", status: int = 200
) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"v": await read_acts(tx, web), "problem": problem, "kind": kind, "ref": ref}

    return await show(request, "ending.html", "ending", read, status=status, home=_HERE)


def _aim(kind: str, ref: str) -> Aim:
    try:
        return msgspec.convert({"kind": kind, "ref": ref[:_LONGEST_NAME]}, Aim)
    except msgspec.ValidationError as error:
        raise InvalidInput("kind", "choose a company, a work package, a security zone or everyone") from error


def _said(error: Exception) -> str:
    return error.problem if isinstance(error, InvalidInput) else str(error)


HANDLERS = (ending, ahead, start, one, still_out, change)
