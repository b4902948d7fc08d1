"""What other rooms ask the plant, and the one dangerous switch: a security zone's mode."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from key2xs.core.clock import require_utc
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import AccessPointId, AreaId, AssetId, CylinderId, UnitId, ZoneId, parse_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger, typed

from .codes import normalise
from .types import (
    AccessPoint,
    Area,
    Asset,
    AssetMapping,
    Cylinder,
    CylinderFacts,
    MappedCylinder,
    Unit,
    Unmapped,
    Zone,
    ZoneChange,
    ZoneMode,
)
from .writer import put_zone_fact

_SQL = load_queries("key2xs.plant")
_MODES = get_args(ZoneMode)
_PAGE = 500  # rows a list gives at most unless asked for fewer or more
ACCESS_POINT = "access_point"  # the scheme under which unmapped access points are reported


async def set_zone_mode(
    tx: Connection,
    ledger: Ledger,
    zone_id: ZoneId,
    *,
    mode: ZoneMode,
    actor: str,
    at: datetime,
    reason: str,
    confirmed_by: str | None = None,
) -> int:
    """Switch a zone between observe, advise and enforce, and return the entry's number.

    `confirmed_by` is the second person where the site asks for one; the caller checks whether it must.

    Raises:
        InvalidInput: no such mode, no reason, or the second person is the first.
        Conflict: the zone has that mode already.
        NotFound: no such zone.
    """
    if mode not in _MODES:
        raise InvalidInput("mode", f"must be one of {', '.join(_MODES)}")
    if not reason.strip():
        raise InvalidInput("reason", "is empty")
    if confirmed_by == actor:
        raise InvalidInput("confirmed_by", "must be a second person")
    at = require_utc(at)
    await ledger.lock_heads(tx, [f"zone:{zone_id}"])
    zone = await get_zone(tx, zone_id)
    if zone.mode == mode:
        raise Conflict(f"zone {zone.code} is in mode {mode} already")
    if mode != "observe":
        await ledger.require_widening(tx)
    entry = Entry(
        kind="plant:zone:mode",
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=(f"zone:{zone_id}",),
        heads=(f"zone:{zone_id}",),
        body={
            "zone": zone.code,
            "before": zone.mode,
            "after": mode,
            "reason": typed(actor, reason.strip()),
            "confirmed_by": confirmed_by,
        },
    )
    number = await ledger.record(tx, entry)
    await put_zone_fact(tx, zone_id, number, criticality=None, mode=mode, at=at)
    return number


async def list_areas(tx: Connection) -> list[Area]:
    """Return all areas by code."""
    return [Area(**row) for row in await tx.fetch(_SQL["list_areas"])]


async def list_units(tx: Connection) -> list[Unit]:
    """Return all units by code."""
    return [Unit(**row) for row in await tx.fetch(_SQL["list_units"])]


async def find_area(tx: Connection, code: str) -> Area | None:
    """Return the area of that code, None when there is none or several look alike."""
    row = _only(await tx.fetch(_SQL["find_area"], code, normalise(code)), code)
    return Area(**row) if row else None


async def find_unit(tx: Connection, code: str) -> Unit | None:
    """Return the unit of that code, None when there is none or several look alike."""
    row = _only(await tx.fetch(_SQL["find_unit"], code, normalise(code)), code)
    return Unit(**row) if row else None


async def list_zones(tx: Connection, *, at: datetime | None = None) -> list[Zone]:
    """Return all security zones by code, as they are at `at` (None: by the newest facts)."""
    return [Zone(**row) for row in await tx.fetch(_SQL["list_zones"], at, None)]


async def get_zone(tx: Connection, zone_id: ZoneId, *, at: datetime | None = None) -> Zone:
    """Return one security zone.

    Raises:
        NotFound: no such zone, or not yet one at `at`.
    """
    row = await tx.fetchrow(_SQL["list_zones"], at, zone_id)
    if row is None:
        raise NotFound(f"no security zone {zone_id}")
    return Zone(**row)


async def zone_history(tx: Connection, zone_id: ZoneId) -> list[ZoneChange]:
    """Return the modes a zone had, oldest first."""
    return [ZoneChange(**row) for row in await tx.fetch(_SQL["zone_history"], zone_id)]


async def get_asset(tx: Connection, asset_id: AssetId) -> Asset:
    """Return one asset.

    Raises:
        NotFound: no such asset.
    """
    row = await tx.fetchrow(_SQL["get_asset"], asset_id)
    if row is None:
        raise NotFound(f"no asset {asset_id}")
    return Asset(**row)


async def assets_of_cylinder(
    tx: Connection, cylinder_id: CylinderId, *, at: datetime | None = None
) -> list[Asset]:
    """Return the assets a cylinder serves."""
    return [Asset(**row) for row in await tx.fetch(_SQL["assets_of_cylinder"], cylinder_id, at)]


async def cylinders_of_assets(
    tx: Connection, codes: Iterable[tuple[str, str]], *, at: datetime | None = None
) -> AssetMapping:
    """Turn (scheme, code) pairs into cylinders by the links that hold at `at`.

    Only direct links count: a parent's or child's cylinders are not taken over, because nobody said so. A code that
    fits several assets is unmapped, like one that fits none.
    """
    wanted = list(dict.fromkeys(codes))
    assets, unmapped = await _resolve_assets(tx, wanted)
    links: dict[UUID, list[MappedCylinder]] = {}
    for row in await tx.fetch(_SQL["cylinders_of_assets"], list(assets.values()), at):
        links.setdefault(row["asset_id"], []).append(MappedCylinder(row["cylinder_id"], row["role"]))
    found = {}
    for code, asset_id in assets.items():
        if asset_id in links:
            found[code] = tuple(links[asset_id])
        else:
            unmapped.append(Unmapped(*code, "no_cylinder"))
    heads = tuple(sorted({f"asset:{asset_id}" for asset_id in assets.values()}))
    return AssetMapping(found, tuple(unmapped), heads)


async def cylinders_of_access_points(
    tx: Connection, points: Iterable[AccessPointId | str], *, at: datetime | None = None
) -> AssetMapping:
    """Turn access points, by id or by code, into the cylinders that sit at them at `at`.

    The answer has the scheme `access_point`, and "content" as every cylinder's role.
    """
    wanted = list(dict.fromkeys(str(point) for point in points))
    known, unmapped = await _resolve_points(tx, wanted)
    cylinders: dict[UUID, list[MappedCylinder]] = {}
    for row in await tx.fetch(_SQL["cylinders_of_access_points"], list(known.values()), at):
        cylinders.setdefault(row["access_point_id"], []).append(MappedCylinder(row["cylinder_id"], "content"))
    found = {}
    for code, point_id in known.items():
        if point_id in cylinders:
            found[ACCESS_POINT, code] = tuple(cylinders[point_id])
        else:
            unmapped.append(Unmapped(ACCESS_POINT, code, "no_cylinder"))
    return AssetMapping(
        found, tuple(unmapped), tuple(sorted(f"access_point:{made}" for made in known.values()))
    )


async def cylinder_facts(
    tx: Connection, ids: Iterable[CylinderId], *, at: datetime | None = None, known_at: int | None = None
) -> dict[CylinderId, CylinderFacts]:
    """Return what decisions read about cylinders at `at`, as known now or as known at an entry's number.

    A cylinder that is missing from the answer has no facts then: whoever asks must treat it as unknown.
    """
    rows = await tx.fetch(_SQL["cylinder_facts"], list(ids), at, known_at)
    return {row["cylinder_id"]: _facts(row) for row in rows}


async def list_cylinders(
    tx: Connection,
    *,
    ids: Sequence[CylinderId] | None = None,
    zone_id: ZoneId | None = None,
    access_point_id: AccessPointId | None = None,
    after: CylinderId | None = None,
    limit: int = _PAGE,
) -> list[Cylinder]:
    """Return cylinders in the order of their ids, a page at a time."""
    wanted = list(ids) if ids is not None else None
    rows = await tx.fetch(_SQL["list_cylinders"], wanted, zone_id, access_point_id, None, after, limit)
    return [Cylinder(**row) for row in rows]


async def find_cylinder(tx: Connection, name: CylinderId | str) -> Cylinder | None:
    """Return the cylinder with that id, stamp or vendor id.

    Raises:
        Conflict: the stamp or vendor id belongs to several cylinders.
    """
    made = name if isinstance(name, UUID) else parse_id(name)
    if made is not None:
        row = await tx.fetchrow(_SQL["list_cylinders"], [made], None, None, None, None, 1)
        if row is not None:
            return Cylinder(**row)
    rows = await tx.fetch(_SQL["list_cylinders"], None, None, None, str(name), None, 2)
    if len(rows) > 1:
        raise Conflict(f"several cylinders are called {name}; use the id")
    return Cylinder(**rows[0]) if rows else None


async def get_cylinder(tx: Connection, name: CylinderId | str) -> Cylinder:
    """Return the cylinder with that id, stamp or vendor id.

    Raises:
        NotFound: no such cylinder.
        Conflict: the stamp or vendor id belongs to several cylinders.
    """
    found = await find_cylinder(tx, name)
    if found is None:
        raise NotFound(f"no cylinder {name}")
    return found


async def search_cylinders(tx: Connection, text: str, *, limit: int = 20) -> list[Cylinder]:
    """Return cylinders whose stamp, vendor id or access point contains `text`."""
    ids = [row["id"] for row in await tx.fetch(_SQL["search_cylinders"], text.strip(), limit)]
    return sorted(await list_cylinders(tx, ids=ids, limit=limit), key=lambda cylinder: cylinder.marking)


async def cylinders_of_area(tx: Connection, area_id: AreaId) -> list[CylinderId]:
    """Return the cylinders that lie in an area."""
    return [row["cylinder_id"] for row in await tx.fetch(_SQL["cylinders_of_area"], area_id)]


async def cylinders_of_unit(
    tx: Connection, unit_id: UnitId, *, at: datetime | None = None
) -> list[CylinderId]:
    """Return the cylinders at access points of a unit, at `at` or now."""
    return [row["cylinder_id"] for row in await tx.fetch(_SQL["cylinders_of_unit"], unit_id, at)]


async def list_access_points(
    tx: Connection,
    *,
    ids: Collection[AccessPointId] | None = None,
    after: AccessPointId | None = None,
    limit: int = _PAGE,
) -> list[AccessPoint]:
    """Return access points in the order of their ids, a page at a time."""
    wanted = None if ids is None else list(ids)
    rows = await tx.fetch(_SQL["list_access_points"], wanted, None, after, limit)
    return [AccessPoint(**row) for row in rows]


async def find_access_point(tx: Connection, name: AccessPointId | str) -> AccessPoint | None:
    """Return the access point with that id or code."""
    made = name if isinstance(name, UUID) else parse_id(name)
    row = await tx.fetchrow(
        _SQL["list_access_points"], [made] if made else None, None if made else str(name), None, 1
    )
    return AccessPoint(**row) if row else None


async def _resolve_assets(
    tx: Connection, wanted: Sequence[tuple[str, str]]
) -> tuple[dict[tuple[str, str], UUID], list[Unmapped]]:
    schemes = [scheme.casefold() for scheme, _ in wanted]
    codes = [code for _, code in wanted]
    fits: dict[tuple[str, str], list[Any]] = {}
    for row in await tx.fetch(_SQL["find_assets"], schemes, codes, [normalise(code) for code in codes]):
        fits.setdefault((row["scheme"], row["wanted"]), []).append(row)
    found: dict[tuple[str, str], UUID] = {}
    unmapped = []
    for scheme, code in wanted:
        made = _choose(fits.get((scheme.casefold(), code), []), code)
        if isinstance(made, UUID):
            found[scheme, code] = made
        else:
            unmapped.append(Unmapped(scheme, code, made))
    return found, unmapped


async def _resolve_points(tx: Connection, wanted: Sequence[str]) -> tuple[dict[str, UUID], list[Unmapped]]:
    found: dict[str, UUID] = {}
    codes = []
    for name in wanted:
        made = parse_id(name)
        if made is not None:
            found[name] = made
        else:
            codes.append(name)
    fits: dict[str, list[Any]] = {}
    for row in await tx.fetch(_SQL["find_access_points"], codes, [normalise(code) for code in codes]):
        fits.setdefault(row["wanted"], []).append(row)
    unmapped = []
    for code in codes:
        chosen = _choose(fits.get(code, []), code)
        if isinstance(chosen, UUID):
            found[code] = chosen
        else:
            unmapped.append(Unmapped(ACCESS_POINT, code, chosen))
    return found, unmapped


def _choose(rows: Sequence[Any], code: str) -> Any:
    """Return the id of the exact match or of the only near one, else why there is none."""
    ids = {row["id"] for row in rows}
    exact = [row["id"] for row in rows if row["code"] == code]
    if exact:
        return exact[0]
    if not ids:
        return "unknown"
    return ids.pop() if len(ids) == 1 else "ambiguous"


def _only(rows: Sequence[Any], code: str) -> Any:
    if rows and (len(rows) == 1 or rows[0]["code"] == code):
        return rows[0]
    return None


def _facts(row: Any) -> CylinderFacts:
    return CylinderFacts(
        cylinder_id=row["cylinder_id"],
        criticality=row["criticality"],
        zone_id=row["zone_id"],
        zone=row["zone"],
        zone_mode=row["mode"],
        egress_free=row["egress_free"],
        safety_role=row["safety_role"],
        unit_id=row["unit_id"],
        access_point_id=row["access_point_id"],
        # Only what policies read; the unit is matched outside, so it does not split a class.
        class_key=f"c{row['criticality']}/{row['zone']}/{row['egress_free']}/{row['safety_role']}",
        heads=(
            f"access_point:{row['access_point_id']}",
            f"cylinder:{row['cylinder_id']}",
            f"zone:{row['zone_id']}",
        ),
    )
