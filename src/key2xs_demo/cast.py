"""Who plays the night, and where: chosen from the synthetic site by what they are, never by name. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from key2xs_twin.site import Cylinder, Key, Person, Site, generate_site

_T = TypeVar("_T")

SIZE = "S"
SEED = 7
ZONE = ZoneInfo("Europe/Amsterdam")
# A Tuesday in winter: dark at six, no change of clocks near.
EVENING = date(2026, 11, 24)
BEGINS = datetime.combine(EVENING, time(18), ZONE)
ENDS = BEGINS + timedelta(hours=12)
ROTA_DAYS = 2  # the evening's and the next day's shifts; more would only make the import longer

LATE, NIGHT = "late", "night"


@dataclass(frozen=True, slots=True)
class Holder:
    """A person with a key."""

    person: Person
    key: Key

    @property
    def ref(self) -> str:
        """The person's id in the identity system."""
        return self.person.ref

    @property
    def stamp(self) -> str:
        """What is printed on the key."""
        return self.key.stamp


@dataclass(frozen=True, slots=True)
class Place:
    """One cylinder to work on, and the asset that a permit names for it."""

    cylinder: Cylinder
    asset: str
    area: str

    @property
    def marking(self) -> str:
        """What is printed on the lock."""
        return self.cylinder.marking

    @property
    def unit(self) -> str:
        """The process unit."""
        return self.cylinder.unit


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody and everything the scenario names."""

    site: Site
    # people who decide
    evening_leader: Person
    night_leader: Person
    issuer: Person
    managers: tuple[Person, Person]
    analyst: Person
    auditor: Person
    administrator: Person
    # people who work, each with a phone
    pump: Holder
    unreachable: Holder
    leaver: Holder
    suspect: Holder
    early_bird: Holder
    box: Holder
    panel: Holder
    quick: Holder
    newcomer: Holder
    fixer: Holder
    responder: Holder
    operator: Holder
    # a crew member with a fob from the pool
    careless: Holder
    # places
    pump_panel: Place
    pump_valve: Place
    unreachable_panel: Place
    leaver_panel: Place
    suspect_panel: Place
    early_panel: Place
    box_place: Place
    panel_place: Place
    quick_panel: Place
    fixer_place: Place
    responder_place: Place
    careless_panel: Place
    endless_place: Place
    online_place: Place
    operator_place: Place
    fence: tuple[Cylinder, ...]

    @property
    def deciders(self) -> tuple[Person, ...]:
        """People who sign in."""
        return (
            self.evening_leader,
            self.night_leader,
            self.issuer,
            *self.managers,
            self.analyst,
            self.auditor,
            self.administrator,
        )

    @property
    def holders(self) -> tuple[Holder, ...]:
        """People with keys."""
        return (
            self.pump,
            self.unreachable,
            self.leaver,
            self.suspect,
            self.early_bird,
            self.box,
            self.panel,
            self.quick,
            self.newcomer,
            self.fixer,
            self.responder,
            self.operator,
            self.careless,
        )


def make_cast(seed: int = SEED) -> Cast:
    """Generate the site and choose.

    Raises:
        LookupError: a site of this seed lacks somebody or something the scenario needs.
    """
    site = generate_site(SIZE, seed, first_day=EVENING, days=ROTA_DAYS)
    return _Casting(site).cast()


class _Casting:
    """One choosing under way: nobody plays twice, no key and no lock is used twice."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._phones = {key.holder: key for key in site.keys if key.kind == "phone"}
        self._qualified = _qualified(site)
        self._teams = {
            shift.name: shift.team for shift in site.shifts if shift.starts_at.date() == site.first_day
        }
        self._taken: set[str] = set()
        self._firms: set[str] = set()
        self._areas = {unit.code: unit.area for unit in site.units}
        self._assets = {link.cylinder_id: link.asset_id for link in reversed(site.asset_cylinders)}
        self._carried = _own_right(site)

    def cast(self) -> Cast:
        """Choose everybody and everything."""
        late, night = self._teams[LATE], self._teams[NIGHT]
        contractors = self._contractors()
        maintenance = self._with_phones("maintenance")
        pump_panel = self._panel("A01")
        operator = self._holder(p for p in self._people("field_operator", night) if p.ref in self._phones)
        return Cast(
            site=self.site,
            evening_leader=self._one("shift_leader", late),
            night_leader=self._one("shift_leader", night),
            issuer=self._one("permit_issuer"),
            managers=(self._one("security_manager"), self._one("security_manager")),
            analyst=self._one("soc"),
            auditor=self._one("auditor"),
            administrator=self._one("administrator"),
            pump=next(contractors),
            unreachable=next(contractors),
            leaver=next(contractors),
            suspect=next(contractors),
            early_bird=next(contractors),
            box=next(contractors),
            panel=next(contractors),
            quick=next(contractors),
            newcomer=next(contractors),
            fixer=next(maintenance),
            responder=next(maintenance),
            operator=operator,
            careless=self._with_fob(),
            pump_panel=pump_panel,
            pump_valve=self._place(
                c for c in self._locks("A01") if c.safety_role == "isolation" and c.unit == pump_panel.unit
            ),
            unreachable_panel=self._panel("A01"),
            leaver_panel=self._panel("A02"),
            suspect_panel=self._panel("A02"),
            early_panel=self._panel("A04"),
            box_place=self._place(c for c in self._locks("A03") if c.safety_role == "lock_box"),
            panel_place=self._panel("A03"),
            quick_panel=self._panel("A03"),
            fixer_place=self._place(
                c for c in self._locks() if c.criticality == 2 and c.cylinder_type == "half"
            ),
            responder_place=self._place(
                c for c in self._locks() if c.criticality == 4 and c.cylinder_type == "cabinet"
            ),
            careless_panel=self._panel("A02"),
            endless_place=self._endless(),
            online_place=self._online(),
            operator_place=self._duty_place(operator),
            fence=tuple(c for c in self.site.cylinders if c.id not in self._carried and c.zone == "PER"),
        )

    # --- people --------------------------------------------------------------------------------------------

    def _people(self, role: str, team: str = "") -> Iterator[Person]:
        return (
            person
            for person in self.site.people_with_role(role)
            if person.scheme == "iam" and person.ref not in self._taken and team in {"", person.team}
        )

    def _one(self, role: str, team: str = "") -> Person:
        person = _first(self._people(role, team), f"{role} {team}".strip())
        self._taken.add(person.ref)
        return person

    def _contractors(self) -> Iterator[Holder]:
        """Supervisors of firms, one of each firm, with a phone and valid qualifications."""
        for person in self._people("contractor_supervisor"):
            if person.ref in self._phones and person.ref in self._qualified:
                self._firms.add(person.company)
                self._taken.add(person.ref)
                yield Holder(person, self._phones[person.ref])

    def _with_phones(self, role: str) -> Iterator[Holder]:
        while True:
            yield self._holder(p for p in self._people(role) if p.ref in self._phones)

    def _holder(self, people: Iterable[Person]) -> Holder:
        person = _first((p for p in people if p.ref in self._qualified), "somebody with a phone")
        self._taken.add(person.ref)
        return Holder(person, self._phones[person.ref])

    def _with_fob(self) -> Holder:
        """A crew member of a firm that plays no other part, with a fob that carries nothing from the old days."""
        person = _first(
            (p for p in self._people("fitter") if p.company not in self._firms and p.ref in self._qualified),
            "a fitter",
        )
        self._taken.add(person.ref)
        standing = {key.stamp for n, key in enumerate(self.site.keys) if _is_legacy(key, n)}
        fob = _first((k for k in self.site.keys if k.purpose == "pool" and k.stamp not in standing), "a fob")
        return Holder(person, fob)

    # --- places --------------------------------------------------------------------------------------------

    def _locks(self, area: str = "") -> Iterator[Cylinder]:
        """Locks that keep time limits and have an access right of their own."""
        return (
            c
            for c in self.site.cylinders
            if c.has_clock
            and c.honours_limits
            and not c.online
            and c.id in self._carried
            and area in {"", self._areas[c.unit]}
        )

    def _panel(self, area: str) -> Place:
        return self._place(
            c for c in self._locks(area) if c.cylinder_type == "cabinet" and c.criticality == 2
        )

    def _endless(self) -> Place:
        """A lock where no end date counts: without clock, or set to ignore limits."""
        found = [
            c
            for c in self.site.cylinders
            if not (c.has_clock and c.honours_limits) and c.id in self._carried and not c.online
        ]
        # A cabinet or hatch first; a lock box or a way out would bring other rules in.
        return self._place(sorted(found, key=lambda c: (c.safety_role != "none", c.criticality, c.marking)))

    def _online(self) -> Place:
        """A substation door, which tells the server at once who opened it."""
        return self._place(c for c in self.site.cylinders if c.online and c.criticality == 4)

    def _duty_place(self, operator: Holder) -> Place:
        """Something in a unit that the operator covers at night."""
        units = {
            duty.unit
            for duty in self.site.duties
            if duty.person_ref == operator.ref
            and duty.role == "field_operator"
            and duty.starts_at < ENDS
            and duty.ends_at > BEGINS
        }
        return self._place(c for c in self._locks() if c.unit in units and c.safety_role == "none")

    def _place(self, cylinders: Iterable[Cylinder]) -> Place:
        cylinder = _first((c for c in cylinders if c.id not in self._taken), "a lock")
        self._taken.add(cylinder.id)
        return Place(cylinder, self._assets[cylinder.id], self._areas[cylinder.unit])


def _first(found: Iterable[_T], what: str) -> _T:
    for each in found:
        return each
    message = f"this site has no {what} for the scenario"
    raise LookupError(message)


def _qualified(site: Site) -> set[str]:
    """People whose every qualification is valid beyond the night."""
    until: dict[str, date] = {}
    for each in site.qualifications:
        until[each.person_ref] = min(until.get(each.person_ref, date.max), each.valid_to)
    return {ref for ref, day in until.items() if day > ENDS.date()}


def _own_right(site: Site) -> set[str]:
    """Cylinders with a writable right that opens nothing but their own access point's single lock."""
    return {right.cylinder_ids[0] for right in site.rights if right.api and len(right.cylinder_ids) == 1}


def _is_legacy(key: Key, index: int) -> bool:
    from key2xs_twin.site.inventory import LEGACY_EVERY

    return key.purpose == "pool" and index % LEGACY_EVERY == 0
