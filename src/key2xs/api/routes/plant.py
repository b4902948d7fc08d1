"""Cylinders and access points, and the question who can open one."""

from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import get
from litestar.params import QueryParameter

from key2xs.access import Permission
from key2xs.api.paging import USUAL_PAGE, At, Cursor, Limit, Name, after, next_cursor
from key2xs.api.web import Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId
from key2xs.keys.reads import SystemAge, system_ages
from key2xs.keys.types import MayOpen
from key2xs.plant import (
    Cylinder,
    find_access_point,
    get_cylinder,
    list_access_points,
    list_cylinders,
    search_cylinders,
)
from key2xs.plant.lookup import NamedCylinder, name_cylinder

# A key system whose log was not read for longer may have seen openings we know nothing of; pulls run every 30 s.
STALE_LOG: Final = timedelta(minutes=5)
STALE_LISTING: Final = timedelta(hours=3)  # listings run hourly; one may fail


class CylinderOut(msgspec.Struct, frozen=True):
    """A lock core: what is printed on it, where it is, how critical, and whether it bars a way out."""

    id: UUID
    marking: str
    vendor: str
    external_id: str
    type: str
    online: bool
    access_point: UUID
    access_point_code: str
    access_point_name: str
    area: str
    unit: str | None
    zone: str
    criticality: int
    zone_mode: str
    egress_free: str
    safety_role: str


class CylinderPage(msgspec.Struct, frozen=True):
    """Cylinders, a page of them."""

    items: list[CylinderOut]
    next: str | None = None


class AccessPointOut(msgspec.Struct, frozen=True):
    """A gate, door, cabinet or valve lock, and the cylinders on it."""

    id: UUID
    code: str
    name: str
    kind: str
    area: str
    unit: str | None
    lat: float | None
    lon: float | None
    cylinders: list[CylinderOut] = []


class AccessPointPage(msgspec.Struct, frozen=True):
    """Access points, a page of them, without their cylinders."""

    items: list[AccessPointOut]
    next: str | None = None


class ExposureShort(msgspec.Struct, frozen=True):
    """Until when a key could still open at the latest; `at` null: nothing ends it by itself."""

    kind: str
    """proven_end, still_allowed, bound or no_bound"""
    at: datetime | None


class Opener(msgspec.Struct, frozen=True):
    """One key that could open. `holder` is a person's id, never a name; `until` is the end of the grant."""

    key: str
    holder: UUID | None
    basis: str | None
    grant: UUID | None
    until: datetime | None
    exposure: ExposureShort


class Unseen(msgspec.Struct, frozen=True):
    """Something that cannot be seen, so that the answer may be missing keys."""

    system: str
    why: str
    as_of: datetime | None


class WhoCanOpen(msgspec.Struct, frozen=True):
    """All keys known to Key2XS that could open a cylinder at an instant, as known at `as_of`.

    Mechanical keys, programming keys and a door left unlocked are not in any key system and never in this answer.
    """

    cylinder: str
    at: datetime
    as_of: datetime | None
    can_open: list[Opener]
    unknown: list[Unseen]


