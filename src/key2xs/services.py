"""All domain services of one site, built once; what the API, the console and the loops are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from key2xs.core.clock import Clock
from key2xs.core.database import Database
from key2xs.core.outside import CliqSystem, IloqSystem, KeySystemSettings
from key2xs.core.settings import Settings
from key2xs.core.vault import Vault
from key2xs.grants.bases import BasisReader
from key2xs.grants.evaluator import Evaluator
from key2xs.grants.holding import Holding
from key2xs.grants.mass import MassActions
from key2xs.grants.requests import Requests
from key2xs.identity import Identity
from key2xs.incidents.inside import WaysOut
from key2xs.incidents.key_ends import KeyEnds
from key2xs.incidents.kills import Kills
from key2xs.incidents.mass.acting import MassRuns
from key2xs.incidents.mass.looking import Looks
from key2xs.incidents.watches import Watches
from key2xs.keys.adoption.brake import BulkBrake
from key2xs.keys.adoption.connections import Connections
from key2xs.keys.adoption.difference import FirstDifferences
from key2xs.keys.adoption.readiness import Rollouts
from key2xs.keys.adoption.runs import AdoptionRuns
from key2xs.keys.adoption.standing import Standing
from key2xs.keys.block_visits import BlockVisits
from key2xs.keys.coverage.forecast import RINGS, Ring
from key2xs.keys.custody import Custody
from key2xs.keys.desk.parts import KeyDesk
from key2xs.keys.drift.acts import DriftActs
from key2xs.keys.drift.watch import Drift
from key2xs.keys.events import EventStore
from key2xs.keys.exposure_types import ExposureSettings
from key2xs.keys.kill import Kill
from key2xs.keys.openers import Openers
from key2xs.keys.planner import Planner
from key2xs.keys.registry import Registry
from key2xs.keys.reopening.noticing import Noticing
from key2xs.keys.reopening.store import Reopenings
from key2xs.keys.sealed import SealedKeys
from key2xs.keys.targets import Targets
from key2xs.keys.waking import HookDoor
from key2xs.ledger import Ledger
from key2xs.work.desk import Desk
from key2xs.work.paper import PaperPermits


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
    standing: Standing
    connections: Connections
    brake: BulkBrake
    adoption: AdoptionRuns
    differences: FirstDifferences
    rollouts: Rollouts
    openers: Openers
    reopenings: Reopenings
    visits: BlockVisits
    drift: Drift
    drift_acts: DriftActs
    events: EventStore
    requests: Requests
    mass: MassActions
    evaluator: Evaluator
    kill: Kill
    holding: Holding
    """What safety rules hold, and releasing it."""
    key_ends: KeyEnds
    kills: Kills
    looks: Looks
    mass_runs: MassRuns
    """Ending access for many at once: looking before, and carrying it out."""
    ways_out: WaysOut
    watches: Watches
    identity: Identity
    desk: Desk
    """What the work room needs to take events in."""
    key_desk: KeyDesk
    """What acts at the key desk need."""
    paper: PaperPermits
    sealed: SealedKeys
    hooks: HookDoor
    """Where key systems call."""


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
    custody = Custody(ledger, registry, between=timedelta(minutes=settings.desk.between_minutes))
    targets = Targets(ledger)
    bases = BasisReader(settings.leases)
    standing = Standing(ledger)
    planner = Planner(standing, settings.zone, lock_box_allowance=bases.hold_allowance)
    exposures = exposure_settings(settings.key_systems)
    openers = Openers(ledger, targets, exposures)
    reopenings = Reopenings(ledger, openers)
    desk = Desk(ledger, vault, identity)
    kill = Kill(registry, custody, targets, planner, openers)
    holding = Holding(ledger, custody, bases.hold_allowance)
    mass = MassActions(ledger, holding)
    ways_out, key_ends = WaysOut(ledger), KeyEnds(mass, kill, custody, registry, standing)
    kills = Kills(ledger, mass, kill, key_ends, ways_out, identity, wait=settings.safety.kill_wait)
    rates = {system.name: system.calls.a_second for system in settings.key_systems}
    looks = Looks(ledger, holding, ways_out, openers, wait=settings.safety.kill_wait, rates=rates)
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
        standing=standing,
        connections=Connections(ledger),
        brake=BulkBrake(database, ledger, settings.adoption.bulk_limit),
        adoption=AdoptionRuns(ledger),
        differences=FirstDifferences(ledger, registry, custody, planner, standing),
        rollouts=Rollouts(ledger),
        openers=openers,
        reopenings=reopenings,
        visits=BlockVisits(ledger),
        drift=Drift(ledger, standing),
        drift_acts=DriftActs(ledger),
        kill=kill,
        holding=holding,
        key_ends=key_ends,
        kills=kills,
        looks=looks,
        mass_runs=MassRuns(ledger, holding, looks, kills, ways_out, standing),
        ways_out=ways_out,
        watches=Watches(ledger),
        events=EventStore(ledger, custody, Noticing(reopenings, exposures)),
        requests=Requests(ledger),
        mass=mass,
        evaluator=Evaluator(database, ledger, bases, custody, holding),
        identity=identity,
        desk=desk,
        key_desk=KeyDesk(ledger, vault, identity, registry, custody, kill, settings.desk, settings.cabinets),
        paper=PaperPermits(desk, settings.continuity, [source.name for source in settings.permits]),
        sealed=SealedKeys(ledger, registry, custody, settings.continuity, settings.zone),
        hooks=HookDoor(database, vault, clock),
    )


def rings_of(systems: Sequence[KeySystemSettings]) -> Mapping[str, Ring]:
    """Return how many rows the memories of each key system keep."""
    return {
        system.name: Ring(system.lock_rows) if isinstance(system, IloqSystem) else RINGS["cliq"]
        for system in systems
    }


def exposure_settings(systems: Sequence[KeySystemSettings]) -> Mapping[str, ExposureSettings]:
    """Return what each key system's settings say about clocks and other things the facts leave open."""
    return {
        system.name: ExposureSettings(
            margin_base=timedelta(seconds=system.clock_margin_seconds),
            margin_per_day=timedelta(seconds=system.clock_drift_seconds_per_day),
            phone_supplies_time=isinstance(system, IloqSystem) and system.phone_supplies_time,
            offline_revives=not isinstance(system, CliqSystem) or system.offline_revives,
        )
        for system in systems
    }
