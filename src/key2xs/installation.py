"""One running installation: databases, secrets, the log, services and loops, opened and closed in order.

This is the only module, with `app`, that knows domains and connectors together. Tests open the same installation
on a database of their own, with a clock they move and a transport that leads to the twin.
"""

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeAlias

import httpx2

from key2xs.access.holds import Holds
from key2xs.access.retention import RetentionLoop
from key2xs.connectors.factory import Make, call_limits, hook_vendor_of, make_of
from key2xs.core.clock import Clock, SystemClock
from key2xs.core.database import Connection, Database
from key2xs.core.errors import UnsafeSettings
from key2xs.core.loops import Loop
from key2xs.core.outside import IloqSystem, KeySystemSettings, SyslogSink
from key2xs.core.settings import Settings
from key2xs.core.vault import Vault
from key2xs.grants.bundles import ensure_bundle
from key2xs.grants.marker import GrantMarker, LeaseTimer, Sweep
from key2xs.identity.boundaries import BoundaryLoop as IdentityBoundaries
from key2xs.incidents.loops import EgressWatch, KillLoop
from key2xs.incidents.mass.loop import MassLoop
from key2xs.incidents.notices import IdentityNotices
from key2xs.incidents.warnings import WarningLoop
from key2xs.incidents.watches import CheckInWatch
from key2xs.keys.adoption.loops import AdoptionLoop, StandingReader
from key2xs.keys.beside import Beside, workers_beside
from key2xs.keys.budget import Budget
from key2xs.keys.connected import Connected
from key2xs.keys.coverage.warnings import MemoryLoop
from key2xs.keys.desk.cabinets.taking import TakerReader
from key2xs.keys.desk.due import OverdueLoop
from key2xs.keys.desk.leaving import HolderWatch
from key2xs.keys.events import EventPull, Reclassifier
from key2xs.keys.marker import TargetMarker
from key2xs.keys.reconciler import Reconciler
from key2xs.keys.recovery import read_all_again
from key2xs.keys.registry import InventoryLoop
from key2xs.keys.reopening.loops import ReopeningReader, UnreadLoop
from key2xs.keys.returning import ReturnLoop
from key2xs.keys.sealed_watch import SealLoop
from key2xs.keys.sessions import SealedSessions
from key2xs.keys.subscribing import HookKeeper
from key2xs.keys.tagging import TagLoop
from key2xs.keys.types import KeySystem
from key2xs.keys.waking import Sleeper, WakeLoop
from key2xs.ledger import PassingOver, Reader, ReaderLoop
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.opening import Opened, open_log, tell_loss
from key2xs.ledger.sequencer import Sequencer
from key2xs.services import Services, build_services, exposure_settings, rings_of
from key2xs.telemetry.reader import SyslogReader
from key2xs.telemetry.syslog_tls import SyslogTarget, SyslogTlsSender
from key2xs.work.loops import BoundaryLoop as WorkBoundaries, PeopleReader, SilenceLoop

Transports: TypeAlias = Callable[[KeySystemSettings], httpx2.AsyncBaseTransport | None]

SEED_BYTES = 32
START = "key2xs.start"
# A SIEM wants entries soon, and a receiver that stalls must not hold the others' transactions open for long.
SYSLOG_BATCH = 100


@dataclass(frozen=True, slots=True)
class Dsns:
    """Where each role connects."""

    app: str
    log: str
    read: str
    vault: str


@dataclass
class Installation:
    """Everything that runs, opened."""

    services: Services
    log_database: Database
    sequencer: Sequencer
    opened: Opened
    connected: list[Connected] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    beside: list[Beside] = field(default_factory=list)
    """More workers of some of the loops, for a process that runs them: whoever steps the loops himself needs none."""


