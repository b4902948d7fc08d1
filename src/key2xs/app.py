"""The process: opens an installation in one role or several, runs its loops and its web side, and stops in order.

Roles: `serve` answers HTTP, `worker` steps the loops, `sequencer` gives entries their place. All in one process is
the default; several processes share the work through the database.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path

import asyncpg
import uvicorn
import uvloop

from key2xs.access import Access, Permission
from key2xs.core.clock import Clock, StoredClock, SystemClock
from key2xs.core.database import Database
from key2xs.core.errors import NotAllowed, UnsafeSettings
from key2xs.core.loops import Loop
from key2xs.core.migrations import upgrade, upgrade_vault
from key2xs.core.postgres import create_roles, lets_in_without_password, local_passwords, start_cluster
from key2xs.core.runner import Runner
from key2xs.core.settings import HTTP, Settings
from key2xs.grants.evaluator import Evaluator
from key2xs.grants.marker import GrantMarker, LeaseTimer, Sweep
from key2xs.incidents.mass.loop import MassLoop
from key2xs.installation import Dsns, Installation, open_installation
from key2xs.keys.beside import Beside
from key2xs.keys.marker import TargetMarker
from key2xs.ledger.sequencer import CHANNEL, Sequencer, kinds_told
from key2xs.runtime import DemoTime, Runtime

ROLES = frozenset({"serve", "worker", "sequencer"})
TIME_CHANNEL = "key2xs_time"
# The sequencer is the one loop that nothing wakes: entries are committed without a notification, so that a
# thousand transactions a second do not send a thousand of them. Twenty looks a second cost nothing.
SEQUENCER_POLL_SECONDS = 0.05
BESIDE_POLL_SECONDS = 30.0  # the first worker of a key system polls, and wakes the others when it finds work
STOP_WITHIN_SECONDS = 2  # open streams end when told; whoever does not is cut

_LOG = logging.getLogger("key2xs")


@contextmanager
def databases(settings: Settings) -> Iterator[Dsns]:
    """Find the databases the settings name, or run a server of our own in `data_dir` and migrate it. Blocks.

    Raises:
        UnsafeSettings: production mode with a server that lets anybody in.
    """
    named = settings.database
    if named.app:
        dsns = Dsns(
            app=named.app.reveal(),
            log=named.log.reveal(),
            read=named.read.reveal(),
            vault=named.vault.reveal(),
        )
        every_role = (dsns.app, dsns.log, dsns.read, dsns.vault)
        if settings.production and any(lets_in_without_password(dsn) for dsn in every_role):
            message = "the database lets in anybody without a password (trust); production refuses it"
            raise UnsafeSettings(message)
        yield dsns
        return
    folder = settings.data_dir / "postgres"
    with start_cluster(data_dir=folder) as provider:
        made = create_roles(provider.server.dsn, passwords=local_passwords(provider.data_dir))
        upgrade(made.owner)
        upgrade_vault(made.vault)
        yield Dsns(app=made.app, log=made.log, read=made.read, vault=made.vault)


def migrate(settings: Settings) -> None:
    """Bring the databases to the newest schema. Blocks.

    Raises:
        UnsafeSettings: the owner's DSN is missing.
    """
    if not settings.database.app:
        with databases(settings):
            return
    if not settings.database.owner:
        message = "database.owner is needed to migrate"
        raise UnsafeSettings(message)
    upgrade(settings.database.owner.reveal())
    upgrade_vault(settings.database.vault.reveal())


def run(settings: Settings, roles: Collection[str] = ROLES, *, on_ready: str | None = None) -> None:
    """Run in the given roles until told to stop. Blocks.

    Args:
        settings: of the site.
        roles: any of `ROLES`.
        on_ready: a line to print when the web side takes requests.

    Raises:
        UnsafeSettings: production mode with something a plant may not run with.
        OSError: the port cannot be had.
    """
    configure_logging()
    with contextlib.ExitStack() as stack:
        # Bound first of all: a port that somebody else has is said before anything is started.
        bound = stack.enter_context(_bind(settings.http)) if "serve" in roles else None
        dsns = stack.enter_context(databases(settings))
        # uvloop: most of the work here is talking to the database, where it spends less on each round trip.
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        runner.run(_run(settings, dsns, frozenset(roles), bound, on_ready))


def confirm_restored(settings: Settings, reason: str, login: str, password: str) -> None:
    """End narrow-only mode after a restore, on the word of the person who signs in. Blocks.

    Raises:
        SignInRefused: name or password is wrong.
        NotAllowed: the account is no person's, or may not do this.
        Conflict: the log is whole, or a key was not read since the loss was found.
    """
    from key2xs import recovery

    async def confirm(dsns: Dsns) -> None:
        clock = await _clock(settings, dsns)
        async with open_installation(settings, dsns, clock) as installation:
            actor = await _person_of(installation, clock, login, password)
            await recovery.confirm_restored(installation, actor=actor, reason=reason, at=clock.now())

    with databases(settings) as dsns:
        asyncio.run(confirm(dsns))


async def _person_of(installation: Installation, clock: Clock, login: str, password: str) -> str:
    """Sign in for one act at the command line, and return the actor for the log."""
    services = installation.services
    access = Access(services.database, services.ledger, services.vault, clock, services.wall)
    signed = await access.sessions.sign_in(login, password, address="command line")
    await access.sessions.sign_out(signed.secret)
    async with services.database.read() as tx:
        held = await access.authority.holdings(tx, signed.user.roles)
    if signed.user.person_id is None:
        raise NotAllowed("this account is not linked to a person; somebody who is one confirms")
    if Permission.LEDGER_WIDENING_ALLOW not in held.everywhere:
        raise NotAllowed(f"needs the permission {Permission.LEDGER_WIDENING_ALLOW}")
    return f"user:{signed.user.id}"


def configure_logging() -> None:
    """Log one line an event to stderr; libraries only from warnings on."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _LOG.setLevel(logging.INFO)


