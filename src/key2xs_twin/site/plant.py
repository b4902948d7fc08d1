"""Build the plant: areas, units, assets, access points, cylinders, security zones."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from uuid import UUID

from .model import AccessPoint, Area, Asset, AssetCylinder, Cylinder, Sizes, Unit, Zone
from .names import AREAS, UNITS

SITE_CODE = "RTX"
SCHEME = "sap_floc"
CYLINDERS_PER_UNIT = 30  # the scale formula

# Share of locks that cannot keep an end date: no clock, or a clock but configured to ignore time limits.
# Small on purpose, above zero on purpose: "no bound" must exist on every site.
SHARE_WITHOUT_CLOCK = 0.04
SHARE_IGNORING_LIMITS = 0.04
SHARE_EGRESS_UNKNOWN = 0.08

# A made-up corner of an industrial harbour, for the site map.
ORIGIN_LAT, ORIGIN_LON = 51.9400, 4.0800


def new_guid(rng: random.Random) -> str:
    """A GUID in the vendor's text form that depends on the seed only."""
    return str(UUID(int=rng.getrandbits(128), version=4))


@dataclass(frozen=True, slots=True)
class Plant:
    """The result of `build_plant`."""

    areas: tuple[Area, ...]
    units: tuple[Unit, ...]
    zones: tuple[Zone, ...]
    assets: tuple[Asset, ...]
    access_points: tuple[AccessPoint, ...]
    cylinders: tuple[Cylinder, ...]
    asset_cylinders: tuple[AssetCylinder, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """What one kind of access point is like: cylinders on it and how they are built."""

    kind: str
    cylinder_type: str
    zone: str  # the suffix of the unit's security zone
    role: str  # of the cylinder for the asset
    safety_role: str = "none"
    egress_free: str = "y"
    zone_ex: str = ""
    online: bool = False
    cylinders: int = 1


GATE = Form("gate", "profile", "FLD", "perimeter", safety_role="egress", online=True)
WIDE_GATE = Form("gate", "profile", "FLD", "perimeter", safety_role="egress", cylinders=2)
ROOM = Form("door", "profile", "FLD", "room", safety_role="egress", cylinders=2)
ANALYSER = Form("door", "half", "FLD", "room", egress_free="", zone_ex="2")
CABINET = Form("cabinet", "cabinet", "FLD", "content", zone_ex="2")
MANWAY = Form("manway", "padlock", "ISO", "content", egress_free="n", zone_ex="0")
VALVE = Form("valve_lock", "padlock", "ISO", "isolation", safety_role="isolation", zone_ex="1")
DOUBLE_BLOCK = Form("valve_lock", "padlock", "ISO", "isolation", "isolation", zone_ex="1", cylinders=3)
BARRIER = Form("vehicle", "half", "FLD", "perimeter")
LOCK_BOX = Form("lock_box", "cam", "LBX", "content", safety_role="lock_box")
TANK_DIP = Form("tank_dip", "padlock", "FLD", "content", zone_ex="0")
SUBSTATION = Form("substation", "profile", "ELE", "room", "egress", online=True, cylinders=2)
HV_CABINET = Form("cabinet", "cabinet", "ELE", "content")
JETTY = Form("jetty", "profile", "FLD", "perimeter", "egress", online=True)
MAIN_GATE = Form("gate", "profile", "PER", "perimeter", online=True, cylinders=2)
FENCE_DOOR = Form("door", "profile", "PER", "perimeter", "egress")
EMERGENCY = Form("gate", "padlock", "EMG", "perimeter", "emergency")

# Where CLIQ locks hang: the tank farm and the jetties, where a lock must live without power and radio. What is online, and
# every cabinet, is iLOQ there too.
CLIQ_UNITS = ("TNK", "JTY")
CLIQ_FORMS = (WIDE_GATE, MANWAY, VALVE, DOUBLE_BLOCK, LOCK_BOX, TANK_DIP, JETTY)

# Security zones of a unit: suffix, name, criticality.
UNIT_ZONES = (("FLD", "field", 2), ("ISO", "isolations", 3), ("LBX", "lock boxes", 3))
SITE_ZONES = (("PER", "Perimeter", 1), ("EMG", "Emergency access", 2))


@dataclass(slots=True)
class Builder:
    """Collects rows; numbers points and stamps per unit."""

    rng: random.Random
    areas: list[Area] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    zones: dict[str, Zone] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    access_points: list[AccessPoint] = field(default_factory=list)
    cylinders: list[Cylinder] = field(default_factory=list)
    asset_cylinders: list[AssetCylinder] = field(default_factory=list)
    points_of_unit: dict[str, int] = field(default_factory=dict)
    stamps_of_unit: dict[str, int] = field(default_factory=dict)

    def asset(self, unit: Unit, code: str, name: str, *, parent: str = "") -> str:
        """Add an asset below its unit (or another asset) and return its code; the same code is added once."""
        full = f"{SITE_CODE}-{unit.code}-{code}" if code else f"{SITE_CODE}-{unit.code}"
        above = parent or (f"{SITE_CODE}-{unit.code}" if code else SITE_CODE)
        self.assets.setdefault(full, Asset(SCHEME, full, name, above, unit.code))
        return full

    def point(self, unit: Unit, form: Form, name: str, asset_id: str, *, also: str = "") -> AccessPoint:
        """Add an access point with its cylinders; `also` is a second asset that these cylinders isolate."""
        number = self.points_of_unit[unit.code] = self.points_of_unit.get(unit.code, 0) + 1
        lat, lon = self._place(unit)
        point = AccessPoint(
            f"AP-{unit.code}-{number:03d}", name, form.kind, unit.area, unit.code, SCHEME, asset_id, lat, lon
        )
        self.access_points.append(point)
        for _ in range(form.cylinders):
            cylinder = self._cylinder(unit, form, point)
            for asset in filter(None, (asset_id, also)):
                self.asset_cylinders.append(AssetCylinder(SCHEME, asset, cylinder.id, form.role))
        return point

    def _cylinder(self, unit: Unit, form: Form, point: AccessPoint) -> Cylinder:
        stamp = self.stamps_of_unit[unit.code] = self.stamps_of_unit.get(unit.code, 0) + 1
        zone = self.zones[form.zone if form.zone in self.zones else f"{unit.code}-{form.zone}"]
        draw = self.rng.random()
        fixed = form.online or form.safety_role == "emergency"
        unknown = form.egress_free == "y" and form.safety_role == "none"
        egress = "" if unknown and self.rng.random() < SHARE_EGRESS_UNKNOWN else form.egress_free
        cliq = unit.code.startswith(CLIQ_UNITS) and form in CLIQ_FORMS
        cylinder = Cylinder(
            id=new_guid(self.rng),
            marking=f"{unit.code}-{stamp:03d}",
            cylinder_type=form.cylinder_type,
            access_point_id=point.id,
            unit=unit.code,
            zone=zone.code,
            criticality=zone.criticality,
            safety_role=form.safety_role,
            egress_free=egress,
            zone_ex=form.zone_ex,
            online=form.online and not cliq,
            has_clock=not cliq and (fixed or draw >= SHARE_WITHOUT_CLOCK),
            honours_limits=cliq
            or fixed
            or not SHARE_WITHOUT_CLOCK <= draw < SHARE_WITHOUT_CLOCK + SHARE_IGNORING_LIMITS,
            vendor="cliq" if cliq else "iloq",
        )
        self.cylinders.append(cylinder)
        return cylinder

    def _place(self, unit: Unit) -> tuple[str, str]:
        """Somewhere inside the unit's plot of about 200 m square."""
        index = next(i for i, each in enumerate(self.units) if each.code == unit.code)
        row, column = divmod(index, 4)
        lat = ORIGIN_LAT + row * 0.0025 + self.rng.random() * 0.0018
        lon = ORIGIN_LON + column * 0.0040 + self.rng.random() * 0.0029
        return f"{lat:.6f}", f"{lon:.6f}"


def build_plant(sizes: Sizes, rng: random.Random) -> Plant:
    """All rows of the plant, in import order (parents first)."""
    builder = Builder(rng)
    _frame(builder, sizes)
    units = builder.units
    for index, unit in enumerate(units):
        boxes = sizes.lock_boxes * (index + 1) // len(units) - sizes.lock_boxes * index // len(units)
        _unit(builder, unit, lock_boxes=boxes)
    for index in range(sizes.substations):
        _substation(builder, units[index % len(units)], index + 1)
    tank_units = [unit for unit in units if unit.code.startswith("TNK")]
    for index in range(sizes.tanks):
        _tank(builder, tank_units[index % len(tank_units)], index + 1)
    jetty_units = [unit for unit in units if unit.code.startswith("JTY")]
    for index in range(sizes.berths):
        _berth(builder, jetty_units[index % len(jetty_units)], index + 1)
    _perimeter(builder, next(unit for unit in units if unit.code == "UTL"), sizes.perimeter)
    return Plant(
        tuple(builder.areas),
        tuple(builder.units),
        tuple(builder.zones.values()),
        tuple(builder.assets.values()),
        tuple(builder.access_points),
        tuple(builder.cylinders),
        tuple(builder.asset_cylinders),
    )


def _frame(builder: Builder, sizes: Sizes) -> None:
    builder.areas = [Area(f"A{n:02d}", name) for n, name in enumerate(AREAS[: sizes.areas], start=1)]
    for index in range(sizes.units):
        code, name = UNITS[index % len(UNITS)]
        train = index // len(UNITS) + 1
        area = builder.areas[index * sizes.areas // sizes.units].code
        builder.units.append(Unit(code if train == 1 else f"{code}{train}", f"{name} {train}", area))
    zones = [Zone(code, name, criticality) for code, name, criticality in SITE_ZONES]
    for unit in builder.units:
        zones += [
            Zone(f"{unit.code}-{code}", f"{unit.name}, {name}", level) for code, name, level in UNIT_ZONES
        ]
    powered = builder.units[: sizes.substations]
    zones += [Zone(f"{unit.code}-ELE", f"{unit.name}, electrical", 4) for unit in powered]
    builder.zones = {zone.code: zone for zone in zones}
    builder.assets[SITE_CODE] = Asset(SCHEME, SITE_CODE, "Refinery", "", "")


def _unit(builder: Builder, unit: Unit, *, lock_boxes: int) -> None:
    """30 cylinders: ways in, pumps with cabinet and isolation valves, vessels with manways, lock boxes."""
    whole = builder.asset(unit, "", unit.name)
    builder.point(unit, GATE, f"{unit.code} gate east", whole)
    builder.point(unit, WIDE_GATE, f"{unit.code} gate west", whole)
    builder.point(unit, BARRIER, f"{unit.code} crane road barrier", whole)
    room = builder.asset(unit, "LER01", "Local equipment room")
    builder.point(unit, ROOM, f"{unit.code} local equipment room", room)
    house = builder.asset(unit, "AH01", "Analyser house")
    builder.point(unit, ANALYSER, f"{unit.code} analyser house", house)
    for n in range(1, 4):
        vessel = builder.asset(unit, f"V12{n:02d}", f"Vessel V12{n:02d}")
        builder.point(unit, MANWAY, f"Manway of V12{n:02d}", vessel)
    cabinets = CYLINDERS_PER_UNIT - 19 - lock_boxes  # the ways in, manways and valves are 19
    for n in range(max(cabinets, 3)):
        pump = builder.asset(
            unit, f"P11{n // 2 + 1:02d}{'AB'[n % 2]}", f"Pump P11{n // 2 + 1:02d}{'AB'[n % 2]}"
        )
        if n < cabinets:
            box = builder.asset(
                unit, f"LCP{n + 1:02d}", f"Local panel of {pump.rsplit('-', 1)[1]}", parent=pump
            )
            builder.point(unit, CABINET, f"Local panel {pump.rsplit('-', 1)[1]}", box, also=pump)
        if n < 3:
            for side in ("suction", "discharge"):
                _valve(builder, unit, VALVE, pump, side)
    feed = builder.asset(unit, "E1301", "Feed exchanger E1301")
    _valve(builder, unit, DOUBLE_BLOCK, feed, "double block and bleed")
    for n in range(1, lock_boxes + 1):
        box = builder.asset(unit, f"LB{n:02d}", f"Group lock box {n}")
        builder.point(unit, LOCK_BOX, f"{unit.code} lock box {n}", box)
    # A point that still has a mechanical lock: it is on the plan and no electronic key knows it.
    mechanical = Form("door", "", "FLD", "room", cylinders=0)
    builder.point(unit, mechanical, f"{unit.code} store (mechanical lock)", whole)


def _valve(builder: Builder, unit: Unit, form: Form, equipment: str, side: str) -> None:
    """An isolation valve is an asset of its own below the equipment that it isolates."""
    short = equipment.rsplit("-", 1)[1]
    code = f"{short}-XV{side[0].upper()}"
    valve = builder.asset(unit, code, f"{side.capitalize()} valve of {short}", parent=equipment)
    builder.point(unit, form, f"{short} {side}", valve, also=equipment)


def _substation(builder: Builder, unit: Unit, number: int) -> None:
    station = builder.asset(unit, f"SS{number:02d}", f"Substation {number}")
    builder.point(unit, SUBSTATION, f"Substation {number}", station)
    for n in range(1, 5):
        cell = builder.asset(
            unit, f"SS{number:02d}-H{n:02d}", f"Switchgear cell {number}.{n}", parent=station
        )
        builder.point(unit, HV_CABINET, f"Switchgear {number}.{n}", cell)


def _tank(builder: Builder, unit: Unit, number: int) -> None:
    tank = builder.asset(unit, f"T{number:03d}", f"Tank T{number:03d}")
    builder.point(unit, TANK_DIP, f"Dip hatch T{number:03d}", tank)
    for side in ("inlet", "outlet"):
        _valve(builder, unit, VALVE, tank, side)


def _berth(builder: Builder, unit: Unit, number: int) -> None:
    berth = builder.asset(unit, f"B{number:02d}", f"Berth {number}")
    builder.point(unit, JETTY, f"Berth {number} gate", berth)
    builder.point(unit, CABINET, f"Berth {number} control panel", berth)
    for side in ("arm", "header"):
        _valve(builder, unit, VALVE, berth, side)


def _perimeter(builder: Builder, unit: Unit, count: int) -> None:
    """Main gates (two cylinders), fence doors, and emergency gates that the fire brigade opens."""
    fence = builder.asset(unit, "FENCE", "Perimeter fence")
    gates, emergency = count // 10, count // 10
    for n in range(1, gates + 1):
        builder.point(unit, MAIN_GATE, f"Site gate {n}", fence)
    for n in range(1, emergency + 1):
        builder.point(unit, EMERGENCY, f"Emergency gate {n}", fence)
    for n in range(1, count - 2 * gates - emergency + 1):
        builder.point(unit, FENCE_DOOR, f"Fence door {n}", fence)
