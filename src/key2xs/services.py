"""All domain services of one site, built once; what the API, the console and the loops are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from key2xs.core.clock import Clock
from key2xs.core.database import Database
from key2xs.core.settings import IloqSystem, Settings
from key2xs.core.vault import Vault
from key2xs.grants.bases import BasisReader
from key2xs.grants.evaluator import Evaluator
from key2xs.grants.mass import MassActions
from key2xs.grants.requests import Requests
from key2xs.identity import Identity
from key2xs.keys.custody import Custody
from key2xs.keys.events import EventStore
from key2xs.keys.exposure_types import ExposureSettings
from key2xs.keys.kill import Kill
from key2xs.keys.openers import Openers
from key2xs.keys.planner import Planner
from key2xs.keys.registry import Registry
from key2xs.keys.targets import Targets
from key2xs.ledger import Ledger
from key2xs.work.desk import Desk


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms' services, wired."""

    settings: Settings
    database: Database
    clock: Clock
    wall: Clock
    vault: Vault
    ledger: Ledger
    bases: BasisReader
    registry: Registry
    custody: Custody
    targets: Targets
    planner: Planner
    openers: Openers
    events: EventStore
    requests: Requests
    mass: MassActions
    evaluator: Evaluator
    kill: Kill
    identity: Identity
    desk: Desk
    """What the work room needs to take events in."""


def build_services(
    settings: Settings, database: Database, vault: Vault, clock: Clock, wall: Clock
) -> Services:
    """Wire the domain services of one site on an open database.

    Args:
        settings: the site's settings.
        database: connected with the app role.
        vault: the personal data keys.
        clock: domain time.
        wall: real time, for leases between workers.
    """
    ledger = Ledger(vault)
    identity = Identity(ledger, vault, settings.zone)
    registry = Registry(ledger)
    custody = Custody(ledger, registry)
    targets = Targets(ledger)
    bases = BasisReader(settings.leases)
    planner = Planner(custody, settings.zone)
    openers = Openers(ledger, targets, custody, exposure_settings(settings.iloq))
    return Services(
        settings=settings,
        database=database,
        clock=clock,
        wall=wall,
        vault=vault,
        ledger=ledger,
        bases=bases,
        registry=registry,
        custody=custody,
        targets=targets,
        planner=planner,
        openers=openers,
        kill=Kill(registry, custody, targets, planner, openers),
        events=EventStore(ledger, custody),
        requests=Requests(ledger),
        mass=MassActions(ledger),
        evaluator=Evaluator(database, ledger, bases, custody),
        identity=identity,
        desk=Desk(ledger, vault, identity),
    )


def exposure_settings(systems: Sequence[IloqSystem]) -> Mapping[str, ExposureSettings]:
    """Return what each key system's settings say about clocks."""
    return {
        system.name: ExposureSettings(
            margin_base=timedelta(seconds=system.clock_margin_seconds),
            margin_per_day=timedelta(seconds=system.clock_drift_seconds_per_day),
            phone_supplies_time=system.phone_supplies_time,
        )
        for system in systems
    }