@asynccontextmanager
async def open_installation(
    settings: Settings,
    dsns: Dsns,
    clock: Clock,
    *,
    wall: Clock | None = None,
    transports: Transports = lambda _system: None,
    seed: bytes | None = None,
    master_key: bytes | None = None,
) -> AsyncIterator[Installation]:
    """Open an installation and close it in the end; nothing runs before the caller steps the loops.

    Args:
        settings: of the site.
        dsns: of migrated databases.
        clock: domain time.
        wall: real time; the machine's where not given.
        transports: how to reach a key system in tests; None for the network.
        seed: the log's signing key; read from or made in the settings' place where not given.
        master_key: the vault's; likewise.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:

        async def database(dsn: str, name: str) -> Database:
            opened = await Database.open(dsn, name=name)
            stack.push_async_callback(opened.close)
            return opened

        app, log = await database(dsns.app, "key2xs"), await database(dsns.log, "key2xs-sequencer")
        vault_database = await database(dsns.vault, "key2xs-vault")
        may_make = not settings.production
        master_key = master_key or secret_file(
            settings.master_key or settings.data_dir / "master.key", may_make=may_make
        )
        vault = Vault(vault_database, master_key, clock)
        services = build_services(settings, app, vault, clock, wall or SystemClock())
        seed = seed or secret_file(
            settings.log.signing_key or settings.data_dir / "log-signing.key", may_make=may_make
        )
        copy = CheckpointCopy(settings.log.checkpoint_copy or settings.data_dir / "checkpoint")
        origin = settings.log.origin or f"{settings.site_code.lower()}.key2xs.example/log"
        opened = await open_log(log, origin=origin, seed=seed, copy=copy, at=clock.now())
        await _begin(services, opened)
        sequencer = Sequencer(log, seed, vault.stream_key, copy)
        stack.push_async_callback(sequencer.close)
        installation = Installation(services, log, sequencer, opened)
        await _connect(installation, stack, transports)
        _add_loops(installation, stack)
        yield installation


async def _begin(services: Services, opened: Opened) -> None:
    """Tell what start found: a log that lost entries, and the policy in force."""
    now = services.clock.now()

    async def tell(tx):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        await _one_starts(tx)
        await tell_loss(tx, services.ledger, opened, now)
        await ensure_bundle(tx, services.ledger, at=now)
        if opened.lost is not None:
            # Whatever is possibly on devices may be something that this database never heard of.
            await read_all_again(tx, now)

    await services.database.transact(tell)


async def _connect(installation: Installation, stack: AsyncExitStack, transports: Transports) -> None:
    services = installation.services
    for system in services.settings.key_systems:
        make = make_of(system)
        stored = await services.database.transact(
            lambda tx, s=system, m=make: _ensure_system(tx, services, s, m)  # type: ignore[misc]
        )
        budget = Budget(
            services.database, services.ledger, stored.id, system.name, call_limits(system), services.wall
        )
        port = make.build(
            system,
            services.settings,
            store=SealedSessions(services.database, services.vault, stored.id),
            clock=services.clock,
            transport=transports(system),
            budget=budget,
        )
        stack.push_async_callback(port.close)
        connected = Connected(
            stored.id,
            system.name,
            port,
            offline_expires_after=timedelta(minutes=system.offline_expiry_minutes),
            deliver_ahead=timedelta(minutes=services.settings.leases.programmed_ahead_minutes),
            reread=timedelta(minutes=system.reread_minutes),
            watched_reread=timedelta(minutes=system.watched_reread_minutes),
            visit_patience=timedelta(minutes=system.visit_patience_minutes),
            budget=budget,
        )
        installation.connected.append(connected)
        services.kill.connect(connected)
        inventory = InventoryLoop(
            services.database,
            services.registry,
            stored,
            port,
            pace=timedelta(minutes=system.inventory_minutes),
        )
        pull = EventPull(
            services.database,
            services.events,
            stored,
            port,
            pace=timedelta(seconds=system.events_seconds),
        )
        installation.loops += _called(installation, stack, transports, system, connected, inventory, pull)
        if isinstance(system, IloqSystem):
            installation.loops.append(
                ReturnLoop(services.database, services.ledger, stored.id, system.name, port)
            )
        if isinstance(system, IloqSystem) and system.tag_permits:
            installation.loops.append(
                TagLoop(services.database, services.ledger, stored.id, system.name, port)
            )
        work = partial(
            Reconciler,
            services.database,
            connected,
            registry=services.registry,
            custody=services.custody,
            targets=services.targets,
            planner=services.planner,
            openers=services.openers,
            visits=services.visits,
            grants=services.evaluator,
            clock=services.clock,
            wall=services.wall,
            brake=services.brake,
            drift=services.drift,
        )
        first = work()
        installation.loops += [inventory, pull, first]
        installation.beside += workers_beside(first, partial(work, setbacks=first.setbacks))


def _called(
    installation: Installation,
    stack: AsyncExitStack,
    transports: Transports,
    system: KeySystemSettings,
    connected: Connected,
    inventory: InventoryLoop,
    pull: EventPull,
) -> list[Loop]:
    """Have a key system call us, where the site wants that."""
    services, system_id = installation.services, connected.system_id
    store = SealedSessions(services.database, services.vault, system_id, account="hooks")
    vendor = hook_vendor_of(
        system,
        services.settings,
        store=store,
        clock=services.clock,
        transport=transports(system),
        budget=connected.budget,
    )
    if vendor is None or not isinstance(system, IloqSystem):
        return []
    stack.push_async_callback(vendor.close)
    services.hooks.connect(
        system.name, system_id, vendor, longest_age=timedelta(hours=system.webhook_age_hours)
    )
    keeper = HookKeeper(
        services.database,
        services.ledger,
        services.vault,
        system_id,
        system.name,
        vendor,
        url=system.webhook_url,
        lasts=timedelta(days=system.webhook_days),
        renew_before=timedelta(days=system.webhook_renew_days),
    )
    sleepers: dict[str, Sleeper] = {"events": pull, "inventory": inventory}
    return [keeper, WakeLoop(services.database, system_id, system.name, sleepers)]


async def _ensure_system(
    tx: Connection, services: Services, system: KeySystemSettings, make: Make
) -> KeySystem:
    await _one_starts(tx)
    return await services.registry.ensure_system(
        tx, system.name, make.vendor, services.clock.now(), interface=make.interface
    )


async def _one_starts(tx: Connection) -> None:
    """Let processes that start at once do this one after the other: what the first one makes, the next one finds."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", START)


