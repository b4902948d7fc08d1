"""The pages *Companies* and *Company*, and proposing to end all access of one."""

from dataclasses import replace
from typing import Final

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.revoking import Revocation, revoke
from key2xs.api.routes.answers import company_of, how_fast_of
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.people import look_up
from key2xs.console.views.company import read_companies, read_company
from key2xs.console.views.proposals import Count
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed

_SHORTEST_REASON: Final = 3
_LONGEST_REASON: Final = 500
_MOST_NAMED: Final = 30


@get("/companies", permission=Permission.IDENTITY_COMPANY_READ, include_in_schema=False)
async def companies(request: Asked) -> Response[str]:
    """List companies, those with access first."""
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"lines": await read_companies(tx, web.now)}

    return await show(request, "companies.html", "companies", read)


@get(
    "/companies/{name:str}",
    permission=(
        Permission.IDENTITY_COMPANY_READ,
        Permission.GRANTS_LEASE_READ,
        Permission.KEYS_EXPOSURE_READ,
    ),
    include_in_schema=False,
)
async def company(request: Asked, name: FromPath[str]) -> Response[str]:
    """Show a company by its id or code."""
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"v": await read_company(tx, web, name)}

    return await show(request, "company.html", "companies", read)


@get("/companies/{name:str}/end", permission=Permission.GRANTS_SET_PROPOSE, include_in_schema=False)
async def ask_end(request: Asked, name: FromPath[str]) -> Response[str]:
    """Show who and what is affected when all access of a company ends, and ask why."""
    return await _ask(request, name)


@post(
    "/companies/{name:str}/end",
    permission=Permission.GRANTS_SET_PROPOSE,
    asks_why=True,
    include_in_schema=False,
)
async def end(request: Asked, name: FromPath[str]) -> Response[str] | Redirect:
    """Propose it; a second person confirms."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    reason = form.get("reason", "")[:_LONGEST_REASON]

    async def act(tx: Connection) -> None:
        if len(reason) < _SHORTEST_REASON:
            raise InvalidInput("reason", "say in a few words why")
        await revoke(tx, web, caller, Revocation(reason=reason, company=name))

    try:
        await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotAllowed) as error:
        problem = error.problem if isinstance(error, InvalidInput) else str(error)
        return await _ask(request, name, given=reason, problem=problem, status=409)
    web.runtime.wake()
    return go(f"/companies/{name}", done="proposed")


async def _ask(
    request: Asked, name: str, *, given: str = "", problem: str = "", status: int = 200
) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, object]:
        found = await company_of(tx, name)
        # Looking needs no reason; it is asked for on this very page.
        look = Revocation(reason="looked at first", company=str(found.id), dry_run=True)
        affected = await revoke(tx, web, replace(caller, reasoned=True), look)
        fast = await how_fast_of(tx, web, found, web.now)
        counts = [
            Count("people lose access", len(affected.people), f"of {fast.people} under contract"),
            Count("grants end", len(affected.grants)),
            Count("keys out", fast.keys),
            Count("left alone", len(affected.spared), "emergency grants"),
        ]
        people = await look_up(tx, affected.people, web.now)  # type: ignore[arg-type]
        return {
            "company": found,
            "counts": counts,
            "fast": fast,
            "people": [people.of(each) for each in affected.people[:_MOST_NAMED]],  # type: ignore[arg-type]
            "more_people": max(0, len(affected.people) - _MOST_NAMED),
            "at_work": len(getattr(affected, "at_work", ())),
            "given": given,
            "problem": problem,
        }

    return await show(request, "company_end.html", "companies", read, status=status)


HANDLERS = (companies, company, ask_end, end)
