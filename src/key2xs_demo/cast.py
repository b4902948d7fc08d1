"""Who plays the night, and where. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from key2xs_twin.site import Cylinder, Key, Person, Site

SIZE = "S"
SEED = 7
ZONE = ZoneInfo("Europe/Amsterdam")
# A Tuesday in winter: dark at six, no change of clocks near.
EVENING = date(2026, 11, 24)
BEGINS = datetime.combine(EVENING, time(18), ZONE)
ENDS = BEGINS + timedelta(hours=12)
DAY_BEFORE = BEGINS - timedelta(
    hours=25
)  # the site is set up; no two accounts made the same day confirm each other
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
    # people who work in the confined space: one goes in, one stays outside
    entrant: Holder
    attendant: Person
    # CLIQ keys of the tank farm
    tanker: Holder
    stray: Holder
    # the late shift, and who of the night shift takes over
    forgetful: Holder
    giver: Holder
    left_over: Holder
    heir: Person
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
    manway: Place
    entry_box: Place
    tank_valve: Place
    edited_valve: Place
    stray_valves: tuple[Place, Place]
    forgetful_place: Place
    shift_place: Place
    paper_place: Place
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
            self.entrant,
            self.tanker,
            self.stray,
            *self.on_duty_with_keys,
        )

    @property
    def on_duty_with_keys(self) -> tuple[Holder, ...]:
        """People of the late shift with keys from the pool."""
        return (self.forgetful, self.giver, self.left_over)

    @property
    def duties_of(self) -> frozenset[str]:
        """Whose shifts the product has to know: those who have a key by duty, and who takes over from them."""
        return frozenset(
            {self.operator.ref, self.heir.ref, *(holder.ref for holder in self.on_duty_with_keys)}
        )
