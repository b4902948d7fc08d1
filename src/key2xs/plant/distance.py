"""How far apart two places are, in a straight line over the ground."""

from math import asin, cos, radians, sin, sqrt
from typing import Final, Protocol

_EARTH_METRES: Final = 6_371_000.0


class Placed(Protocol):
    """Anything that may have coordinates."""

    @property
    def lat(self) -> float | None:
        """Degrees north."""

    @property
    def lon(self) -> float | None:
        """Degrees east."""


def metres_between(one: Placed, other: Placed) -> int | None:
    """Return the distance as the crow flies; None where either has no coordinates."""
    if one.lat is None or one.lon is None or other.lat is None or other.lon is None:
        return None
    lat, far_lat = radians(one.lat), radians(other.lat)
    half_lat, half_lon = (far_lat - lat) / 2, radians(other.lon - one.lon) / 2
    share = sin(half_lat) ** 2 + cos(lat) * cos(far_lat) * sin(half_lon) ** 2
    return round(2 * _EARTH_METRES * asin(sqrt(share)))
