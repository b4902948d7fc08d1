"""Choosing who plays the night: from the synthetic site, by what they are, never by name. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TypeVar

from key2xs_twin.site import Cylinder, Key, Person, Site, generate_site, inventory, inventory_cliq

from .cast import BEGINS, ENDS, EVENING, LATE, NIGHT, ROTA_DAYS, SEED, SIZE, Cast, Holder, Place

_T = TypeVar("_T")

CREWS = ("fitter", "insulator", "scaffolder", "welder")


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
        self._pool = _pool(site)
        self._covers = {d.person_ref: d.unit for d in site.duties if d.role == "field_operator"}
        self._busy_units = {"TNK", "JTY"}  # their locks are CLIQ
        self._links = Counter(link.asset_id for link in site.asset_cylinders)

    def cast(self) -> Cast:
        """Choose everybody and everything."""
        late, night = self._teams[LATE], self._teams[NIGHT]
        contractors = self._contractors()
        maintenance = self._with_phones("maintenance")
        pump_panel = self._panel("A01")
        operator = self._holder(p for p in self._people("field_operator", night) if p.ref in self._phones)
        self._busy_units.add(self._unit(operator.person))
        manway = self._manway()
        tank_valve = self._valve()
        forgetful, giver = self._late_hand(late), self._late_hand(late)
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
            entrant=next(contractors),
            attendant=self._one("gas_tester", night),
            tanker=self._with_key(next(contractors).person, "dynamic"),
            careless=self._with_key(self._crew(), "fob"),
            stray=self._with_key(self._crew(), "dynamic"),
            forgetful=forgetful,
            giver=giver,
            left_over=self._with_key(self._one("gas_tester", late), "dynamic"),
            heir=self._one_of(
                p for p in self._people("field_operator", night) if self._unit(p) == self._unit(giver.person)
            ),
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
            manway=manway,
            entry_box=self._place(
                c for c in self._locks() if c.safety_role == "lock_box" and c.unit == manway.unit
            ),
            tank_valve=tank_valve,
            edited_valve=self._valve(),
            stray_valves=(self._valve(), self._valve()),
            forgetful_place=self._plain_in(self._unit(forgetful.person)),
            shift_place=self._plain_in(self._unit(giver.person)),
            paper_place=self._panel("A02"),
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

    def _crew(self) -> Person:
        """A crew member of a firm that plays no other part."""
        everybody = (p for role in CREWS for p in self._people(role))
        person = _first(
            (p for p in everybody if p.company not in self._firms and p.ref in self._qualified),
            "somebody of another firm",
        )
        self._taken.add(person.ref)
        self._firms.add(person.company)
        return person

    def _late_hand(self, team: str) -> Holder:
        """A field operator of the late shift with a fob."""
        return self._with_key(
            self._one_of(
                p
                for p in self._people("field_operator", team)
                if p.ref in self._qualified and self._unit(p) not in self._busy_units
            ),
            "fob",
        )

    def _one_of(self, people: Iterable[Person]) -> Person:
        person = _first(people, "somebody on shift")
        self._taken.add(person.ref)
        self._busy_units.add(self._unit(person))
        return person

    def _with_key(self, person: Person, kind: str) -> Holder:
        """Give somebody a key of the pool that carries nothing from the old days and whose stamp is its own."""
        key = _first((k for k in self._pool[kind] if k.id not in self._taken), f"a {kind} key")
        self._taken.add(key.id)
        return Holder(person, key)

    def _unit(self, person: Person) -> str:
        """The unit that a field operator covers."""
        return self._covers.get(person.ref, "")

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

    def _manway(self) -> Place:
        """The way into a vessel, outside the area that is stopped."""
        return self._place(
            c
            for c in self._locks()
            if c.zone_ex == "0" and c.egress_free == "n" and self._areas[c.unit] not in {"A01", "A03"}
        )

    def _valve(self) -> Place:
        """A valve of the tank farm with one CLIQ cylinder, on an asset of its own."""
        return self._place(
            c
            for c in self.site.cylinders
            if c.vendor == "cliq"
            and c.unit == "TNK"
            and c.safety_role == "isolation"
            and self._links[self._assets[c.id]] == 1
        )

    def _plain_in(self, unit: str) -> Place:
        return self._place(c for c in self._locks() if c.unit == unit and c.safety_role == "none")

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


def _pool(site: Site) -> dict[str, list[Key]]:
    """Keys of the pool by kind: without rights from the old days, and no stamp that both key systems have."""
    cliq = {key.stamp for key in site.cliq_keys}
    both = {key.stamp for key in site.keys} & cliq
    found: dict[str, list[Key]] = {}
    for keys, every in ((site.keys, inventory.LEGACY_EVERY), (site.cliq_keys, inventory_cliq.LEGACY_EVERY)):
        for index, key in enumerate(keys):
            if key.purpose == "pool" and index % every and key.stamp not in both:
                found.setdefault(key.kind, []).append(key)
    return found
