"""*Now*: what waits for somebody, what ends, what can still open, and what cannot be relied on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from key2xs.access import Principal
from key2xs.api.web import Web
from key2xs.console.people import Alias, People, look_up
from key2xs.core.database import Connection
from key2xs.grants.reads import count_states, leases_ending_before
from key2xs.grants.standing import Undecided, undecided
from key2xs.grants.types import Lease
from key2xs.keys.reads import ExposedKey, StuckKey, exposed_keys, keys_of_people, unfinished_keys
from key2xs.keys.types import Target
from key2xs.plant.types import Cylinder
from key2xs.services import Services
from key2xs.work.facts import held_messages, list_permits
from key2xs.work.types import HeldMessage

from .bases import BasisLine, BasisNames, name_bases
from .openings import OpeningLine, cylinders_by_id, keys_by_id, opening_lines, shown_problem
from .proposals import ProposalLine, proposal_lines
from .requests import RequestLine, request_lines, urgent_first
from .sources import Sources, read_sources

ENDING_WITHIN: Final = timedelta(hours=1)
# An alarm of the shift before belongs to its report; this page is about now.
ALARMS_FOR: Final = timedelta(hours=24)
ALARM_CLASSES: Final = ("unexplained", "after_end", "undated")
MOST_LINES: Final = 12
# A key that waits for its phone is on its way, not stuck; after this somebody should look.
WAITS_LONG_AFTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class EndingLine:
    """Access that ends soon."""

    lease: Lease
    holder: Alias | None
    basis: BasisLine
    stamps: tuple[str, ...]
    cylinders: tuple[Cylinder, ...]


@dataclass(frozen=True, slots=True)
class ExposedLine:
    """A key that can still open something although it was ended."""

    key: ExposedKey
    holder: Alias | None
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class LookLine:
    """A key that somebody should look at."""

    stamp: str
    target: Target
    vendor: str
    problem: str


@dataclass(frozen=True, slots=True)
class UndecidedLine:
    """Something that could not be decided, in words."""

    what: str
    href: str | None
    undecided: Undecided


@dataclass(frozen=True, slots=True)
class NowView:
    """Everything on the page."""

    sources: Sources
    requests: list[RequestLine]
    proposals: list[ProposalLine]
    ending: list[EndingLine]
    exposed: list[ExposedLine]
    openings: list[OpeningLine]
    stuck: list[LookLine]
    waiting: list[LookLine]
    held: list[HeldMessage]
    undecided: list[UndecidedLine]
    problems: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def decisions(self) -> int:
        """How much waits for somebody's word."""
        return len(self.requests) + len(self.proposals)

    @property
    def unexplained(self) -> list[OpeningLine]:
        """The top alarm."""
        return [line for line in self.openings if line.event.event_class == "unexplained"]

    @property
    def unbounded(self) -> list[ExposedLine]:
        """Keys that nothing ends by itself."""
        return [line for line in self.exposed if line.key.until is None]


async def read_now(tx: Connection, web: Web, reader: Principal) -> NowView:
    """Read the page for somebody."""
    services, at = web.services, web.now
    exposed = await exposed_keys(tx, at)
    people = await look_up(tx, [key.person_id for key in exposed], at)
    ending = await leases_ending_before(tx, at + ENDING_WITHIN, MOST_LINES)
    events = await services.events.recent(tx, classes=ALARM_CLASSES, limit=MOST_LINES)
    recent = [event for event in events if event.arrived_at > at - ALARMS_FOR]
    unfinished = await unfinished_keys(tx)
    broken = await undecided(tx)
    names = await name_bases(tx, [each.subject for each in broken] + [lease.basis_ref for lease in ending])
    return NowView(
        sources=await read_sources(tx, services, at),
        requests=urgent_first(await request_lines(tx, await services.requests.waiting(tx), at)),
        proposals=await proposal_lines(tx, web, reader),
        ending=await _ending(tx, ending, names, at),
        exposed=[await _exposed(tx, services, key, people) for key in exposed],
        openings=await opening_lines(tx, services, recent, at),
        stuck=await _look_lines(tx, services, [key for key in unfinished if key.target.problem]),
        waiting=await _look_lines(tx, services, [key for key in unfinished if _waits_long(key, at)]),
        held=[message for message in await held_messages(tx, limit=MOST_LINES) if _is_recent(message, at)],
        undecided=[_undecided(each, names) for each in broken],
        problems=web.runtime.all_problems(),
        counts=await _counts(tx, at),
    )


async def _ending(tx: Connection, leases: list[Lease], names: BasisNames, at: datetime) -> list[EndingLine]:
    people = await look_up(tx, [lease.person_id for lease in leases], at)
    keys = await keys_of_people(tx, [lease.person_id for lease in leases], at)
    cylinders = await cylinders_by_id(tx, [c for lease in leases for c in lease.cylinders])
    return [
        EndingLine(
            lease,
            people.of(lease.person_id),
            names.of(lease),
            tuple(key.stamp for key, _ in keys.get(lease.person_id, [])),
            tuple(sorted((cylinders[c] for c in lease.cylinders if c in cylinders), key=lambda c: c.marking)),
        )
        for lease in leases
    ]


async def _exposed(tx: Connection, services: Services, key: ExposedKey, people: People) -> ExposedLine:
    target = await services.targets.find(tx, key.key_id)
    return ExposedLine(key, people.of(key.person_id), target.asked_at if target else None)


async def _counts(tx: Connection, at: datetime) -> dict[str, int]:
    states = await count_states(tx)
    in_force = await list_permits(tx, at, states=["live"], limit=1_000)
    return {"permits": len(in_force), "active": states.get("active", 0), "held": states.get("held", 0)}


async def _look_lines(tx: Connection, services: Services, keys: list[StuckKey]) -> list[LookLine]:
    found = await keys_by_id(tx, services, [key.target.key_id for key in keys])
    vendors = {system.id: system.vendor for system in await services.registry.systems(tx)}
    return [
        LookLine(
            key.stamp,
            key.target,
            vendors.get(key.target.system_id, ""),
            shown_problem(key.target, found[key.target.key_id]) if key.target.key_id in found else "",
        )
        for key in keys
    ]


def _waits_long(key: StuckKey, at: datetime) -> bool:
    return not key.target.problem and at - key.target.asked_at > WAITS_LONG_AFTER


def _is_recent(message: HeldMessage, at: datetime) -> bool:
    return message.received_at > at - ALARMS_FOR


def _undecided(each: Undecided, names: BasisNames) -> UndecidedLine:
    noun, _, rest = each.subject.partition(":")
    if noun in {"permit", "request"}:
        basis = names.of_ref(each.subject)
        return UndecidedLine(basis.text, basis.href, each)
    return UndecidedLine(f"{noun.replace('_', ' ')} {rest[-6:]}", None, each)
