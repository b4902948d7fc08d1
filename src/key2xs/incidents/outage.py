"""Running without a system: what stops, what goes on, and until when, for a real outage or one that is only asked about.

*Will still work until* is a promise the other way round: by then nothing that may be in a key stops it. It is never
later than the truth; where nothing is sure, that is said.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import CylinderId, KeySystemId, UnitId
from key2xs.core.settings import Settings
from key2xs.grants.duties import DutyLease, PermitEnds, duty_leases, permits_ending
from key2xs.identity.facts import people_on_duty
from key2xs.identity.horizon import shifts_known_until
from key2xs.keys.lasting import DutyGrant, KeyLasts, PlaceLasts, key_systems, lasting_keys, lasting_places
from key2xs.plant import list_units

from .dependencies import NETWORK, THIS, Dependency, read_dependencies
from .playbook import PLAYBOOK, Play

_KEYS_STOP: Final = frozenset({NETWORK, THIS})
"""What keeps every key system's keys from being written, as if the key system itself were down."""


@dataclass(frozen=True, slots=True)
class RoleLasts:
    """One duty role in one unit: who has it now, and until when their keys surely work."""

    unit_id: UnitId
    unit: str
    role: str
    people: int
    cylinders: int
    sure: int
    """Of these surely open now; all of them until `until`."""
    until: datetime | None
    first_lost: CylinderId | None

    @property
    def has_keys(self) -> bool:
        """Tell whether the role has locks of its own here at all."""
        return self.cylinders > 0


@dataclass(frozen=True, slots=True)
class Outage:
    """What still works, and until when, without everything in `down`."""

    at: datetime
    dependencies: tuple[Dependency, ...]
    assumed: frozenset[str]
    plays: tuple[Play, ...]
    """What stops, what goes on and what to do, for each thing that is down."""
    roles: tuple[RoleLasts, ...]
    keys: tuple[KeyLasts, ...]
    permits: tuple[PermitEnds, ...]
    shifts_until: datetime | None
    systems: Mapping[KeySystemId, str]

    @property
    def down(self) -> tuple[Dependency, ...]:
        """Everything that is down, really or for the question."""
        return tuple(each for each in self.dependencies if each.is_down)

    @property
    def is_real(self) -> bool:
        """Tell whether something is down that nobody only asked about."""
        return any(each.name not in self.assumed for each in self.down)

    @property
    def first(self) -> RoleLasts | None:
        """The role that runs out first."""
        ending = [each for each in self.roles if each.until is not None]
        return min(ending, key=lambda each: each.until or self.at, default=None)

    def due_before(self, ahead: timedelta) -> list[RoleLasts]:
        """Return the roles that run out within a time from now, the first one first."""
        ending = [each for each in self.roles if each.until is not None and each.until <= self.at + ahead]
        return sorted(ending, key=lambda each: (each.until or self.at, each.unit, each.role))


async def read_outage(
    tx: Connection,
    settings: Settings,
    at: datetime,
    *,
    problems: Mapping[str, str],
    assume: Collection[str] = (),
    units: Collection[str] | None = None,
) -> Outage:
    """Return what still works and until when.

    Args:
        tx: a transaction.
        settings: of the site.
        at: now.
        problems: of the running loops, by loop name.
        assume: names of dependencies to take for down as well ("what if iLOQ goes down now").
        units: look at these units only, by code.

    Raises:
        InvalidInput: there is nothing of a name that was asked about.
    """
    dependencies = _assumed(await read_dependencies(tx, settings, problems, at), frozenset(assume), at)
    down = {each.name for each in dependencies if each.is_down}
    systems = await key_systems(tx)
    stopped = [
        system_id for system_id, name in systems.items() if f"keys:{name}" in down or down & _KEYS_STOP
    ]
    return Outage(
        at=at,
        dependencies=tuple(dependencies),
        assumed=frozenset(assume),
        plays=tuple(
            PLAYBOOK[kind] for kind in dict.fromkeys(each.kind for each in dependencies if each.is_down)
        ),
        roles=tuple(await _roles(tx, stopped, at, units)),
        keys=tuple(await lasting_keys(tx, stopped, at)),
        permits=tuple(await permits_ending(tx, at)),
        shifts_until=await shifts_known_until(tx),
        systems=systems,
    )


def _assumed(found: list[Dependency], assume: frozenset[str], at: datetime) -> list[Dependency]:
    known = {each.name for each in found}
    for name in sorted(assume - known - {NETWORK}):
        raise InvalidInput(
            "down", f"there is nothing called {name}; ask about {', '.join(sorted(known))} or network"
        )
    made = [
        replace(each, state="down", since=at, why="assumed")
        if each.name in assume and not each.is_down
        else each
        for each in found
    ]
    if NETWORK in assume:
        made.append(Dependency(NETWORK, "network", "the network", "down", at, "assumed"))
    return made


async def _roles(
    tx: Connection, stopped: Collection[KeySystemId], at: datetime, only: Collection[str] | None
) -> list[RoleLasts]:
    units = {unit.id: unit.code for unit in await list_units(tx)}
    wanted = {unit_id for unit_id, code in units.items() if only is None or code in only}
    people: dict[tuple[UnitId, str], set[object]] = defaultdict(set)
    for person_id, duty in await people_on_duty(tx, at):
        if duty.unit_id in wanted:
            people[duty.unit_id, duty.role].add(person_id)
    leases = [lease for lease in await duty_leases(tx, at) if lease.unit_id in wanted]
    places = await lasting_places(
        tx,
        [DutyGrant(each.grant_id, each.person_id, _place(each), each.ends_at) for each in leases],
        stopped,
        at,
    )
    made = [
        _role(unit_id, units[unit_id], role, len(who), places.get(f"{unit_id}/{role}"))
        for (unit_id, role), who in people.items()
    ]
    far = datetime.max.replace(tzinfo=at.tzinfo)
    return sorted(made, key=lambda each: (not each.has_keys, each.until or far, each.unit, each.role))


def _place(lease: DutyLease) -> str:
    return f"{lease.unit_id}/{lease.role}"


def _role(unit_id: UnitId, unit: str, role: str, people: int, lasts: PlaceLasts | None) -> RoleLasts:
    if lasts is None:
        return RoleLasts(unit_id, unit, role, people, 0, 0, None, None)
    return RoleLasts(unit_id, unit, role, people, lasts.cylinders, lasts.sure, lasts.until, lasts.first_lost)
