"""Ten thousand CLIQ keys to be emptied at once, against the time that the rate limit allows; see `mass_revoke_3000`."""

from typing import Any, Final

from benchmarks.mass_revoke_3000 import measure

KEYS: Final = 10_000
RATE: Final = 100.0  # calls a second


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    return measure("mass_revoke_10000", KEYS, seed, maker="cliq", a_second=RATE)