@get(
    "/api/v1/cylinders",
    permission=Permission.PLANT_CYLINDER_READ,
    tags=["plant"],
    summary="Cylinders, all or by text",
)
async def cylinders(
    web: WebPart,
    q: Annotated[
        str | None, QueryParameter(max_length=100, description="Part of a stamp or access point.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = USUAL_PAGE,
) -> CylinderPage:
    """All cylinders a page at a time, or those whose stamp, vendor id or access point contains `q`."""
    async with web.services.database.read() as tx:
        if q is not None and q.strip():
            return CylinderPage([cylinder_out(each) for each in await search_cylinders(tx, q, limit=limit)])
        start = after(cursor)
        found = await list_cylinders(tx, after=CylinderId(start) if start else None, limit=limit)
    return CylinderPage(
        [cylinder_out(each) for each in found], next_cursor(found, limit, lambda each: each.id)
    )


@get(
    "/api/v1/cylinders/{name:str}",
    permission=Permission.PLANT_CYLINDER_READ,
    tags=["plant"],
    summary="One cylinder by id, stamp or vendor id",
)
async def cylinder(web: WebPart, name: Name) -> CylinderOut:
    """One cylinder."""
    async with web.services.database.read() as tx:
        return cylinder_out(await get_cylinder(tx, name))


@get(
    "/api/v1/cylinders/{name:str}/who-can-open",
    permission=Permission.KEYS_EXPOSURE_READ,
    tags=["answers"],
    summary="Who can open this cylinder, and why",
)
async def who_can_open(web: WebPart, name: Name, at: At = None) -> WhoCanOpen:
    """Who could open a cylinder now or at a past instant; includes keys whose grant is over but not proven gone."""
    instant = web.instant(at)
    async with web.services.database.read() as tx:
        return await openers_of(tx, web, await name_cylinder(tx, name), instant)


@get(
    "/api/v1/access-points",
    permission=Permission.PLANT_CYLINDER_READ,
    tags=["plant"],
    summary="Access points",
)
async def access_points(web: WebPart, cursor: Cursor = None, limit: Limit = USUAL_PAGE) -> AccessPointPage:
    """All access points, a page at a time."""
    async with web.services.database.read() as tx:
        found = await list_access_points(tx, after=after(cursor), limit=limit)  # type: ignore[arg-type]
    items = [AccessPointOut(p.id, p.code, p.name, p.kind, p.area, p.unit, p.lat, p.lon) for p in found]
    return AccessPointPage(items, next_cursor(found, limit, lambda each: each.id))


@get(
    "/api/v1/access-points/{name:str}",
    permission=Permission.PLANT_CYLINDER_READ,
    tags=["plant"],
    summary="One access point by id or code",
)
async def access_point(web: WebPart, name: Name) -> AccessPointOut:
    """One access point with its cylinders."""
    async with web.services.database.read() as tx:
        point = await find_access_point(tx, name)
        if point is None:
            raise NotFound(f"no access point {name}")
        on_it = await list_cylinders(tx, access_point_id=point.id)
    return AccessPointOut(
        point.id, point.code, point.name, point.kind, point.area, point.unit, point.lat, point.lon,
        [cylinder_out(each) for each in on_it],
    )  # fmt: skip


async def openers_of(tx: Connection, web: Web, found: NamedCylinder, at: datetime) -> WhoCanOpen:
    """Answer who could open one cylinder at an instant."""
    rows = await web.services.openers.may_open(tx, found.id, at)
    systems = [age for age in await system_ages(tx) if age.vendor == found.vendor]
    return WhoCanOpen(
        cylinder=found.marking,
        at=at,
        as_of=_oldest(systems),
        can_open=[_opener(row) for row in rows],
        unknown=unseen(systems, found.vendor, web.now),
    )


def unseen(systems: list[SystemAge], vendor: str, now: datetime) -> list[Unseen]:
    """Name everything that keeps an answer from being complete."""
    if not systems:
        return [Unseen(vendor, "no key system of this vendor is connected", None)]
    found = []
    for age in systems:
        if age.listed_at is None:
            found.append(Unseen(age.name, "was never listed", None))
        elif now - age.listed_at > STALE_LISTING:
            found.append(Unseen(age.name, "was not listed for a while", age.listed_at))
        elif not age.visibility_complete:
            found.append(Unseen(age.name, "does not show us all its rights", age.listed_at))
        if age.log_read_at is None:
            found.append(Unseen(age.name, "its log was never read to the end", None))
        elif now - age.log_read_at > STALE_LOG:
            found.append(Unseen(age.name, "its log was not read for a while", age.log_read_at))
    return found


def cylinder_out(found: Cylinder) -> CylinderOut:
    """Describe a cylinder."""
    return CylinderOut(
        id=found.id,
        marking=found.marking,
        vendor=found.vendor,
        external_id=found.external_id,
        type=found.cylinder_type,
        online=found.online,
        access_point=found.access_point_id,
        access_point_code=found.access_point,
        access_point_name=found.access_point_name,
        area=found.area,
        unit=found.unit,
        zone=found.zone,
        criticality=found.criticality,
        zone_mode=found.zone_mode,
        egress_free=found.egress_free,
        safety_role=found.safety_role,
    )


def _oldest(systems: list[SystemAge]) -> datetime | None:
    """Return how old the answer is: as old as the oldest reading it rests on; None where there is none."""
    ages = [age for system in systems for age in (system.listed_at, system.log_read_at)]
    known = [age for age in ages if age is not None]
    return min(known) if known and len(known) == len(ages) else None


def _opener(row: MayOpen) -> Opener:
    return Opener(
        key=row.stamp,
        holder=row.person_id,
        basis=row.basis,
        grant=row.grant_id,
        until=row.allowed_until,
        exposure=ExposureShort(row.kind, row.exposed_until),
    )


HANDLERS = (cylinders, cylinder, who_can_open, access_points, access_point)
