"""The round that reads cylinders: which ones, and in which order to walk."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from key2xs.core.database import Connection
from key2xs.core.ids import AccessPointId
from key2xs.keys.coverage.reads import CylinderCoverage, cylinders, foretold
from key2xs.keys.exposure_walk import Walk
from key2xs.plant import list_cylinders
from key2xs.plant.types import Cylinder
from key2xs.services import rings_of

from .shortening import walk_over
from .web import Web


@dataclass(frozen=True, slots=True)
class Route:
    """Cylinders to read, worst first, and the walk over them."""

    lines: tuple[CylinderCoverage, ...]
    walk: Walk


def is_to_read(line: CylinderCoverage, now: datetime, ahead: timedelta) -> bool:
    """Tell whether a round should read it: not known, not read for long, or about to lose rows."""
    soon = line.forecast.expected_at is not None and line.forecast.expected_at - now <= ahead
    return soon or line.standing in {"unknown", "old"}


async def collection_route(tx: Connection, web: Web, *, zone: str | None, unit: str | None) -> Route:
    """Plan the round, of the worst cylinders where there are too many for one."""
    settings = web.services.settings
    found = await cylinders(tx, web.now, zone=zone, unit=unit)
    found = await foretold(tx, found, rings_of(settings.key_systems), web.now)
    ahead = timedelta(hours=settings.evidence.warn_ahead_hours)
    # A cylinder that no key system lists has no memory that anybody could read.
    lines = [line for line in found if line.system is not None and is_to_read(line, web.now, ahead)]
    ids = list(dict.fromkeys(line.cylinder_id for line in lines))
    known = {each.id: each for each in await list_cylinders(tx, ids=ids, limit=len(ids) or 1)}
    by_point: dict[AccessPointId, list[Cylinder]] = {}
    for each in ids:
        if each in known:
            by_point.setdefault(known[each].access_point_id, []).append(known[each])
    return Route(tuple(lines), await walk_over(tx, by_point))
