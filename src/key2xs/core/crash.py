"""Named crash points.

A path that must survive a crash names the places where it may die: `GRANT_STORED = declare("grants.store.after")`
at module level and `GRANT_STORED.reach()` on the path. In the product reaching one costs a dictionary look-up.
Tests arm a point; a run in which a declared point was never reached fails, so that a renamed path cannot
silently lose its test.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class SimulatedCrash(BaseException):
    """The process dies here. Not an `Exception`: nothing on the way may catch and carry on."""


@dataclass
class CrashPoint:
    """One named place on a path that must survive a crash."""

    name: str
    reached: int = 0
    _armed_in: int = field(default=0, repr=False)

    def reach(self) -> None:
        """Count the visit and die here if a test asked for it."""
        self.reached += 1
        if self._armed_in:
            self._armed_in -= 1
            if not self._armed_in:
                raise SimulatedCrash(self.name)

    @contextmanager
    def armed(self, visit: int = 1) -> Iterator["CrashPoint"]:
        """Die at the given visit (1 = the next) while the block runs."""
        self._armed_in = visit
        try:
            yield self
        finally:
            self._armed_in = 0


_POINTS: dict[str, CrashPoint] = {}


def declare(name: str) -> CrashPoint:
    """Declare a crash point; a name stands for one place only.

    Raises:
        ValueError: the name is taken.
    """
    if name in _POINTS:
        message = f"crash point {name} is declared twice"
        raise ValueError(message)
    _POINTS[name] = CrashPoint(name)
    return _POINTS[name]


def declared(prefix: str = "") -> dict[str, CrashPoint]:
    """Return all declared points whose name starts with `prefix`."""
    return {name: point for name, point in _POINTS.items() if name.startswith(prefix)}
