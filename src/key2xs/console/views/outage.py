"""Running without a system: what stops, what goes on, until when; paper permits; exercises."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from key2xs.access import Proposal
from key2xs.api.web import Web
from key2xs.console.people import Alias, look_up
from key2xs.console.words import VENDORS, Status, named, plain
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId
from key2xs.incidents.dependencies import NETWORK, Dependency, read_dependencies
from key2xs.incidents.drills import Drill, list_drills
from key2xs.incidents.outage import Outage, RoleLasts, read_outage
from key2xs.incidents.playbook import PLAYBOOK, Play
from key2xs.incidents.warnings import OpenWarning, open_warnings, papers_to_enter
from key2xs.keys.lasting import KeyLasts, StandingLasts, lasting_standing
from key2xs.keys.sealed_types import SealedKey
from key2xs.plant import list_cylinders, list_units
from key2xs.plant.types import Cylinder
from key2xs.work import DeclaredDown, PaperPermit, sources_declared_down

MOST_KEYS: Final = 40
STANDINGS: Final = {
    "up": Status("there", "good", "disc"),
    "down": Status("down", "bad", "triangle", "What that means stands below."),
    "unknown": Status("not known", "warn", "ring", "It was never heard, so nobody can say."),
}
SUPPOSED: Final = Status("down, supposed", "warn", "half", "Only asked about: it is not really down.")
KINDS: Final = {
    "people": "people (IAM)",
    "permits": "permits (e-PTW)",
    "keys": "keys and locks",
    "siem": "security monitoring",
    "log": "the record of everything",
    "network": "the site's network",
    "this": "this system",
}


@dataclass(frozen=True, slots=True)
class DependencyLine:
    """One system, and the address that asks what if it went down now."""

    dependency: Dependency
    label: str
    what: str
    status: Status
    is_supposed: bool
    ask: str | None
    """Where to ask the question; None where it is down anyway."""


@dataclass(frozen=True, slots=True)
class RoleLine:
    """A role in a unit with the lock that is lost first."""

    role: RoleLasts
    name: str
    first_lost: Cylinder | None


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key that is out, and whose."""

    key: KeyLasts
    system: str
    holder: Alias | None


@dataclass(frozen=True, slots=True)
class SealedLine:
    """An emergency key under seal, and until when it surely works."""

    key: SealedKey
    lasts: StandingLasts | None


@dataclass(frozen=True, slots=True)
class PaperLine:
    """A permit on paper."""

    paper: PaperPermit
    issuing: Alias | None
    performing: Alias | None
    in_force: bool
    to_enter: bool


@dataclass(frozen=True, slots=True)
class OutageView:
    """Everything on the page."""

    outage: Outage
    lines: tuple[DependencyLine, ...]
    roles: tuple[RoleLine, ...]
    keys: tuple[KeyLine, ...]
    sealed: tuple[SealedLine, ...]
    papers: tuple[PaperLine, ...]
    declared: dict[str, DeclaredDown]
    warnings: tuple[OpenWarning, ...]
    drills: tuple[Drill, ...]
    all_plays: tuple[Play, ...]

    @property
    def first(self) -> RoleLine | None:
        """The role that runs out first."""
        first = self.outage.first
        return next((line for line in self.roles if line.role == first), None)

    @property
    def supposed(self) -> tuple[DependencyLine, ...]:
        """What is only asked about."""
        return tuple(line for line in self.lines if line.is_supposed)

    @property
    def silent_permits(self) -> tuple[str, ...]:
        """Permit systems that paper may stand for now."""
        return tuple(
            each.label
            for each in self.outage.dependencies
            if each.kind == "permits" and each.is_down and each.name not in self.outage.assumed
        )


@dataclass(frozen=True, slots=True)
class OutageNotice:
    """What *My area* says about outages; false when there is nothing to say."""

    down: tuple[Dependency, ...]
    warnings: tuple[OpenWarning, ...]
    paper: int
    seals_broken: int

    def __bool__(self) -> bool:
        """Tell whether there is anything to say."""
        return bool(self.down or self.warnings or self.paper or self.seals_broken)


async def read_outage_notice(tx: Connection, web: Web, units: Collection[str] | None = None) -> OutageNotice:
    """Read what *My area* says; `units` (codes) leaves out warnings about other units' roles."""
    services, at = web.services, web.now
    found = await read_dependencies(tx, services.settings, web.runtime.all_problems(), at)
    warnings = await open_warnings(tx)
    if units is not None:
        mine = {str(unit.id) for unit in await list_units(tx) if unit.code in units}
        warnings = [each for each in warnings if _is_about(each, mine)]
    papers = await services.paper.list(tx)
    return OutageNotice(
        down=tuple(each for each in found if each.is_down),
        warnings=tuple(each for each in warnings if each.kind != "dependency_down"),
        paper=sum(each.is_in_force(at) for each in papers),
        seals_broken=sum(each.state != "sealed" for each in await services.sealed.all(tx)),
    )


