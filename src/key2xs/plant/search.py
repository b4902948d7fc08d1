"""Finding locks and access points by what is printed on them."""

from dataclasses import dataclass

from key2xs.core.database import Connection
from key2xs.core.ids import AccessPointId
from key2xs.core.search import typed
from key2xs.core.sql import load_queries

from .service import list_cylinders
from .types import AccessPoint, Cylinder

_SQL = load_queries("key2xs.plant", "queries_search.sql")
_POINTS = load_queries("key2xs.plant")


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A lock, or an access point where `cylinder` is None, that fits what was typed."""

    code: str
    name: str
    cylinder: Cylinder | None
    exact: bool
    point_id: AccessPointId


async def search_locks(tx: Connection, text: str, *, limit: int) -> list[FoundPlace]:
    """Return cylinders whose stamp is, begins with or contains a text, the nearest first."""
    wanted = typed(text)
    rows = await tx.fetch(
        _SQL["search_stamps"], wanted.exact, wanted.begins_before, wanted.part, limit, text.strip()
    )
    places = {row["id"]: row["place"] for row in rows}
    found = await list_cylinders(tx, ids=list(places), limit=limit) if places else []
    return [
        FoundPlace(
            each.access_point, each.access_point_name, each, places[each.id] == 0, each.access_point_id
        )
        for each in sorted(found, key=lambda each: (places[each.id], each.marking, each.vendor))
    ]


async def search_points(tx: Connection, text: str, *, limit: int) -> list[FoundPlace]:
    """Return access points whose code or name fits a text, the nearest first."""
    wanted = typed(text)
    rows = await tx.fetch(_SQL["search_points"], wanted.exact, wanted.begins_before, wanted.part, limit)
    places = {row["id"]: row["place"] for row in rows}
    if not places:
        return []
    points = [
        AccessPoint(**row)
        for row in await tx.fetch(_POINTS["list_access_points"], list(places), None, None, limit)
    ]
    return [
        FoundPlace(each.code, each.name, None, places[each.id] == 0, each.id)
        for each in sorted(points, key=lambda each: (places[each.id], each.code))
    ]