async def _run(
    settings: Settings, dsns: Dsns, roles: frozenset[str], bound: socket.socket | None, on_ready: str | None
) -> None:
    clock = await _clock(settings, dsns)
    async with open_installation(settings, dsns, clock) as installation:
        loops = [loop for loop in installation.loops if _belongs(loop, roles)]
        runner = make_runner(installation, loops, clock)
        runtime = make_runtime(installation, runner, clock)
        async with listening(installation.services.database, runtime, clock), asyncio.TaskGroup() as group:
            stop = asyncio.Event()
            _stop_on_signals(stop)
            group.create_task(runner.run(), name="loops")
            server = _web_server(settings, installation, runtime, on_ready) if bound is not None else None
            if server is not None and bound is not None:
                group.create_task(_serve(server, bound, stop), name="web")
            keep_what_was_loaded()
            await stop.wait()
            runner.stop()
            if server is not None:
                server.should_exit = True


def keep_what_was_loaded() -> None:
    """Take what start made out of the garbage collector's rounds: it stays for good, and looking through it takes 100 ms."""
    gc.collect()
    gc.freeze()


def make_runner(installation: Installation, loops: Sequence[Loop], clock: Clock) -> Runner:
    """Return the runner of these loops of an installation, each stepped after the one that makes its work."""
    polls = {Sequencer.name: SEQUENCER_POLL_SECONDS}
    names = {loop.name for loop in loops}
    beside = [worker for worker in installation.beside if worker.beside in names]
    polls |= {worker.name: BESIDE_POLL_SECONDS for worker in beside}
    return Runner([*loops, *beside], clock, polls=polls, followers=followers(installation, beside))


def make_runtime(installation: Installation, runner: Runner | None, clock: Clock) -> Runtime:
    """Return what the web side may know and steer of the process."""
    services = installation.services
    moved = runner.wake_due if runner is not None else lambda: None
    demo_time = DemoTime(services.database, clock, moved) if isinstance(clock, StoredClock) else None
    return Runtime(runner=runner, database=services.database, demo_time=demo_time)


def followers(installation: Installation, more: Sequence[Beside] = ()) -> dict[str, list[str]]:
    """Say which loops may have work after a step of another that the log does not tell of: marks and entries.

    `more` are workers that run beside loops of the installation.
    """
    reconcilers = [loop.name for loop in installation.loops if loop.name.startswith("reconciler:")]
    pulls = [loop.name for loop in installation.loops if loop.name.startswith("events:")]
    deciding = [Evaluator.name]
    beside = {name: [each.name for each in more if each.beside == name] for name in reconcilers}
    reconcilers += [name for names in beside.values() for name in names]
    return {
        f"reader:{GrantMarker.name}": deciding,
        LeaseTimer.name: deciding,
        Sweep.name: deciding,
        Evaluator.name: [Sequencer.name],
        MassLoop.name: reconcilers,
        f"reader:{TargetMarker.name}": reconcilers,
        **{name: [Sequencer.name, *beside.get(name, ())] for name in (*reconcilers, *pulls)},
        **{
            f"wakes:{name.partition(':')[2]}": [name, f"inventory:{name.partition(':')[2]}"] for name in pulls
        },
    }


