"""Loops: everything that happens without a request.

A loop is written as `step(now) -> next due instant`, does one bounded piece of work a step, and holds no
state that a crash may lose. The runner (in `app.py`) gives it time; tests and the demo call `step` themselves.
A loop that goes on although it cannot do its work (another system is down) says why in an attribute `problem`.
A loop that only some entries of the log can make work for names the beginnings of their kinds in `heeds`; one that
says nothing is woken by every entry, but for the kinds that it names in `passes_over`. One that a step found nothing for says so in `idle`: its followers sleep on.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol


class Loop(Protocol):
    """One piece of background work."""

    name: str

    async def step(self, now: datetime) -> datetime | None:
        """Do what is due at `now`; say when to come back.

        Returns:
            `now` or earlier when more work is due at once, a later instant of the domain, or None when only a
            new entry can make work.
        """
        ...


def heeds(loop: Loop, kinds: Iterable[str]) -> bool:
    """Tell whether entries of these kinds (`domain:subject` or longer) may make work for a loop."""
    wanted: tuple[str, ...] | None = getattr(loop, "heeds", None)
    unwanted: tuple[str, ...] = getattr(loop, "passes_over", ())
    return any(
        (wanted is None or kind.startswith(wanted)) and not kind.startswith(unwanted) for kind in kinds
    )


def was_idle(loop: Loop) -> bool:
    """Tell whether the loop's last step found nothing to do, so that nobody has work because of it."""
    return getattr(loop, "idle", False) is True
