"""The pages *Permits* and *Permit*."""

from litestar import Response, get
from litestar.params import FromPath

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, show
from key2xs.console.views.permit import read_permit
from key2xs.core.database import Connection
from key2xs.work.facts import list_permits
from key2xs.work.states import STATES, State, is_state

_MOST = 500
_OVER = frozenset({"closed", "cancelled", "rejected", "expired"})
_OPEN: tuple[State, ...] = tuple(state for state in sorted(STATES - _OVER) if is_state(state))


@get("/permits", permission=Permission.WORK_PERMIT_READ, include_in_schema=False)
async def permits(request: Asked) -> Response[str]:
    """List permits, the open ones unless all are asked for."""
    web = web_of(request)
    everything = request.query_params.get("all") == "1"

    async def read(tx: Connection) -> dict[str, object]:
        found = await list_permits(tx, web.now, states=None if everything else _OPEN, limit=_MOST)
        in_order = sorted(found, key=lambda p: (p.state != "live", p.valid_to, p.number))
        return {"permits": in_order, "everything": everything}

    return await show(request, "permits.html", "permits", read)


@get(
    "/permits/{name:str}",
    permission=(Permission.WORK_PERMIT_READ, Permission.GRANTS_LEASE_READ),
    include_in_schema=False,
)
async def permit(request: Asked, name: FromPath[str]) -> Response[str]:
    """Show a permit by its id or number."""
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"v": await read_permit(tx, web.services, name, web.now)}

    return await show(request, "permit.html", "permits", read)


HANDLERS = (permits, permit)
