"""The pages *Access points* and *Access point*."""

from urllib.parse import quote

from litestar import Response, get, post
from litestar.params import FromPath

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, show, signed_in
from key2xs.console.views.access_point import ask_about, read_access_point
from key2xs.core.database import Connection
from key2xs.core.ids import AccessPointId, parse_id
from key2xs.keys.drift.describing import describe
from key2xs.keys.drift.findings import OPEN, list_findings
from key2xs.keys.reads import openable_now
from key2xs.plant.service import list_access_points, list_cylinders

_PAGE = 200
# One query for the locks of a page of access points; a site has a few thousand locks (facts: 5,000 in a refinery).
_ALL_CYLINDERS = 20_000


@get(
    "/access-points",
    permission=(Permission.PLANT_CYLINDER_READ, Permission.KEYS_EXPOSURE_READ),
    include_in_schema=False,
)
async def access_points(request: Asked) -> Response[str]:
    """List access points with how many keys can open each."""
    web = web_of(request)
    after = parse_id(request.query_params.get("after", ""))

    async def read(tx: Connection) -> dict[str, object]:
        points = await list_access_points(tx, after=AccessPointId(after) if after else None, limit=_PAGE)
        here = {point.id for point in points}
        cylinders = [c for c in await list_cylinders(tx, limit=_ALL_CYLINDERS) if c.access_point_id in here]
        keys = await openable_now(tx, [cylinder.id for cylinder in cylinders], web.now)
        openers: dict[AccessPointId, int] = {}
        for cylinder in cylinders:
            point = cylinder.access_point_id
            openers[point] = max(openers.get(point, 0), keys.get(cylinder.id, 0))
        last = points[-1].id if len(points) == _PAGE else None
        return {"points": sorted(points, key=lambda point: point.code), "openers": openers, "after": last}

    return await show(request, "access_points.html", "points", read)


@get(
    "/access-points/{code:str}",
    permission=(Permission.PLANT_CYLINDER_READ, Permission.KEYS_EXPOSURE_READ),
    include_in_schema=False,
)
async def access_point(request: Asked, code: FromPath[str]) -> Response[str]:
    """Show who can open an access point now, why, and until when."""
    return await _access_point(request, code)


@post(
    "/access-points/{code:str}",
    permission=(
        Permission.PLANT_CYLINDER_READ,
        Permission.KEYS_EXPOSURE_READ,
        Permission.POLICY_DECISION_EXPLAIN,
    ),
    status_code=200,
    include_in_schema=False,
)
async def explain_here(request: Asked, code: FromPath[str]) -> Response[str]:
    """Explain somebody on the same page. Sent as a form: a personnel number has no place in an address."""
    return await _access_point(request, code, (await form_of(request)).get("who", "")[:120])


async def _access_point(request: Asked, code: str, who: str = "") -> Response[str]:
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, object]:
        view = await read_access_point(tx, web.services, code, web.now)
        asked = None
        if who and caller.may(Permission.POLICY_DECISION_EXPLAIN):
            asked = await ask_about(tx, web.services, view, who, web.now)
        found = [
            each
            for part in view.parts
            for each in await list_findings(tx, cylinder=part.cylinder.id, states=OPEN)
        ]
        edits = await describe(tx, found, web.services.settings.zone)
        return {"v": view, "edits": edits, "asked": asked}

    return await show(
        request, "access_point.html", "points", read, home=f"/access-points/{quote(code, safe='')}"
    )


HANDLERS = (access_points, access_point, explain_here)
