"""More workers for one key system in the same process: the database work of one key goes on during the call for another.

Calls remain one at a time (`connectors/turns.py`), and leases keep two workers off one key as they do between processes.
Two more take whatever is due; a third takes only what stops somebody, so that a kill finds a free hand while the others
are busy with a thousand keys. Where the vendor is slow or does not answer, one worker is enough and the others rest.
"""

from datetime import datetime, timedelta
from typing import Final, Protocol

from .lanes import WorkLane
from .reconciler import Reconciler

WORKERS: Final = 2  # besides the first one; more would only wait for the same turn
SLOW: Final = timedelta(
    seconds=3
)  # for one reading, its turn waited for: calls have time limits of their own


class Make(Protocol):
    """Makes a worker like the first one, with the setbacks of all."""

    def __call__(self, *, up_to: WorkLane) -> Reconciler:
        """Return one that takes work up to a lane."""
        ...


class Beside:
    """One more worker beside the first one of a key system."""

    def __init__(self, first: Reconciler, work: Reconciler, name: str, heeds: tuple[str, ...]) -> None:
        """Let `work` go on while the system answers `first`; the log wakes it by `heeds`."""
        self._first, self._work = first, work
        self.name, self.heeds = name, heeds
        self.beside = first.name
        self.idle = True

    async def step(self, now: datetime) -> datetime | None:
        """Work on one target, if one more worker is of use."""
        if self._first.problem is not None or self._first.last_read > SLOW:
            self.idle = True
            return None
        again = await self._work.step(now)
        self.idle = self._work.idle
        return again


def workers_beside(first: Reconciler, make: Make) -> list[Beside]:
    """Return the workers beside the first one."""
    every = [
        Beside(first, make(up_to=WorkLane.GRANT), f"{first.name}/{number}", ())
        for number in range(2, WORKERS + 2)
    ]
    return [*every, Beside(first, make(up_to=WorkLane.STOP), f"{first.name}/stops", first.heeds)]
