"""*Adoption*: what an existing site has, how far it is taken over, and what must be visited."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from key2xs.api.adopting import difference_of, over_the_air
from key2xs.api.web import Web
from key2xs.console.people import People, look_up
from key2xs.core.database import Connection
from key2xs.core.ids import PersonId, ZoneId
from key2xs.core.tri import UNKNOWN
from key2xs.keys.adoption.checking import CheckReport, examine_account, read_locks, report_of
from key2xs.keys.adoption.connections import ConnectionState
from key2xs.keys.adoption.counting import (
    KeyShare,
    PersonShare,
    Share,
    ZoneShare,
    share,
    share_by_zone,
    standing_by_key,
    standing_by_person,
)
from key2xs.keys.adoption.difference import FirstDifference
from key2xs.keys.adoption.report import InventoryReport, inventory_report
from key2xs.keys.adoption.runs import AdoptionRun, LeftKey
from key2xs.keys.adoption.visits import Visits, visits
from key2xs.keys.waking import Heard, heard_of
from key2xs.plant import get_zone
from key2xs.plant.types import Zone

MOST_LINES: Final = 20
MOST_UNTRIED: Final = 200

LISTS: Final = {
    "keys_without_holder": ("Keys without holder", "Nobody was handed them, as far as Key2XS knows."),
    "holders_left": ("Holders who left", "Not active any more, or without a contract in force."),
    "rights_unused": (
        "Rights nobody uses",
        "On keys, and no opening with them for so long was read; what was not read may tell otherwise.",
    ),
    "locks_unmapped": ("Locks nobody mapped", "The key system lists them; no plant register knows them."),
    "cylinders_unlisted": ("Locks no key system lists", "In the plant register only."),
    "keys_no_bound": (
        "Keys no bound can be given for",
        "Nothing ends by itself what they open, or they were not read.",
    ),
    "stamps_twice": ("Stamps that stand on several keys", "Name the key system beside the stamp: 1042@iloq."),
}


@dataclass(frozen=True, slots=True)
class AdoptionView:
    """Everything on the page."""

    connections: list[ConnectionState]
    report: InventoryReport
    share: Share
    zones: list[ZoneShare]
    keys: list[KeyShare]
    persons: list[PersonShare]
    runs: list[AdoptionRun]
    left: list[LeftKey]
    visits: Visits
    people: People

    @property
    def stopped(self) -> list[ConnectionState]:
        """Key systems whose bulk writes are stopped."""
        return [each for each in self.connections if each.stopped_at is not None]

    @property
    def areas(self) -> list[tuple[str, str, int]]:
        """Locks to visit by area and reason, with how many."""
        found: dict[tuple[str, str], int] = {}
        for line in self.visits.locks:
            if not line.done:
                place = (line.area or "", line.state)
                found[place] = found.get(place, 0) + 1
        return [(area, state, count) for (area, state), count in sorted(found.items())]


@dataclass(frozen=True, slots=True)
class SwitchView:
    """A zone with what enforcing it would change now."""

    zone: Zone
    difference: FirstDifference


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection with what it lacks. `untried`: locks of which nobody knows whether they heed an end date."""

    report: CheckReport
    untried: list[str]
    heard: Heard


async def read_connection(web: Web, name: str) -> ConnectionView:
    """Read the page of one connection; the vendor is asked."""
    services = web.services
    async with services.database.read() as tx:
        system = await services.connections.get(tx, name)
        locks = await read_locks(tx, system)
        heard = await heard_of(tx, system.id, web.now)
    connected = services.kill.systems.get(system.id)
    account = await examine_account(connected.port if connected is not None else None)
    untried = [lock.lock for lock in locks if lock.honours_limits == UNKNOWN][:MOST_UNTRIED]
    return ConnectionView(report_of(system, account, locks, web.now), untried, heard)


async def read_adoption(tx: Connection, web: Web) -> AdoptionView:
    """Read the page."""
    at, services = web.now, web.services
    report = await inventory_report(tx, at, unused_days=services.settings.adoption.unused_days)
    keys = await standing_by_key(tx, at, limit=MOST_LINES)
    persons = await standing_by_person(tx, at, limit=MOST_LINES)
    runs = await services.adoption.newest(tx)
    found = await visits(tx, over_the_air(web))
    holders = [PersonId(UUID(line["holder"])) for line in report.lists["holders_left"][:MOST_LINES]]
    everybody = [*holders, *(each.person_id for each in keys), *(each.person_id for each in persons)]
    everybody += [line.person_id for line in found.keys]
    return AdoptionView(
        connections=await services.connections.all(tx),
        report=report,
        share=await share(tx, at),
        zones=await share_by_zone(tx, at),
        keys=keys,
        persons=persons,
        runs=runs,
        left=await services.adoption.left(tx, runs[0].id, limit=MOST_LINES) if runs else [],
        visits=found,
        people=await look_up(tx, everybody, at),
    )


async def read_switch(tx: Connection, web: Web, zone_id: ZoneId) -> SwitchView:
    """Read a zone and what enforcing it would change."""
    return SwitchView(await get_zone(tx, zone_id), await difference_of(tx, web, zone_id))
