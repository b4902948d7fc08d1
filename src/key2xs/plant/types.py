"""The nouns of the plant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from key2xs.core.ids import AccessPointId, AreaId, AssetId, CylinderId, UnitId, ZoneId
from key2xs.core.tri import Tri

ZoneMode: TypeAlias = Literal["observe", "advise", "enforce"]
"""observe: only look; advise: say what would be written; enforce: write to keys and locks."""

AccessPointKind: TypeAlias = Literal[
    "gate",
    "door",
    "substation",
    "cabinet",
    "valve_lock",
    "lock_box",
    "tank_dip",
    "manway",
    "jetty",
    "vehicle",
]
CylinderType: TypeAlias = Literal["profile", "half", "padlock", "cam", "cabinet"]
SafetyRole: TypeAlias = Literal["none", "isolation", "emergency", "lock_box", "egress", "unknown"]
LinkRole: TypeAlias = Literal["perimeter", "room", "isolation", "content"]
"""How a cylinder serves an asset: on the fence around it, on its room, on its isolation, or on the thing itself."""

UnmappedReason: TypeAlias = Literal["unknown", "ambiguous", "no_cylinder"]

MOST_CRITICAL = 4


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the site with its own area authority."""

    id: AreaId
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A process unit; it lies in one area."""

    id: UnitId
    code: str
    name: str
    area_id: AreaId


@dataclass(frozen=True, slots=True)
class Zone:
    """A security zone: a partition of cylinders with a criticality from 1 to 4."""

    id: ZoneId
    code: str
    name: str
    criticality: int
    mode: ZoneMode


@dataclass(frozen=True, slots=True)
class Asset:
    """A plant item under the code that some system gives it."""

    id: AssetId
    scheme: str
    code: str
    name: str
    parent_id: AssetId | None
    unit_id: UnitId | None


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """A gate, door, cabinet or valve lock; it carries one cylinder or several."""

    id: AccessPointId
    code: str
    name: str
    kind: AccessPointKind
    area_id: AreaId
    area: str
    unit_id: UnitId | None
    unit: str | None
    asset_id: AssetId | None
    lat: float | None
    lon: float | None


@dataclass(frozen=True, slots=True)
class Cylinder:
    """A lock core with everything a page or an answer says about it. `area`, `unit` and `zone` are codes."""

    id: CylinderId
    marking: str
    vendor: str
    locking_system: str
    external_id: str
    cylinder_type: CylinderType
    online: bool
    access_point_id: AccessPointId
    access_point: str
    access_point_name: str
    access_point_kind: AccessPointKind
    area: str
    unit_id: UnitId | None
    unit: str | None
    zone_id: ZoneId
    zone: str
    criticality: int
    zone_mode: ZoneMode
    egress_free: Tri
    safety_role: SafetyRole


@dataclass(frozen=True, slots=True)
class CylinderFacts:
    """What a decision reads about one cylinder, true at one instant.

    Cylinders with the same `class_key` are alike to every policy. `heads` are the subjects whose change makes
    these facts stale.
    """

    cylinder_id: CylinderId
    criticality: int
    zone_id: ZoneId
    zone: str
    zone_mode: ZoneMode
    egress_free: Tri
    safety_role: SafetyRole
    unit_id: UnitId | None
    access_point_id: AccessPointId
    class_key: str
    heads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MappedCylinder:
    """A cylinder that serves an asset, and how."""

    cylinder_id: CylinderId
    role: LinkRole


@dataclass(frozen=True, slots=True)
class Unmapped:
    """An asset or access point that could not be turned into cylinders: denied and reported, never guessed."""

    scheme: str
    code: str
    reason: UnmappedReason


@dataclass(frozen=True, slots=True)
class AssetMapping:
    """What a list of plant codes means in cylinders.

    `found` has a key for every code that maps to at least one cylinder; every other code is in `unmapped`. `heads`
    are the assets whose mapping was read.
    """

    found: dict[tuple[str, str], tuple[MappedCylinder, ...]]
    unmapped: tuple[Unmapped, ...]
    heads: tuple[str, ...] = ()

    @property
    def cylinders(self) -> frozenset[CylinderId]:
        """All cylinders of all codes."""
        return frozenset(link.cylinder_id for links in self.found.values() for link in links)


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """One mode a zone had, for the page that shows how it came to *enforce*."""

    mode: ZoneMode
    criticality: int
    since: datetime
    entry: int