def _belongs(loop: Loop, roles: frozenset[str]) -> bool:
    return ("sequencer" if loop.name == Sequencer.name else "worker") in roles


async def _clock(settings: Settings, dsns: Dsns) -> Clock:
    """Return the clock: the machine's, or in a demo the stored one.

    Raises:
        UnsafeSettings: a real site on a database whose time was once steered.
    """
    database = await Database.open(dsns.app, max_size=1, name="key2xs-start")
    try:
        async with database.transaction() as tx:
            stored: datetime | None = await tx.fetchval("SELECT at FROM domain_time")
    finally:
        await database.close()
    if settings.demo_time:
        return StoredClock(stored or SystemClock().now())
    if stored is not None:
        message = "this database belongs to a demo: its domain time was steered"
        raise UnsafeSettings(message)
    return SystemClock()


@asynccontextmanager
async def listening(database: Database, runtime: Runtime, clock: Clock) -> AsyncIterator[None]:
    """Wake the loops when the log grows, and follow a demo's clock; reconnect when the connection is lost."""
    stop = asyncio.Event()
    task = asyncio.create_task(_listen(database, runtime, clock, stop), name="listen")
    try:
        yield
    finally:
        stop.set()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _listen(database: Database, runtime: Runtime, clock: Clock, stop: asyncio.Event) -> None:
    def hear(_connection: object, _pid: int, channel: str, payload: object) -> None:
        if channel == TIME_CHANNEL and isinstance(clock, StoredClock):
            clock.follow(datetime.fromisoformat(str(payload)))
            runtime.wake_due()
        elif kinds := kinds_told(str(payload)):
            runtime.hear(kinds)
        else:
            runtime.wake()

    while not stop.is_set():
        lost = asyncio.Event()
        try:
            connection = await database.connect()
            connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
            for channel in (CHANNEL, TIME_CHANNEL):
                await connection.add_listener(channel, hear)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await _pause(stop)
            continue
        runtime.wake()
        await lost.wait()


async def _pause(stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), 1)


def _web_server(
    settings: Settings, installation: Installation, runtime: Runtime, on_ready: str | None
) -> uvicorn.Server:
    # Imported here: a worker or sequencer that takes over must not first load the web side (1.4 of 2 seconds).
    from key2xs.api.app import create_app, stop_streams

    http = settings.http
    app = create_app(installation.services, runtime)
    return _Server(
        uvicorn.Config(
            app,
            ssl_certfile=_path(http.tls_certificate),
            ssl_keyfile=_path(http.tls_key),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_SECONDS,
        ),
        on_ready,
        before_shutdown=lambda: stop_streams(app),
    )


def _bind(http: HTTP) -> socket.socket:
    # The protocol is named, because asyncio switches Nagle's algorithm off only for sockets that say TCP.
    found = socket.getaddrinfo(
        http.host, http.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        message = f"cannot listen on {http.host}:{http.port}: {error.strerror}"
        raise OSError(message) from error
    return bound


async def _serve(server: uvicorn.Server, bound: socket.socket, stop: asyncio.Event) -> None:
    await server.serve(sockets=[bound])
    stop.set()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)


class _Server(uvicorn.Server):
    """A web server that leaves signals to us: it would stop before the loops finished their step."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: str | None,
        *,
        before_shutdown: Callable[[], Awaitable[None]],
    ) -> None:
        """Print `on_ready` when requests are taken; call `before_shutdown` before open requests are waited for."""
        super().__init__(config)
        self._on_ready, self._before_shutdown = on_ready, before_shutdown

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so to whoever started us."""
        await super().startup(sockets=sockets)
        if self.started and self._on_ready:
            print(self._on_ready, flush=True)  # noqa: T201 - the one line on stdout

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what would never end by itself, then stop."""
        await self._before_shutdown()
        await super().shutdown(sockets=sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _path(path: Path | None) -> str | None:
    return str(path) if path is not None else None
