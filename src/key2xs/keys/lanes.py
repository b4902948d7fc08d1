"""Which work at key systems comes first: what takes away before what gives, and a stop before all."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final


class WorkLane(IntEnum):
    """A lane is worked off before the next one is looked at."""

    KILL = 0  # a person stopped this key or its holder
    STOP = 1  # the permit, duty or approval is gone, or policy no longer allows it
    REVOKE = 2  # a person revoked a set, or the key changed hands
    EXPIRE = 3  # the window ran out: the key's own end has said so before
    GRANT = 4  # something new, or a look at what is there

    @property
    def passes_brake(self) -> bool:
        """Tell whether a brake on bulk writes lets it pass: what takes away never waits for a person."""
        return self < WorkLane.GRANT


_OF_END: Final[Mapping[str, WorkLane]] = MappingProxyType(
    {
        "killed": WorkLane.KILL,
        "basis_lost": WorkLane.STOP,
        "denied": WorkLane.STOP,
        "emptied": WorkLane.REVOKE,
        "revoked": WorkLane.REVOKE,
        "lapsed": WorkLane.EXPIRE,
        "renewed": WorkLane.EXPIRE,
    }
)
_OF_KIND: Final[Mapping[str, WorkLane]] = MappingProxyType(
    {
        "keys:key:block": WorkLane.KILL,
        "keys:custody:take_back": WorkLane.REVOKE,
        "keys:custody:transfer": WorkLane.REVOKE,
    }
)


def lane_of(kind: str, body: Mapping[str, Any]) -> WorkLane:
    """Return the lane of the work that an entry makes; an end for a reason not known here counts as a stop."""
    if kind == "grants:lease:end":
        return _OF_END.get(str(body.get("reason", "")), WorkLane.STOP)
    return _OF_KIND.get(kind, WorkLane.GRANT)
