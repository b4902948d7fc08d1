"""The page *Coverage*: how far the memories of cylinders and keys were read, worst first."""

from typing import Final

from litestar import Response, get

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, show
from key2xs.core.database import Connection
from key2xs.keys.coverage.reads import cylinders, keys
from key2xs.keys.coverage.rules import STANDINGS

MOST_LINES: Final = 200


@get("/coverage", permission=Permission.KEYS_EVENT_READ, include_in_schema=False)
async def coverage(request: Asked) -> Response[str]:
    """Show when each memory was last read completely, and which rows are missing."""
    web, asked = web_of(request), request.query_params
    zone, unit, standing = (asked.get(name, "").strip()[:100] for name in ("zone", "unit", "standing"))
    of_keys = asked.get("what") == "keys"

    async def read(tx: Connection) -> dict[str, object]:
        lines = (
            await keys(tx, web.now)
            if of_keys
            else await cylinders(tx, web.now, zone=zone or None, unit=unit or None)
        )
        shown = [line for line in lines if standing in {"", line.standing}]
        return {
            "lines": shown[:MOST_LINES],
            "more": max(len(shown) - MOST_LINES, 0),
            "counts": {each: sum(line.standing == each for line in lines) for each in STANDINGS},
            "of_keys": of_keys,
            "zone": zone,
            "unit": unit,
            "standing": standing,
        }

    return await show(request, "coverage.html", "coverage", read)


HANDLERS = (coverage,)
