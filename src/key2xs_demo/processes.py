"""Child processes that never outlive the demo.

Each gets a process group of its own, so that Ctrl-C reaches the demo alone and it stops them in order; and the kernel
ends them when the demo dies without a word.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # Linux: prctl(2)
STOP_WITHIN = 20.0  # seconds: loops finish their step, PostgreSQL writes what it has
_LAST_LINES = 15


class ProcessFailed(Exception):
    """A process of the demo ended or did not come up; the message has its last words."""


class Process:
    """One child: started, waited for until it says it is ready, stopped."""

    def __init__(
        self, name: str, argv: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run `argv`; everything it writes goes to `log`."""
        self.name = name
        self._argv, self._log, self._environment = argv, log, environment
        self._process: asyncio.subprocess.Process | None = None
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=_environment(self._environment),
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),
            )
        self._reading = asyncio.create_task(self._read(), name=f"output of {self.name}")

    async def line(self, starting: str = "", *, within: float = 60.0) -> str:
        """Return the next line it writes that begins with `starting`.

        Raises:
            ProcessFailed: it ended, or said nothing of the kind in time.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    line = await self._lines.get()
                    if not line:
                        raise ProcessFailed(f"{self.name} ended: {self.last_words()}")
                    if line.startswith(starting):
                        return line.rstrip("\n")
        except TimeoutError as err:
            raise ProcessFailed(f"{self.name} was not ready in {within:.0f} s: {self.last_words()}") from err

    def last_words(self) -> str:
        """Return the end of its log."""
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return "(it said nothing)"
        return "\n  " + "\n  ".join(lines[-_LAST_LINES:]) if lines else "(it said nothing)"

    async def stop(self, *, within: float = STOP_WITHIN) -> None:
        """Ask it to end, and end it when it does not."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), within)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if self._reading is not None:
            await self._reading

    async def _read(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        with self._log.open("ab") as log:
            async for raw in process.stdout:
                log.write(raw)
                log.flush()
                self._lines.put_nowait(raw.decode("utf-8", errors="replace"))
        self._lines.put_nowait("")


def product_command(*arguments: str) -> list[str]:
    """Return how to run the product's command."""
    return [sys.executable, "-c", "from key2xs.cli import main; main()", *arguments]


def twin_command(*arguments: str) -> list[str]:
    """Return how to run the twin's command."""
    return [sys.executable, "-m", "key2xs_twin", *arguments]


async def run(
    argv: Sequence[str], *, environment: Mapping[str, str] | None = None, within: float = 120.0
) -> tuple[int, str]:
    """Run a command to its end and return its exit code and everything it wrote."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environment(environment),
        preexec_fn=_die_with_parent(os.getpid()),
    )
    try:
        async with asyncio.timeout(within):
            output, _ = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode("utf-8", errors="replace")


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """Return our environment without settings of the product that somebody made for another installation."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KEY2XS_")}
    return {**ours, **(more or {})}


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """Return what a child does first: ask the kernel for SIGTERM when its parent is gone. Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    # Loaded before the fork: between fork and exec nothing may be imported.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # The parent died before we could ask.

    return ask
