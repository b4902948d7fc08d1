"""One cluster: make it, start its server as our own child, tell whether it lives, stop it."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from key2xs.core.postgres.account import give_to, spawn
from key2xs.core.postgres.errors import StartFailed
from key2xs.core.postgres.layout import SOCKET_NAME, Layout, prepare_log, shared_memory_size
from key2xs.core.postgres.locate import Binaries

SUPERUSER = "postgres"

# A parallel hash join failed in the middle with 64 MB of /dev/shm (a container's default); with mmap it works.
SMALL_SHARED_MEMORY = 256 * 1024 * 1024

# After its postmaster was killed, old backends hold the memory until they notice; this long we try again.
_RETRY_SECONDS = 10.0
_POLL_SECONDS = 0.01

# How often the two polite stops may take before the next one: fast (finish writing), immediate (just go).
_FAST_STOP_SECONDS = 20.0
_IMMEDIATE_STOP_SECONDS = 5.0

_TAIL_LINES = 8


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What `postmaster.pid` says."""

    pid: int
    sockets: Path
    ready: bool


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Read `postmaster.pid`; None when there is none, or only half of one yet."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        # Lines: pid, data directory, start, port, socket directory, listen address, memory key, status.
        return Postmaster(int(lines[0]), Path(lines[4]), ready=lines[7].strip() == "ready")
    except (FileNotFoundError, IndexError, ValueError):
        return None


def find_running(cluster: Path) -> Postmaster | None:
    """Return the live server of this cluster, whoever started it.

    A pid file outlives its server, and its number may be a zombie's or belong to another program by now.
    """
    found = read_postmaster(cluster)
    return found if found and _is_postgres_of(found.pid, cluster) else None


