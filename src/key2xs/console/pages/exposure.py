"""The page *Exposure*, and the walk with a programming key as a sheet of paper."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.auth import require
from key2xs.api.clearing import checked_reason
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.views.exposure import read_exposure
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import parse_id


@get("/exposure", permission=Permission.KEYS_EXPOSURE_READ, include_in_schema=False)
async def exposure(request: Asked) -> Response[str]:
    """Show what is left of rights that were ended; `?zone=` and `?company=` narrow it."""
    return await _page(request, "exposure.html")


@get("/exposure/walk", permission=Permission.KEYS_EXPOSURE_READ, include_in_schema=False)
async def walk(request: Asked) -> Response[str]:
    """The order in which to visit these cylinders, with boxes to tick."""
    return await _page(request, "exposure_walk.html")


@post("/exposure/settle", permission=Permission.KEYS_EXPOSURE_SETTLE, include_in_schema=False)
async def settle(request: Asked) -> Response[str] | Redirect:
    """Close a finding: what it was about was looked at and put right."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    require(caller, Permission.KEYS_EXPOSURE_SETTLE)
    finding = parse_id(form.get("finding", ""))
    if finding is None:
        raise NotFound("no such finding")

    async def act(tx: Connection) -> None:
        reason = checked_reason(form.get("reason", ""))
        await web.services.reopenings.close(tx, finding, reason=reason, actor=caller.actor, at=web.now)

    try:
        await web.services.database.transact(act)
    except (Conflict, InvalidInput) as error:
        return await _page(request, "exposure.html", error=str(error))
    web.runtime.wake()
    return go("/exposure", done="changed")


async def _page(request: Asked, template: str, error: str | None = None) -> Response[str]:
    web = web_of(request)
    zone, company = (request.query_params.get(name, "")[:120] for name in ("zone", "company"))
    page = request.query_params.get("page", "")[:6]
    number = int(page) if page.isascii() and page.isdigit() else 1

    async def read(tx: Connection) -> dict[str, Any]:
        return {"v": await read_exposure(tx, web, zone, company, number), "error": error}

    return await show(request, template, "exposure", read)


HANDLERS = (exposure, walk, settle)