async def read_outage_view(tx: Connection, web: Web, assume: Collection[str]) -> OutageView:
    """Read the page.

    Raises:
        InvalidInput: there is nothing of a name that was asked about.
    """
    services, at = web.services, web.now
    outage = await read_outage(tx, services.settings, at, problems=web.runtime.all_problems(), assume=assume)
    keys = outage.keys[:MOST_KEYS]
    papers = await services.paper.list(tx)
    people = await look_up(
        tx,
        [
            *(key.person_id for key in keys),
            *(p.issuing_id for p in papers),
            *(p.performing_id for p in papers),
        ],
        at,
    )
    to_enter = {each.permit_id for each in await papers_to_enter(tx, services.paper, at)}
    return OutageView(
        outage=outage,
        lines=_lines(outage),
        roles=await _roles(tx, outage),
        keys=tuple(
            KeyLine(key, _system(outage.systems[key.system_id]), people.of(key.person_id)) for key in keys
        ),
        sealed=await _sealed(tx, web),
        papers=tuple(
            PaperLine(
                each,
                people.of(each.issuing_id),
                people.of(each.performing_id),
                each.is_in_force(at),
                each.permit_id in to_enter,
            )
            for each in papers
        ),
        declared=await sources_declared_down(tx, at),
        warnings=tuple(await open_warnings(tx)),
        drills=tuple(await list_drills(tx, limit=5)),
        all_plays=tuple(PLAYBOOK.values()),
    )


async def paper_affected(
    tx: Connection, web: Web, found: Proposal
) -> tuple[str, tuple[tuple[str, int], ...]]:
    """Say what a sheet that waits for a second person would open, for whom and until when."""
    form = found.payload["form"]
    who = [form["performing"], *(member["person"] for member in form.get("crew") or ())]
    people = await look_up(tx, [form["issuing"], form["performing"]], web.now)
    locks = await list_cylinders(
        tx, ids=[CylinderId(each) for each in form.get("cylinders") or ()], limit=100
    )
    stamps = ", ".join(sorted(lock.marking for lock in locks)) or "the locks of the plant items named"
    until = datetime.fromisoformat(str(form["valid_to"])).astimezone(web.services.settings.zone)
    performing, issuing = (people.of(UUID(form[name])) for name in ("performing", "issuing"))  # type: ignore[arg-type]
    text = (
        f"paper {form['number']} in place of {form['stands_for']}: {plain(form['type'])} in {form['area']}, {stamps}, "
        f"until {until:%d %b %H:%M}. Performing {performing}, issuing {issuing}"
    )
    return text, (("Locks", len(locks)), ("People who work", len(set(who))))


def _lines(outage: Outage) -> tuple[DependencyLine, ...]:
    made = []
    for each in outage.dependencies:
        supposed = each.name in outage.assumed and each.why == "assumed"
        made.append(
            DependencyLine(
                each,
                _system(each.label),
                KINDS[each.kind],
                SUPPOSED if supposed else STANDINGS[each.state],
                supposed,
                None if each.is_down else f"/outage?down={each.name}",
            )
        )
    if not any(each.kind == "network" for each in outage.dependencies):
        network = Dependency(NETWORK, "network", "network", "unknown")
        status = Status("ask what if", "quiet", "ring")
        made.append(
            DependencyLine(network, "Network", KINDS[NETWORK], status, False, f"/outage?down={NETWORK}")
        )
    return tuple(made)


async def _roles(tx: Connection, outage: Outage) -> tuple[RoleLine, ...]:
    lost = [role.first_lost for role in outage.roles if role.first_lost is not None]
    places = (
        {each.id: each for each in await list_cylinders(tx, ids=lost, limit=len(lost) + 1)} if lost else {}
    )
    return tuple(
        RoleLine(role, plain(role.role), places.get(role.first_lost) if role.first_lost else None)
        for role in outage.roles
    )


async def _sealed(tx: Connection, web: Web) -> tuple[SealedLine, ...]:
    keys = await web.services.sealed.all(tx)
    lasts = await lasting_standing(tx, [key.key_id for key in keys])
    return tuple(SealedLine(key, lasts.get(key.key_id)) for key in keys)


def _is_about(warning: OpenWarning, units: set[str]) -> bool:
    if warning.kind != "role_runs_out":
        return True
    return warning.subject.removeprefix("unit:").partition("/")[0] in units


def _system(name: str) -> str:
    return named(VENDORS, name) if name in VENDORS else name
