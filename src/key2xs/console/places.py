"""The areas and units that somebody looks after: chosen once, kept for their account, asked of every list.

Kept in a cookie that names the account: the next account on the same screen begins with the whole site.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from key2xs.access import Principal
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId
from key2xs.plant import list_areas, list_units, normalise
from key2xs.plant.types import Cylinder

from .frame import Asked

PLACES_COOKIE: Final = "key2xs-places"
_MOST: Final = 60  # codes; what does not fit a cookie is nobody's own area


@dataclass(frozen=True, slots=True)
class Chosen:
    """Codes of areas and units. Nothing chosen means the whole site."""

    areas: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether anything is left out."""
        return bool(self.areas or self.units)

    def has(self, area: str | None, unit: str | None) -> bool:
        """Tell whether a place belongs to it. What lies nowhere belongs to everybody."""
        if not self or (area is None and unit is None):
            return True
        return (area is not None and normalise(area) in self._norms) or (
            unit is not None and unit in self.units
        )

    def any_of(
        self, cylinders: Iterable[CylinderId], places: Mapping[CylinderId, tuple[str, str | None]]
    ) -> bool:
        """Tell whether one of some locks belongs to it; true where there are none."""
        known = [places[each] for each in cylinders if each in places]
        return not self or not known or any(self.has(*place) for place in known)

    def has_lock(self, cylinder: Cylinder | None) -> bool:
        """Tell whether a lock belongs to it."""
        return cylinder is None or self.has(cylinder.area, cylinder.unit)

    @property
    def names(self) -> str:
        """What was chosen, in one line."""
        return ", ".join([*sorted(self.areas), *sorted(self.units)]) or "whole site"

    @property
    def _norms(self) -> frozenset[str]:
        return frozenset(normalise(area) for area in self.areas)


@dataclass(frozen=True, slots=True)
class AreaChoice:
    """One area with its units, for the form."""

    code: str
    name: str
    units: tuple[tuple[str, str], ...]


def chosen_by(request: Asked, caller: Principal) -> Chosen:
    """Return what an account chose on this browser."""
    owner, _, rest = request.cookies.get(PLACES_COOKIE, "").partition("/")
    if owner != caller.user_id.hex:
        return Chosen()
    return _chosen(unquote(each) for each in rest.split("/") if each)


def chosen_in(values: Iterable[str]) -> Chosen:
    """Return what a form says: `area:CDU`, `unit:CDU-2`."""
    return _chosen(values)


def cookie_value(caller: Principal, chosen: Chosen) -> str:
    """Write a choice for the cookie."""
    named = [f"area:{code}" for code in sorted(chosen.areas)] + [
        f"unit:{code}" for code in sorted(chosen.units)
    ]
    return "/".join([caller.user_id.hex, *(quote(each, safe="") for each in named)])


async def list_choices(tx: Connection) -> list[AreaChoice]:
    """Return every area with its units."""
    units = await list_units(tx)
    return [
        AreaChoice(
            area.code, area.name, tuple((unit.code, unit.name) for unit in units if unit.area_id == area.id)
        )
        for area in await list_areas(tx)
    ]


def _chosen(values: Iterable[str]) -> Chosen:
    pairs = [value.partition(":") for value in list(values)[:_MOST]]
    return Chosen(
        frozenset(code for kind, _, code in pairs if kind == "area" and code),
        frozenset(code for kind, _, code in pairs if kind == "unit" and code),
    )
