"""Child processes of the smoke suite: started, killed, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
# Seconds; never reached unless something is wrong, however much else this machine does.
LONGEST = 120.0

# What a child does first: ask the kernel to end it when we die without a word (Linux; elsewhere only we can).
_BOUND = (
    "import ctypes, os, sys\n"
    "if sys.platform == 'linux':\n"
    "    ctypes.CDLL(None).prctl(1, {death}, 0, 0, 0)\n"
    "    os.getppid() == {parent} or os._exit(1)\n"
)
_PRODUCT = "from key2xs.cli import main; main()"
_TWIN = "import runpy; runpy.run_module('tests.smoke.tiny_twin', run_name='__main__')"


class Child:
    """One process with its output in two files."""

    def __init__(
        self,
        name: str,
        code: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        death: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Run Python `code` with `arguments`; output goes to files in `folder`, `death` comes to it when we die."""
        self.name = name
        self.stdout, self.stderr = folder / f"{name}.out", folder / f"{name}.err"
        first = _BOUND.format(parent=os.getpid(), death=int(death))
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", first + code, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=ROOT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def output(self) -> str:
        """Everything it wrote so far, to both."""
        return "".join(
            each.read_text(encoding="utf-8", errors="replace") for each in (self.stdout, self.stderr)
        )

    def line(self, starting: str, *, within: float = LONGEST) -> str:
        """Wait for a line on stdout that begins so."""
        found: list[str] = []

        def said() -> bool:
            assert self.is_running, f"{self.name} ended: {self.output[-3000:]}"
            lines = self.stdout.read_text(encoding="utf-8").split("\n")[:-1]
            found[:] = [line for line in lines if line.startswith(starting)]
            return bool(found)

        wait_until(said, within=within)
        return found[-1]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self, *, within: float = LONGEST) -> tuple[int, float]:
        """Ask it to end; the exit code and the seconds it took.

        Raises:
            AssertionError: it did not end; it is killed then.
        """
        begun = time.monotonic()
        self.process.terminate()
        return self.ended(within=within), time.monotonic() - begun

    def ended(self, *, within: float = LONGEST) -> int:
        """Wait until it has ended by itself; the exit code.

        Raises:
            AssertionError: it did not; it is killed then.
        """
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end in {within:g} s: {self.output[-3000:]}") from None


def product(name: str, arguments: Sequence[str], folder: Path, config: Path) -> Child:
    """Run the product's command."""
    # The one with a database server of its own must be able to stop it.
    death = signal.SIGTERM if arguments == ["serve"] else signal.SIGKILL
    return Child(name, _PRODUCT, arguments, folder, {"KEY2XS_CONFIG": str(config)}, death=death)


def tiny_twin(folder: Path) -> Child:
    """Run the twin of the tiny site."""
    return Child("twin", _TWIN, [str(folder / "vendor-sessions")], folder, {})


def end_all(children: Sequence[Child]) -> None:
    """End what still runs, whatever happened: politely, then not."""
    running = [child for child in children if child.is_running]
    for child in running:
        child.thaw()
        child.process.terminate()
    deadline = time.monotonic() + LONGEST
    for child in running:
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()


def processes_under(folder: Path) -> list[int]:
    """Return the ids of living processes whose working directory lies in a folder: servers of ours and their workers."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            where = (process / "cwd").readlink()
            state = (
                (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            )
        except OSError:
            continue
        if where.is_relative_to(folder.resolve()) and state not in {"Z", "X"}:
            found.append(int(process.name))
    return found


def kill_under(folder: Path) -> None:
    """Kill what still works in a folder; for the end of a test that failed."""
    for pid in processes_under(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    pause = threading.Event()
    while processes_under(folder):
        pause.wait(0.02)