def _add_loops(installation: Installation, stack: AsyncExitStack) -> None:
    services, desk = installation.services, installation.services.desk
    database, settings = services.database, services.settings
    readers: Sequence[Reader] = [
        GrantMarker(),
        TargetMarker(services.registry, services.targets),
        Reclassifier(services.events),
        HolderWatch(services.key_desk),
        IdentityNotices(services.ledger),
        TakerReader(services.key_desk),
        PeopleReader(desk, services.clock),
        StandingReader(services.standing),
        ReopeningReader(services.reopenings, services.clock, exposure_settings(settings.key_systems)),
    ]
    installation.loops += [
        installation.sequencer,
        PassingOver(database, readers),
        *(ReaderLoop(database, reader) for reader in readers),
        services.evaluator,
        LeaseTimer(database),
        Sweep(database, services.bases, settings.leases.sweep),
        RetentionLoop(
            database, services.ledger, Holds(services.ledger, services.vault), settings.privacy.kept
        ),
        IdentityBoundaries(database, services.ledger),
        WorkBoundaries(database, desk),
        SilenceLoop(database, desk),
        KillLoop(database, services.kills),
        MassLoop(database, services.mass_runs),
        EgressWatch(database, services.ways_out),
        CheckInWatch(database, services.watches),
        OverdueLoop(database, services.ledger, settings.desk),
        AdoptionLoop(database, services.adoption, settings.adoption.batch),
        SealLoop(database, services.ledger),
        MemoryLoop(
            database,
            services.ledger,
            rings_of(settings.key_systems),
            timedelta(hours=settings.evidence.warn_ahead_hours),
        ),
        UnreadLoop(
            database,
            services.reopenings,
            {system.name: timedelta(hours=system.unread_hours) for system in settings.key_systems},
        ),
        WarningLoop(
            database,
            services.ledger,
            settings,
            services.paper,
            services.sealed,
            lambda: told_problems(installation.loops),
        ),
    ]
    for sink in settings.syslog:
        reader = _syslog_reader(sink, settings)
        stack.push_async_callback(reader.close)
        installation.loops.append(ReaderLoop(database, reader, batch=SYSLOG_BATCH))


def told_problems(loops: Sequence[Loop]) -> dict[str, str]:
    """Return what loops say of themselves: another system is down, and they go on trying."""
    return {loop.name: why for loop in loops if isinstance(why := getattr(loop, "problem", None), str)}


def _syslog_reader(sink: SyslogSink, settings: Settings) -> SyslogReader:
    if sink.ca is None or sink.certificate is None or sink.key is None:
        message = f"syslog sink {sink.name} needs ca, certificate and key"
        raise ValueError(message)
    target = SyslogTarget(
        host=sink.host,
        port=sink.port,
        ca=sink.ca,
        certificate=sink.certificate,
        key=sink.key,
        server_name=sink.server_name,
    )
    return SyslogReader(
        sink.name, SyslogTlsSender(target), host=settings.site_code.lower(), limit=sink.longest_message
    )


def secret_file(path: Path, *, may_make: bool = True) -> bytes:
    """Return the 32 secret bytes kept in a file (hex), making the file at first use, readable by its owner only.

    Raises:
        UnsafeSettings: there is no such file and none may be made: a plant that mistyped a path would otherwise get a
            new key, and with it a log that does not verify and personal data that nobody can read.
    """
    if not path.exists() and not may_make:
        message = (
            f"there is no {path}; make it once with `openssl rand -hex 32`, readable by the service only"
        )
        raise UnsafeSettings(message)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside it and then named, so that processes that start at once never read half a secret.
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(secrets.token_hex(SEED_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return bytes.fromhex(path.read_text(encoding="ascii").strip())
