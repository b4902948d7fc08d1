"""Search by what is printed on a key or lock, by a permit's number, a company or an access point's code."""

from litestar import Response, get, post
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.views.search import Hit, find, find_by_number, only_exact
from key2xs.core.database import Connection
from key2xs.core.search import LONGEST


@get("/search", signed_in=True, include_in_schema=False)
async def search(request: Asked) -> Response[str] | Redirect:
    """Find it, and go there at once when only one thing carries exactly this."""
    web, caller = web_of(request), await signed_in(request)
    text = request.query_params.get("q", "").strip()[:LONGEST]
    found: list[Hit] = []
    if text:
        async with web.services.database.read() as tx:
            found = await find(tx, caller, text)
    straight = only_exact(found)
    if straight:
        return go(straight)

    async def read(_tx: Connection) -> dict[str, object]:
        return {"found": found, "number": "", "person": None}

    return await show(request, "search.html", "search", read)


@post("/search", permission=Permission.IDENTITY_PERSON_READ, include_in_schema=False)
async def search_person(request: Asked) -> Response[str]:
    """Find a person by their exact number. Sent as a form, so that the number stands in no address and no log."""
    web, form = web_of(request), await form_of(request)
    number = form.get("number", "")[:LONGEST]

    async def read(tx: Connection) -> dict[str, object]:
        person = await find_by_number(tx, web, number) if number else None
        return {"found": [], "number": number, "person": person}

    return await show(request, "search.html", "search", read, status=200, home="/search")


HANDLERS = (search, search_person)
