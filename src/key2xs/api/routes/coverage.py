"""Evidence coverage: how far the memories of cylinders and keys were read."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get
from litestar.params import QueryParameter

from key2xs.access import Permission
from key2xs.api.collecting import collection_route
from key2xs.api.exposing import WalkOut, walk_out
from key2xs.api.paging import USUAL_PAGE, Limit, OptionalName
from key2xs.api.web import WebPart
from key2xs.keys.coverage.forecast import Forecast
from key2xs.keys.coverage.reads import (
    CLOCK_MARGIN,
    CylinderCoverage,
    KeyCoverage,
    cylinders,
    foretold,
    foretold_keys,
    keys,
)
from key2xs.keys.coverage.rules import STANDINGS, Coverage, Standing
from key2xs.plant import get_cylinder
from key2xs.services import rings_of


class SpanOut(msgspec.Struct, frozen=True):
    """Time of which every row is here."""

    start: datetime
    end: datetime


class GapOut(msgspec.Struct, frozen=True):
    """Rows that were written and are not here. `rows` null: nobody can say how many, perhaps none.

    `lost`: the memory was wiped when its cylinder was programmed anew; they will never come.
    """

    after: datetime | None
    before: datetime
    rows: int | None
    lost: bool = False


class CoverageOut(msgspec.Struct, frozen=True):
    """How far something was read. *No opening* holds inside a span and nowhere else."""

    standing: Standing
    read_up_to: datetime | None
    whole_since: datetime | None
    spans: list[SpanOut]
    gaps: list[GapOut]
    numbers_restarted: bool


class ForecastOut(msgspec.Struct, frozen=True):
    """When a memory is expected to lose rows that nobody read. Null: too little was read to know."""

    expected_at: datetime | None
    rows_a_day: float | None


class CoveredCylinder(msgspec.Struct, frozen=True):
    """A cylinder and how far it was read."""

    cylinder: str
    cylinder_id: UUID
    zone: str
    area: str
    unit: str | None
    access_point: str
    system: str | None
    coverage: CoverageOut
    forecast: ForecastOut
    foreign: ForecastOut
    """The same for rows of keys of other systems, which are kept apart."""


class CoveredKey(msgspec.Struct, frozen=True):
    """A key and how far its openings are known."""

    key: str
    key_id: UUID
    system: str
    coverage: CoverageOut
    forecast: ForecastOut


class CoverageList(msgspec.Struct, frozen=True):
    """Cylinders or keys, the worst first; `counts` are of all of them, also of those beyond `limit`."""

    at: datetime
    clock_margin_seconds: int
    counts: dict[str, int]
    cylinders: list[CoveredCylinder]
    keys: list[CoveredKey]


class RouteOut(msgspec.Struct, frozen=True):
    """Which cylinders to read, and in which order to walk to them."""

    at: datetime
    cylinders: int
    walk: WalkOut


@get(
    "/api/v1/coverage",
    permission=Permission.KEYS_EVENT_READ,
    tags=["keys"],
    summary="How far memories were read",
)
async def coverage(
    web: WebPart,
    what: Annotated[Literal["cylinders", "keys"], QueryParameter(description="Of which.")] = "cylinders",
    zone: OptionalName = None,
    unit: OptionalName = None,
    lock: OptionalName = None,
    key: OptionalName = None,
    standing: Annotated[Standing | None, QueryParameter(description="Only those.")] = None,
    limit: Limit = USUAL_PAGE,
) -> CoverageList:
    """When each cylinder's or key's memory was last read completely, and which rows are missing. Worst first."""
    locks: list[CylinderCoverage] = []
    found: list[KeyCoverage] = []
    rings = rings_of(web.services.settings.key_systems)
    async with web.services.database.read() as tx:
        if key is not None or what == "keys":
            only = [(await web.services.registry.get_key(tx, key)).id] if key is not None else None
            found = await keys(tx, web.now, only=only)
        else:
            one = [(await get_cylinder(tx, lock)).id] if lock is not None else None
            locks = await cylinders(tx, web.now, zone=zone, unit=unit, only=one)
        stood = [line.standing for line in locks] + [line.standing for line in found]
        locks = [line for line in locks if standing in {None, line.standing}][:limit]
        found = [line for line in found if standing in {None, line.standing}][:limit]
        locks = await foretold(tx, locks, rings, web.now)
        found = await foretold_keys(tx, found, rings, web.now)
    counts = {str(each): stood.count(each) for each in STANDINGS}
    return CoverageList(
        web.now,
        int(CLOCK_MARGIN.total_seconds()),
        counts,
        [_cylinder(line) for line in locks],
        [_key(line) for line in found],
    )


def _cylinder(line: CylinderCoverage) -> CoveredCylinder:
    return CoveredCylinder(
        line.lock, line.cylinder_id, line.zone, line.area, line.unit, line.access_point, line.system,
        _coverage(line.coverage, line.standing), _forecast(line.forecast), _forecast(line.foreign),
    )  # fmt: skip


def _key(line: KeyCoverage) -> CoveredKey:
    return CoveredKey(
        line.key, line.key_id, line.system, _coverage(line.coverage, line.standing), _forecast(line.forecast)
    )


def _forecast(found: Forecast) -> ForecastOut:
    a_day = round(found.rows_a_day, 2) if found.rows_a_day is not None else None
    return ForecastOut(found.expected_at, a_day)


def _coverage(found: Coverage, standing: Standing) -> CoverageOut:
    return CoverageOut(
        standing,
        found.read_up_to,
        found.whole_since,
        [SpanOut(each.start, each.end) for each in found.spans],
        [GapOut(each.after, each.before, each.rows, each.lost) for each in found.gaps],
        found.restarted,
    )


@get(
    "/api/v1/coverage/route",
    permission=Permission.KEYS_EVENT_READ,
    tags=["keys"],
    summary="In which order to read cylinders",
)
async def route(web: WebPart, zone: OptionalName = None, unit: OptionalName = None) -> RouteOut:
    """The cylinders that have to be read, as one walk: not known, not read for long, or about to lose rows."""
    async with web.services.database.read() as tx:
        found = await collection_route(tx, web, zone=zone, unit=unit)
    return RouteOut(web.now, len(found.lines), walk_out(found.walk))


HANDLERS = (coverage, route)
