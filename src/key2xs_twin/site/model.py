"""What a synthetic site consists of: plain frozen records, one per row of the import files plus what only the twin knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from key2xs_twin.cliq.inventory import CliqSite
    from key2xs_twin.iloq.inventory import IloqSite


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. The three sizes are estimates after public figures of Rotterdam refineries."""

    areas: int
    units: int
    tanks: int
    berths: int
    substations: int
    perimeter: int  # cylinders on the fence line
    lock_boxes: int  # key cylinders in group lock boxes, part of the unit cylinders
    own_people: int
    extra_people: int  # additional people during a stop
    firms: int
    operators_on_shift: int
    maintenance: int
    keys: int  # iLOQ
    metal_keys: int  # of them
    cliq_keys: int

    @property
    def cylinders(self) -> int:
        """Count by the scale formula: units x 30 + tanks x 3 + berths x 4 + substations x 6 + perimeter."""
        return self.units * 30 + self.tanks * 3 + self.berths * 4 + self.substations * 6 + self.perimeter


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the site with its own control room."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A process unit; duty roles are held per unit."""

    code: str
    name: str
    area: str


@dataclass(frozen=True, slots=True)
class Zone:
    """A security zone: a partition of the cylinders with one criticality (1 low .. 4 highest)."""

    code: str
    name: str
    criticality: int


@dataclass(frozen=True, slots=True)
class Asset:
    """A plant item under its native code (SAP functional location, at most 30 characters)."""

    scheme: str
    id: str
    name: str
    parent_id: str
    unit: str


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """The cabinet, door or valve lock on an asset; it carries one or more cylinders, or none (mechanical lock)."""

    id: str
    name: str
    kind: str
    area: str
    unit: str
    asset_scheme: str
    asset_id: str
    lat: str
    lon: str


@dataclass(frozen=True, slots=True)
class Cylinder:
    """One lock core. `id` is the vendor's lock id; the last three fields are physics that no import file tells."""

    id: str
    marking: str
    cylinder_type: str
    access_point_id: str
    unit: str
    zone: str
    criticality: int
    safety_role: str  # none, isolation, emergency, lock_box, egress
    egress_free: str  # y, n, or empty for unknown
    zone_ex: str  # explosion zone 0, 1, 2 or empty
    online: bool
    has_clock: bool  # a CLIQ cylinder has none: the key judges
    honours_limits: bool  # false: the lock ignores the key's time limits, so an end date is no bound there
    vendor: str = "iloq"  # iloq, cliq


@dataclass(frozen=True, slots=True)
class AssetCylinder:
    """An asset and a cylinder that matters for work on it."""

    asset_scheme: str
    asset_id: str
    cylinder_id: str
    role: str  # perimeter, room, isolation, content


@dataclass(frozen=True, slots=True)
class Company:
    """An employer; the operator itself is `own`."""

    ref: str
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    """An invented person. `scheme` says where the record comes from: iam (by SCIM) or personnel_no (by file)."""

    ref: str
    scheme: str
    personnel_no: str
    given_name: str
    family_name: str
    company: str
    role: str
    team: str  # A..E for shift workers, otherwise empty
    contract_start: date | None
    contract_end: date | None
    sponsor: str  # IAM id of the own employee who answers for a contractor


@dataclass(frozen=True, slots=True)
class Qualification:
    """A proof that somebody checked; never a copy of a diploma."""

    person_scheme: str
    person_ref: str
    kind: str
    number: str
    valid_to: date
    checked_at: date
    checked_by: str


@dataclass(frozen=True, slots=True)
class Shift:
    """One team's turn."""

    team: str
    name: str  # early, late, night
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """A role that a person holds for one unit during one shift."""

    person_scheme: str
    person_ref: str
    role: str
    unit: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Key:
    """A key medium. `holder` is the IAM id of the person the vendor's system names, empty for pool keys."""

    id: str
    stamp: str
    kind: str  # phone, fob, metal; CLIQ: dynamic, connect, normal
    purpose: str  # personal, pool, emergency, fire_brigade
    holder: str


@dataclass(frozen=True, slots=True)
class CylinderGroup:
    """CLIQ cylinders that are one entry in a key."""

    id: str
    name: str
    cylinder_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Updater:
    """A box at which CLIQ keys are updated; `place` is an access point or a room."""

    id: str
    kind: str  # wall, desk, mobile, phone
    place: str


@dataclass(frozen=True, slots=True)
class ProgrammingKey:
    """A CLIQ programming key and the IAM id of its keeper."""

    id: str
    serial: str
    holder: str


@dataclass(frozen=True, slots=True)
class VendorRight:
    """A vendor access right and the locks that accept it; `api` rights may be written through the interface."""

    id: str
    name: str
    api: bool
    cylinder_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """Everything about one synthetic site; made by `generate_site`."""

    size: str
    seed: int
    code: str
    time_zone: str
    locking_system_id: str
    first_day: date
    days: int
    areas: tuple[Area, ...]
    units: tuple[Unit, ...]
    zones: tuple[Zone, ...]
    assets: tuple[Asset, ...]
    access_points: tuple[AccessPoint, ...]
    cylinders: tuple[Cylinder, ...]
    asset_cylinders: tuple[AssetCylinder, ...]
    companies: tuple[Company, ...]
    people: tuple[Person, ...]
    qualifications: tuple[Qualification, ...]
    shifts: tuple[Shift, ...]
    duties: tuple[Duty, ...]
    keys: tuple[Key, ...]
    rights: tuple[VendorRight, ...]
    cliq_system: str  # the name of the CLIQ locking system
    cliq_groups: tuple[CylinderGroup, ...]
    cliq_keys: tuple[Key, ...]
    updaters: tuple[Updater, ...]
    programming_keys: tuple[ProgrammingKey, ...]

    def people_with_role(self, role: str) -> tuple[Person, ...]:
        """The people of one role, in the order of their refs."""
        return tuple(person for person in self.people if person.role == role)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """IAM group name -> IAM ids; what an identity system would push as SCIM groups."""
        members: dict[str, list[str]] = {}
        for person in self.people:
            if person.scheme == "iam":
                members.setdefault(f"key2xs-{person.role.replace('_', '-')}", []).append(person.ref)
        return {name: tuple(refs) for name, refs in sorted(members.items())}

    def cylinders_of(self, access_point_id: str) -> tuple[Cylinder, ...]:
        """The cylinders on one access point."""
        return tuple(c for c in self.cylinders if c.access_point_id == access_point_id)

    def locking_system_of(self, cylinder: Cylinder) -> str:
        """The id of the locking system that a cylinder belongs to."""
        return self.cliq_system if cylinder.vendor == "cliq" else self.locking_system_id

    def iloq_inventory(self) -> IloqSite:
        """What the simulated iLOQ locking system of this site holds on day one."""
        from .inventory import iloq_inventory  # the inventory knows the site, not the other way round

        return iloq_inventory(self)

    def cliq_inventory(self) -> CliqSite:
        """What the simulated CLIQ locking system of this site holds on day one."""
        from .inventory_cliq import cliq_inventory

        return cliq_inventory(self)
