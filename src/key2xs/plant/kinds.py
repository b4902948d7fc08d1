"""The kinds of plant files: what each row means.

A kind knows its columns, reads one row into an `Item`, and names the statements that add and change the record.
It decides nothing about the run as a whole; that is `importer.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args
from uuid import UUID

from key2xs.core.errors import InvalidInput
from key2xs.core.imports import Row

from .cells import coordinate, one_of, optional, required, whole_number, yes_no_unknown, yes_or_no
from .codes import normalise
from .types import MOST_CRITICAL, AccessPointKind, CylinderType, LinkRole, SafetyRole

Key = tuple[str, ...]

_KINDS = get_args(AccessPointKind)
_CYLINDER_TYPES = get_args(CylinderType)
_LINK_ROLES = get_args(LinkRole)
_SAFETY_ROLES = get_args(SafetyRole)


@dataclass(frozen=True, slots=True)
class Item:
    """One record as a file describes it: its natural key and the values that may differ from what is stored."""

    key: Key
    values: Mapping[str, Any]

    @property
    def label(self) -> str:
        """How a report names the record."""
        return " ".join(part for part in self.key if part)


@dataclass(slots=True)
class References:
    """Everything a row may refer to, by code; grows while a file is read, so that rows may build on each other."""

    areas: dict[str, UUID] = field(default_factory=dict)
    units: dict[str, tuple[UUID, UUID]] = field(default_factory=dict)
    """code -> (unit, its area)."""
    zones: dict[str, tuple[UUID, int]] = field(default_factory=dict)
    """code -> (zone, its criticality)."""
    assets: dict[Key, UUID] = field(default_factory=dict)
    access_points: dict[str, tuple[UUID, str]] = field(default_factory=dict)
    """code -> (access point, its kind)."""
    cylinders: dict[Key, UUID] = field(default_factory=dict)
    """(locking system, cylinder id) -> cylinder."""

    def cylinder(self, row: Row) -> UUID:
        """Find the cylinder a row names; the locking system may be left out while the id is unique."""
        wanted, system = required(row, "cylinder_id"), optional(row, "locking_system")
        if system is not None:
            known: UUID = _find(self.cylinders, (system, wanted), "cylinder_id")
            return known
        found = [made for (_, external_id), made in self.cylinders.items() if external_id == wanted]
        if len(found) > 1:
            raise InvalidInput(
                "cylinder_id", "occurs in several locking systems; add the column locking_system"
            )
        if not found:
            raise InvalidInput("cylinder_id", "is not known")
        return found[0]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file."""

    name: str
    noun: str
    """The subject's noun in the log."""
    read: Callable[[Row, References], Item]
    remember: Callable[[References, Item, UUID], None]


def _find(known: Mapping[Any, Any], code: Any, field_name: str) -> Any:
    try:
        return known[code]
    except KeyError:
        raise InvalidInput(field_name, "is not known") from None


def _read_area(row: Row, _: References) -> Item:
    code = required(row, "code")
    return Item((code,), {"code_norm": normalise(code), "name": required(row, "name")})


def _read_unit(row: Row, refs: References) -> Item:
    code = required(row, "code")
    area_id = _find(refs.areas, required(row, "area"), "area")
    return Item((code,), {"code_norm": normalise(code), "name": required(row, "name"), "area_id": area_id})


def _read_zone(row: Row, _: References) -> Item:
    code = required(row, "code")
    criticality = whole_number(row, "criticality", 1, MOST_CRITICAL)
    return Item(
        (code,), {"code_norm": normalise(code), "name": required(row, "name"), "criticality": criticality}
    )


def _read_asset(row: Row, refs: References) -> Item:
    scheme, code = required(row, "scheme").casefold(), required(row, "id")
    parent, unit = optional(row, "parent_id"), optional(row, "unit")
    if parent == code:
        raise InvalidInput("parent_id", "names the asset itself")
    values = {
        "code_norm": normalise(code),
        "name": required(row, "name"),
        "parent_id": _find(refs.assets, (scheme, parent), "parent_id") if parent else None,
        "unit_id": _find(refs.units, unit, "unit")[0] if unit else None,
    }
    return Item((scheme, code), values)


