"""Evidence coverage: how far the memories of cylinders and keys were read."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get
from litestar.params import QueryParameter

from key2xs.access import Permission
from key2xs.api.paging import USUAL_PAGE, Limit, OptionalName
from key2xs.api.web import WebPart
from key2xs.keys.coverage.reads import CLOCK_MARGIN, CylinderCoverage, KeyCoverage, cylinders, keys
from key2xs.keys.coverage.rules import STANDINGS, Coverage, Standing
from key2xs.plant import get_cylinder


class SpanOut(msgspec.Struct, frozen=True):
    """Time of which every row is here."""

    start: datetime
    end: datetime


class GapOut(msgspec.Struct, frozen=True):
    """Rows that were written and are not here. `rows` null: nobody can say how many, perhaps none."""

    after: datetime | None
    before: datetime
    rows: int | None


class CoverageOut(msgspec.Struct, frozen=True):
    """How far something was read. *No opening* holds inside a span and nowhere else."""

    standing: Standing
    read_up_to: datetime | None
    whole_since: datetime | None
    spans: list[SpanOut]
    gaps: list[GapOut]
    numbers_restarted: bool


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


class CoveredKey(msgspec.Struct, frozen=True):
    """A key and how far its openings are known."""

    key: str
    key_id: UUID
    system: str
    coverage: CoverageOut


class CoverageList(msgspec.Struct, frozen=True):
    """Cylinders or keys, the worst first; `counts` are of all of them, also of those beyond `limit`."""

    at: datetime
    clock_margin_seconds: int
    counts: dict[str, int]
    cylinders: list[CoveredCylinder]
    keys: list[CoveredKey]


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
    async with web.services.database.read() as tx:
        if key is not None or what == "keys":
            only = [(await web.services.registry.get_key(tx, key)).id] if key is not None else None
            found = await keys(tx, web.now, only=only)
        else:
            one = [(await get_cylinder(tx, lock)).id] if lock is not None else None
            locks = await cylinders(tx, web.now, zone=zone, unit=unit, only=one)
    stood = [line.standing for line in locks] + [line.standing for line in found]
    counts = {str(each): stood.count(each) for each in STANDINGS}
    return CoverageList(
        web.now,
        int(CLOCK_MARGIN.total_seconds()),
        counts,
        [_cylinder(line) for line in locks if standing in {None, line.standing}][:limit],
        [_key(line) for line in found if standing in {None, line.standing}][:limit],
    )


def _cylinder(line: CylinderCoverage) -> CoveredCylinder:
    return CoveredCylinder(
        line.lock, line.cylinder_id, line.zone, line.area, line.unit, line.access_point, line.system,
        _coverage(line.coverage, line.standing),
    )  # fmt: skip


def _key(line: KeyCoverage) -> CoveredKey:
    return CoveredKey(line.key, line.key_id, line.system, _coverage(line.coverage, line.standing))


def _coverage(found: Coverage, standing: Standing) -> CoverageOut:
    return CoverageOut(
        standing,
        found.read_up_to,
        found.whole_since,
        [SpanOut(each.start, each.end) for each in found.spans],
        [GapOut(each.after, each.before, each.rows) for each in found.gaps],
        found.restarted,
    )


HANDLERS = (coverage,)
