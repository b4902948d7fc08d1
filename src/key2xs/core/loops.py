"""Loops: everything that happens without a request.

A loop is written as `step(now) -> next due instant`, does one bounded piece of work a step, and holds no
state that a crash may lose. The runner (in `app.py`) gives it time; tests and the demo call `step` themselves.
A loop that goes on although it cannot do its work (another system is down) says why in an attribute `problem`.
"""

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