def _read_access_point(row: Row, refs: References) -> Item:
    code, unit_code = required(row, "access_point_id"), optional(row, "unit")
    area_id = _find(refs.areas, required(row, "area"), "area")
    unit_id, unit_area = _find(refs.units, unit_code, "unit") if unit_code else (None, area_id)
    if unit_area != area_id:
        raise InvalidInput("unit", "lies in another area than the row says")
    values = {
        "code_norm": normalise(code),
        "name": required(row, "name"),
        "kind": one_of(row, "kind", _KINDS),
        "area_id": area_id,
        "unit_id": unit_id,
        "asset_id": _asset_of(row, refs),
        "lat": coordinate(row, "lat", 90),
        "lon": coordinate(row, "lon", 180),
    }
    return Item((code,), values)


def _read_cylinder(row: Row, refs: References) -> Item:
    system, external_id = required(row, "locking_system"), required(row, "cylinder_id")
    access_point_id, point_kind = _find(
        refs.access_points, required(row, "access_point_id"), "access_point_id"
    )
    zone_id, criticality = _find(refs.zones, required(row, "security_zone"), "security_zone")
    # What the row repeats about its access point and zone must agree: two files that differ are a mistake in one.
    if (kind := optional(row, "kind")) and kind.casefold() != point_kind:
        raise InvalidInput("kind", f"the access point is a {point_kind}")
    if optional(row, "criticality") and whole_number(row, "criticality", 1, MOST_CRITICAL) != criticality:
        raise InvalidInput("criticality", f"the security zone has criticality {criticality}")
    _asset_of(row, refs)
    values = {
        "vendor": required(row, "vendor").casefold(),
        "marking": optional(row, "marking") or external_id,
        "cylinder_type": one_of(row, "cylinder_type", _CYLINDER_TYPES, default="profile"),
        "online": yes_or_no(row, "online"),
        "zone_ex": optional(row, "zone_ex"),
        "access_point_id": access_point_id,
        "zone_id": zone_id,
        "egress_free": yes_no_unknown(row, "egress_free"),
        # Unknown is not "none": it keeps every rule that protects people switched on.
        "safety_role": one_of(row, "safety_role", _SAFETY_ROLES, default="unknown"),
    }
    return Item((system, external_id), values)


def _read_link(row: Row, refs: References) -> Item:
    scheme, code = required(row, "asset_scheme").casefold(), required(row, "asset_id")
    role = one_of(row, "role", _LINK_ROLES)
    ended = yes_no_unknown(row, "ended") == "yes"
    asset_id = _find(refs.assets, (scheme, code), "asset_id")
    cylinder_id = refs.cylinder(row)
    key = (scheme, code, required(row, "cylinder_id"), role)
    return Item(key, {"asset_id": asset_id, "cylinder_id": cylinder_id, "role": role, "ended": ended})


def _asset_of(row: Row, refs: References) -> UUID | None:
    """Return the asset a row stands at. It says where something is, never which permit opens it."""
    scheme, code = optional(row, "asset_scheme"), optional(row, "asset_id")
    if code is None:
        return None
    if scheme is None:
        raise InvalidInput("asset_scheme", "is empty although asset_id is not")
    found: UUID = _find(refs.assets, (scheme.casefold(), code), "asset_id")
    return found


def _remember_area(refs: References, item: Item, made: UUID) -> None:
    refs.areas[item.key[0]] = made


def _remember_unit(refs: References, item: Item, made: UUID) -> None:
    refs.units[item.key[0]] = (made, item.values["area_id"])


def _remember_zone(refs: References, item: Item, made: UUID) -> None:
    refs.zones[item.key[0]] = (made, item.values["criticality"])


def _remember_asset(refs: References, item: Item, made: UUID) -> None:
    refs.assets[item.key] = made


def _remember_access_point(refs: References, item: Item, made: UUID) -> None:
    refs.access_points[item.key[0]] = (made, item.values["kind"])


def _remember_cylinder(refs: References, item: Item, made: UUID) -> None:
    refs.cylinders[item.key] = made


def _remember_link(_: References, __: Item, ___: UUID) -> None:
    """Nothing refers to a link."""


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("areas", "area", _read_area, _remember_area),
        Kind("units", "unit", _read_unit, _remember_unit),
        Kind("zones", "zone", _read_zone, _remember_zone),
        Kind("assets", "asset", _read_asset, _remember_asset),
        Kind("access_points", "access_point", _read_access_point, _remember_access_point),
        Kind("cylinders", "cylinder", _read_cylinder, _remember_cylinder),
        Kind("asset_cylinders", "asset", _read_link, _remember_link),
    )
}
"""In the order in which a new site imports them."""