@dataclass(slots=True)
class Cluster:
    """A data directory, the programs to run it with, and its server process if it is our child."""

    binaries: Binaries
    layout: Layout
    settings: Mapping[str, str]
    child: subprocess.Popen[bytes] | None = None

    def make(self, password: str, *, durable: bool = True) -> None:
        """Make the cluster: UTF-8, C collation, SCRAM for everyone, the superuser's password set.

        It appears whole or not at all: a half-made one from a killed process is thrown away.

        Args:
            password: the superuser's.
            durable: flush it to disk; False only for clusters thrown away after a test run.

        Raises:
            StartFailed: initdb said no; its words are in the message.
        """
        target = self.layout.cluster
        unfinished = target.with_name(target.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give_to(unfinished, self.layout.account)
        with _secret_file(password, self.layout) as password_file:
            argv = [self.binaries.program("initdb"), "-D", str(unfinished), "-U", SUPERUSER]
            argv += ["-A", "scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8"]
            argv += [] if durable else ["--no-sync"]
            if self.binaries.major >= 16:  # the option is new in 16
                argv += _shared_memory_settings()
            self._run(argv)
        unfinished.rename(target)

    def start(self, within: float) -> None:
        """Start the server and wait until it takes connections.

        Args:
            within: seconds to wait for recovery and start.

        Raises:
            StartFailed: it ended or was not ready in time; its last words are in the message.
        """
        deadline = time.monotonic() + within
        retry_until = time.monotonic() + min(_RETRY_SECONDS, within)
        while True:
            self._clear_stale_files()
            prepare_log(self.layout.log)
            with self.layout.log.open("ab") as log:
                self.child = spawn(self._server_argv(), self.layout.account, output=log)
            if self._wait_until_ready(deadline):
                return
            self.child = None
            if time.monotonic() > retry_until or not _will_pass(self.layout.log):
                raise StartFailed(
                    f"{self.binaries} did not start on {self.layout.cluster}: {_tail(self.layout.log)}"
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server: fast, then immediate; one that ignores both is killed and recovers at its next start."""
        for stop_signal, seconds in (
            (signal.SIGINT, _FAST_STOP_SECONDS),
            (signal.SIGQUIT, _IMMEDIATE_STOP_SECONDS),
            (signal.SIGKILL, _IMMEDIATE_STOP_SECONDS),
        ):
            if self._stopped_by(stop_signal, seconds):
                break
        self.child = None
        if self.layout.sockets.parent != self.layout.data_dir:
            # The short one in the temporary folder; made again at the next start.
            with contextlib.suppress(OSError):
                self.layout.sockets.rmdir()

    def is_running(self) -> bool:
        """Tell whether the server lives; reaps our child if it does not."""
        if self.child is not None:
            return self.child.poll() is None
        return find_running(self.layout.cluster) is not None

    def _server_argv(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            # In double quotes: the setting is a list, and a path may hold spaces and commas.
            "unix_socket_directories": f'"{self.layout.sockets}"',
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self.settings,
        }
        argv = [self.binaries.program("postgres"), "-D", str(self.layout.cluster)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return argv + _shared_memory_settings()

    def _wait_until_ready(self, deadline: float) -> bool:
        assert self.child is not None  # noqa: S101 - set just before
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                return False
            found = read_postmaster(self.layout.cluster)
            if found and found.ready and found.pid == self.child.pid:
                return True
            time.sleep(_POLL_SECONDS)
        self.child.send_signal(signal.SIGQUIT)
        self.child.wait()
        return False

    def _clear_stale_files(self) -> None:
        """Remove the pid files of a dead server that PostgreSQL itself would take for a live one.

        That is so when the number is a zombie's, or another program's of the same user. The memory of old
        backends still protects the data: the new server finds it by the directory's identity and refuses.
        """
        found = read_postmaster(self.layout.cluster)
        if found is None or _is_postgres_of(found.pid, self.layout.cluster):
            return
        for path in (
            self.layout.cluster / "postmaster.pid",
            self.layout.sockets / SOCKET_NAME,
            self.layout.sockets / f"{SOCKET_NAME}.lock",
        ):
            path.unlink(missing_ok=True)

    def _stopped_by(self, stop_signal: signal.Signals, seconds: float) -> bool:
        """Send the signal; tell whether the server was gone in time."""
        if self.child is not None:
            self.child.send_signal(stop_signal)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return True
        deadline = time.monotonic() + seconds
        found = find_running(self.layout.cluster)
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, stop_signal)
        while find_running(self.layout.cluster):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _run(self, argv: list[str]) -> None:
        with tempfile.TemporaryFile() as output:
            process = spawn(argv, self.layout.account, output=output)
            if process.wait(timeout=120) != 0:
                output.seek(0)
                words = output.read().decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
                raise StartFailed(f"{self.binaries} could not make {self.layout.cluster}: {' '.join(words)}")


@contextlib.contextmanager
def _secret_file(content: str, layout: Layout) -> Iterator[Path]:
    """Hold a secret in a file that only the server's account reads, for the length of the block."""
    path = layout.sockets / f"initdb-{secrets.token_hex(8)}"
    path.touch(mode=0o600)
    try:
        path.write_text(content, encoding="utf-8")
        give_to(path, layout.account)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _shared_memory_settings() -> list[str]:
    if shared_memory_size() >= SMALL_SHARED_MEMORY:
        return []
    return ["-c", "dynamic_shared_memory_type=mmap"]


def _is_postgres_of(pid: int, cluster: Path) -> bool:
    """Tell whether the process is a live server of this cluster."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # alive, of another user; /proc says more
    process = Path("/proc", str(pid))
    if not process.exists():
        return not Path("/proc/self").exists()  # no /proc on this system: alive is all we can know
    try:
        # "pid (name) state ...": the name may hold anything, so look behind the last bracket.
        state = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
        # The server's working directory is its data directory.
        return state not in {"Z", "X"} and (process / "cwd").readlink() == cluster.resolve()
    except PermissionError:
        return True  # alive and not ours to look into: leave its files alone
    except (FileNotFoundError, ProcessLookupError):
        return False


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return "it left no log"
    return " ".join(lines[-_TAIL_LINES:])


def _will_pass(log: Path) -> bool:
    """Tell whether the refusal is one that ends by itself: somebody's last backends are still leaving."""
    last_words = _tail(log)
    return "still in use" in last_words or "lock file" in last_words
