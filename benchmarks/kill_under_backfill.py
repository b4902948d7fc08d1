"""From a kill to its acceptance at the vendor while a million lock events are read in; see `kill_under_load`.

The log gives whole pages as fast as it is asked. The kills are made at its beginning: the rest of it is the same.
"""

from typing import Any, Final

from benchmarks.kill_under_load import measure

EVENTS: Final = 1_000_000


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    return measure("kill_under_backfill", seed, backlog=EVENTS)
