"""The page *Now*."""

from litestar import Response, get

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, show, signed_in
from key2xs.console.views.now import ENDING_WITHIN, read_now
from key2xs.core.database import Connection


@get("/", permission=Permission.SYSTEM_STATUS_READ, include_in_schema=False)
async def now(request: Asked) -> Response[str]:
    """Show what waits, what ends and what cannot be relied on."""
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, object]:
        view = await read_now(tx, web, caller)
        return {"v": view, "soon": web.now + ENDING_WITHIN}

    return await show(request, "now.html", "now", read)


HANDLERS = (now,)
