"""The page *Coverage*: how far the memories of cylinders and keys were read, worst first."""

from typing import Final

from litestar import Response, get

from key2xs.access import Permission
from key2xs.api.collecting import collection_route
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, show
from key2xs.core.database import Connection
from key2xs.keys.coverage.reads import (
    CylinderCoverage,
    KeyCoverage,
    cylinders,
    foretold,
    foretold_keys,
    keys,
)
from key2xs.keys.coverage.rules import STANDINGS
from key2xs.keys.coverage.warnings import memory_warnings
from key2xs.services import rings_of

MOST_LINES: Final = 200


@get("/coverage", permission=Permission.KEYS_EVENT_READ, include_in_schema=False)
async def coverage(request: Asked) -> Response[str]:
    """Show when each memory was last read completely, and which rows are missing."""
    web, asked = web_of(request), request.query_params
    zone, unit, standing = (asked.get(name, "").strip()[:100] for name in ("zone", "unit", "standing"))
    of_keys = asked.get("what") == "keys"

    async def read(tx: Connection) -> dict[str, object]:
        rings = rings_of(web.services.settings.key_systems)
        lines: list[CylinderCoverage] | list[KeyCoverage]
        shown: list[CylinderCoverage] | list[KeyCoverage]
        if of_keys:
            lines = found = await keys(tx, web.now)
            chosen = [line for line in found if standing in {"", line.standing}]
            shown, many = await foretold_keys(tx, chosen[:MOST_LINES], rings, web.now), len(chosen)
        else:
            lines = places = await cylinders(tx, web.now, zone=zone or None, unit=unit or None)
            picked = [line for line in places if standing in {"", line.standing}]
            shown, many = await foretold(tx, picked[:MOST_LINES], rings, web.now), len(picked)
        return {
            "lines": shown,
            "more": max(many - MOST_LINES, 0),
            "counts": {each: sum(line.standing == each for line in lines) for each in STANDINGS},
            "of_keys": of_keys,
            "zone": zone,
            "unit": unit,
            "standing": standing,
            "warnings": await memory_warnings(tx),
        }

    return await show(request, "coverage.html", "coverage", read)


@get("/coverage/walk", permission=Permission.KEYS_EVENT_READ, include_in_schema=False)
async def walk(request: Asked) -> Response[str]:
    """The order in which to read cylinders, with boxes to tick."""
    web, asked = web_of(request), request.query_params
    zone, unit = (asked.get(name, "").strip()[:100] for name in ("zone", "unit"))

    async def read(tx: Connection) -> dict[str, object]:
        route = await collection_route(tx, web, zone=zone or None, unit=unit or None)
        return {"route": route, "zone": zone, "unit": unit}

    return await show(request, "coverage_walk.html", "coverage", read)


HANDLERS = (coverage, walk)
