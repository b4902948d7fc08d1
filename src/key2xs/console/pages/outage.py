"""Pages for running without a system: what goes on until when, paper permits, exercises, and the sheet to hang up."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.clearing import checked_reason
from key2xs.api.papering import propose_down
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.views.outage import read_outage_view
from key2xs.console.views.papering import TYPES, Typed, propose_typed, read_typed
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import PermitId
from key2xs.incidents.drills import SCENARIOS, record_drill
from key2xs.work import declare_back

_HERE: Final = "/outage"
_MOST_ASKED: Final = 10


@get(_HERE, permission=Permission.SYSTEM_STATUS_READ, include_in_schema=False)
async def outage(request: Asked) -> Response[str]:
    """Show what stops, what goes on and until when; `?down=keys:iloq` asks what if."""
    return await _page(request)


@get("/outage/print", permission=Permission.SYSTEM_STATUS_READ, include_in_schema=False)
async def sheet(request: Asked) -> Response[str]:
    """The sheet that hangs in the control room."""
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, Any]:
        return {"v": await read_outage_view(tx, web, ["network"])}

    return await show(request, "outage_print.html", "outage", read)


@get("/outage/paper", permission=Permission.WORK_PAPER_WRITE, include_in_schema=False)
async def paper(request: Asked) -> Response[str]:
    """The form of a permit on paper."""
    return await _paper(request, Typed(stands_for=request.query_params.get("for", "")[:120]))


@post("/outage/paper", permission=Permission.WORK_PAPER_WRITE, include_in_schema=False)
async def write_paper(request: Asked) -> Response[str] | Redirect:
    """Put a sheet to a second person."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    typed = read_typed(form)
    try:
        await web.services.database.transact(lambda tx: propose_typed(tx, web, caller, typed))
    except (Conflict, InvalidInput, NotAllowed, NotFound) as error:
        return await _paper(request, typed, problem=_why(error), status=_status(error))
    web.runtime.wake()
    return go("/requests", done="proposed-paper")


@post("/outage/paper/{permit_id:uuid}", permission=Permission.WORK_PAPER_WRITE, include_in_schema=False)
async def finish_paper(request: Asked, permit_id: FromPath[UUID]) -> Response[str] | Redirect:
    """Close a sheet, or note its number in the permit system."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    paper, permit = web.services.paper, PermitId(permit_id)

    async def act(tx: Connection) -> str:
        if form.get("act") == "close":
            why = checked_reason(form.get("reason", ""))
            await paper.close(tx, permit, actor=caller.actor, at=web.now, reason=why)
            return "paper-closed"
        await paper.enter(tx, permit, form.get("number", "")[:120], actor=caller.actor, at=web.now)
        return "paper-entered"

    return await _do(request, act)


@post("/outage/source", permission=Permission.WORK_PAPER_WRITE, include_in_schema=False)
async def source(request: Asked) -> Response[str] | Redirect:
    """Propose to count a permit system as down, or say that it is back."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    name = form.get("source", "")[:120]

    async def act(tx: Connection) -> str:
        if form.get("act") == "back":
            why = checked_reason(form.get("reason", ""))
            await declare_back(tx, web.services.desk, name, actor=caller.actor, at=web.now, reason=why)
            return "source-back"
        await propose_down(tx, web, caller, name, reason=form.get("reason", "")[:500])
        return "proposed-paper"

    return await _do(request, act)


@post("/outage/drills", permission=Permission.KEYS_SEALED_USE, include_in_schema=False)
async def drill(request: Asked) -> Response[str] | Redirect:
    """Record an exercise."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def act(tx: Connection) -> str:
        people = form.get("people", "")
        await record_drill(
            tx,
            web.services.ledger,
            web.services.settings.continuity,
            scenario=form.get("scenario", ""),
            held_at=web.now,
            people=int(people) if people.isascii() and people.isdecimal() and len(people) < 6 else 0,
            passed=form.get("passed") == "yes",
            outcome=form.get("outcome", ""),
            actor=caller.actor,
            at=web.now,
        )
        return "drill"

    return await _do(request, act)


async def _do(request: Asked, act: Callable[[Connection], Awaitable[str]]) -> Response[str] | Redirect:
    web = web_of(request)
    try:
        done = await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotAllowed, NotFound) as error:
        return await _page(request, problem=_why(error), status=_status(error))
    web.runtime.wake()
    return go(_HERE, done=done)


async def _page(request: Asked, *, problem: str = "", status: int = 200) -> Response[str]:
    web = web_of(request)
    asked = [] if request.method == "POST" else request.query_params.getall("down", [])[:_MOST_ASKED]

    async def read(tx: Connection) -> dict[str, Any]:
        view = await read_outage_view(tx, web, [name[:120] for name in asked])
        return {"v": view, "problem": problem, "scenarios": SCENARIOS}

    return await show(request, "outage.html", "outage", read, status=status, home=_HERE if problem else "")


async def _paper(request: Asked, typed: Typed, *, problem: str = "", status: int = 200) -> Response[str]:
    web = web_of(request)

    async def read(_tx: Connection) -> dict[str, Any]:
        settings = web.services.settings
        return {
            "typed": typed,
            "problem": problem,
            "types": TYPES,
            "sources": [each.name for each in settings.permits],
            "zone": settings.site_time_zone,
            "hours": settings.continuity.paper_permit_minutes / 60,
        }

    return await show(request, "paper.html", "outage", read, status=status, home="/outage/paper")


def _why(error: Exception) -> str:
    return f"{error.field}: {error.problem}" if isinstance(error, InvalidInput) else str(error)


def _status(error: Exception) -> int:
    return 403 if isinstance(error, NotAllowed) else 409


HANDLERS = (outage, sheet, paper, write_paper, finish_paper, source, drill)
