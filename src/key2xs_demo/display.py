"""What the terminal shows while the night is played: a calm picture, or plain lines where there is no terminal."""

import time
from collections import deque
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .cast import BEGINS, ENDS
from .expectations import Expectation
from .night import at_site

_LINES = 12  # acts and broken expectations kept in sight
_PER_SECOND = 8
_BAR = 40  # characters


class Display:
    """Clock, current act and counters."""

    def __init__(self, console: Console | None = None) -> None:
        """Show on `console`, the terminal by default."""
        self.console = console or Console(highlight=False)
        self._live: Live | None = None
        self._at: datetime | None = None
        self._stage = "starting"
        self._acts: deque[Text] = deque(maxlen=_LINES)
        self._held = self._broken = 0
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=self._picture,
                console=self.console,
                refresh_per_second=_PER_SECOND,
                transient=True,
            )
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal to what comes next; a second call does nothing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def stage(self, what: str) -> None:
        """Something outside the scenario begins: starting, importing, verifying."""
        self._stage = what
        if self._live is None:
            self.console.print(f"[{self._seconds():6.1f} s] {what}", markup=False)

    def act(self, at: datetime, title: str) -> None:
        """An act of the scenario begins."""
        self._stage = title
        self._acts.append(Text.assemble((at_site(at), "bold cyan"), "  ", title))
        if self._live is None:
            self.console.print(f"[{self._seconds():6.1f} s] {at_site(at)}  {title}", markup=False)

    def clock(self, at: datetime) -> None:
        """Domain time moved."""
        self._at = at

    def expectation(self, found: Expectation) -> None:
        """An expectation was held against what was seen."""
        if found.held:
            self._held += 1
            return
        self._broken += 1
        line = f"NOT HELD {found.id}: expected {found.expected!r}, observed {found.observed!r}"
        self._acts.append(Text(line, style="bold red"))
        if self._live is None:
            self.console.print(f"          {line}", markup=False)

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _picture(self) -> RenderableType:
        head = Table.grid(padding=(0, 3))
        clock = at_site(self._at, "%H:%M:%S") if self._at is not None else "--:--:--"
        counts = f"{self._held} held" + (f", {self._broken} NOT held" if self._broken else "")
        head.add_row(
            Text(clock, style="bold"),
            Text(self._bar()),
            Text(counts, style="red" if self._broken else "green"),
            Text(f"{self._seconds():.0f} s"),
        )
        return Group(head, Text(), *self._acts, Text(), Text(f"now: {self._stage}", style="dim"))

    def _bar(self) -> str:
        if self._at is None:
            return "·" * _BAR
        done = int(_BAR * (self._at - BEGINS) / (ENDS - BEGINS))
        done = max(0, min(_BAR, done))
        return "━" * done + "·" * (_BAR - done)
