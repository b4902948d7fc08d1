"""The page *My area*, which areas and units that is, and the screen for the control room."""

from typing import Final

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.area_blocks import read_blocks
from key2xs.console.frame import Asked, go, local, show, signed_in
from key2xs.console.places import PLACES_COOKIE, chosen_by, chosen_in, cookie_value, list_choices
from key2xs.console.views.area_lines import ENDING_WITHIN
from key2xs.console.views.my_area import read_my_area
from key2xs.core.database import Connection

_YEAR: Final = 365 * 24 * 3600


@get("/", permission=Permission.SYSTEM_STATUS_READ, include_in_schema=False)
async def my_area(request: Asked) -> Response[str]:
    """Show what waits, what ends and what cannot be relied on."""
    return await _show(request, "my_area.html")


@get("/wall", permission=Permission.SYSTEM_STATUS_READ, include_in_schema=False)
async def wall(request: Asked) -> Response[str]:
    """Show the same on a control-room screen: read from three metres, touched by nobody."""
    return await _show(request, "wall.html")


@post("/preferences/places", permission=Permission.SYSTEM_STATUS_READ, include_in_schema=False)
async def choose_places(request: Asked) -> Redirect:
    """Keep which areas and units somebody looks after."""
    caller, form = await signed_in(request), await request.form()
    chosen = chosen_in(str(value) for value in form.getall("place", []))
    answer = go(local(str(form.get("next", "/"))))
    answer.set_cookie(
        Cookie(
            PLACES_COOKIE,
            value=cookie_value(caller, chosen),
            max_age=_YEAR,
            httponly=True,
            samesite="lax",
            secure=web_of(request).cookie["secure"],
        )
    )
    return answer


async def _show(request: Asked, template: str) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)
    chosen = chosen_by(request, caller)

    async def read(tx: Connection) -> dict[str, object]:
        return {
            "v": await read_my_area(tx, web, caller, chosen),
            "choices": await list_choices(tx),
            "soon": web.now + ENDING_WITHIN,
            **await read_blocks(tx, web, caller, chosen),
        }

    return await show(request, template, "area", read)


HANDLERS = (my_area, wall, choose_places)
