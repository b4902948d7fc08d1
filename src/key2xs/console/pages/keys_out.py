"""The page *Keys out*: who has which key, for the screen, for paper and as a file."""

from litestar import Response, get

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, show
from key2xs.console.people import look_up
from key2xs.core.database import Connection
from key2xs.keys.desk.lists import By, as_csv, grouped, keys_out


@get("/keys-out", permission=Permission.KEYS_KEY_READ, include_in_schema=False)
async def out(request: Asked) -> Response[str]:
    """List the keys that are out, by company or by area, with a column to sign on paper."""
    web = web_of(request)
    by: By = "area" if request.query_params.get("by") == "area" else "company"

    async def read(tx: Connection) -> dict[str, object]:
        lines = await keys_out(tx, web.now)
        return {
            "by": by,
            "groups": grouped(lines, by),
            "count": len(lines),
            "late": sum(line.is_overdue(web.now) for line in lines),
            "people": await look_up(tx, [line.person_id for line in lines], web.now),
        }

    return await show(request, "keys_out.html", "keys_out", read)


@get("/keys-out.csv", permission=Permission.KEYS_KEY_READ, include_in_schema=False)
async def out_csv(request: Asked) -> Response[str]:
    """Give the list as a file; people by their id."""
    web = web_of(request)
    async with web.services.database.read() as tx:
        text = as_csv(await keys_out(tx, web.now), web.now)
    name = f'attachment; filename="keys-out-{web.now:%Y%m%dT%H%MZ}.csv"'
    return Response(text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


HANDLERS = (out, out_csv)
