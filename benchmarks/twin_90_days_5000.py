"""Ninety days in the life of a site with 5,000 locks, 3,000 people and as many keys in the twin; see `twin_90_days_l`.

It is the size that the bar names; the generated site of size L has 3,620 locks, 2,600 people and 1,630 keys.
"""

from typing import Any, Final

from benchmarks.twin_90_days_l import measure
from key2xs_twin.site.model import Sizes

SIZES: Final = Sizes(
    areas=14,
    units=94,
    tanks=350,
    berths=24,
    substations=84,
    perimeter=530,
    lock_boxes=800,
    own_people=2200,
    extra_people=2400,
    firms=110,
    operators_on_shift=290,
    maintenance=290,
    keys=2480,
    metal_keys=100,
    cliq_keys=520,
)


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    return measure("5000", seed, SIZES)
