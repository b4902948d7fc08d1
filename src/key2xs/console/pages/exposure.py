"""The page *Exposure*, and the walk with a programming key as a sheet of paper."""

from typing import Any

from litestar import Response, get

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, show
from key2xs.console.views.exposure import read_exposure
from key2xs.core.database import Connection


@get("/exposure", permission=Permission.KEYS_EXPOSURE_READ, include_in_schema=False)
async def exposure(request: Asked) -> Response[str]:
    """Show what is left of rights that were ended; `?zone=` and `?company=` narrow it."""
    return await _page(request, "exposure.html")


@get("/exposure/walk", permission=Permission.KEYS_EXPOSURE_READ, include_in_schema=False)
async def walk(request: Asked) -> Response[str]:
    """The order in which to visit these cylinders, with boxes to tick."""
    return await _page(request, "exposure_walk.html")


async def _page(request: Asked, template: str) -> Response[str]:
    web = web_of(request)
    zone, company = (request.query_params.get(name, "")[:120] for name in ("zone", "company"))

    async def read(tx: Connection) -> dict[str, Any]:
        return {"v": await read_exposure(tx, web, zone, company)}

    return await show(request, template, "exposure", read)


HANDLERS = (exposure, walk)
