"""The lines of *My area*: what ends soon, what can still open, what needs a look, what opened unexplained.

Each list is read over the whole site, narrowed to the chosen places, and cut where a page ends; how many there are in
all is kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from key2xs.console.people import Alias, look_up
from key2xs.console.places import Chosen
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId
from key2xs.grants.live import ends_between
from key2xs.grants.types import Lease
from key2xs.keys.live import AfterEnd, Unfinished, alarms, keys_after_end, stamps_of_people, unfinished
from key2xs.plant.places import places_of
from key2xs.plant.types import Cylinder
from key2xs.services import Services

from .bases import BasisLine, name_bases
from .openings import OpeningLine, cylinders_by_id, opening_lines

T = TypeVar("T")

ENDING_WITHIN: Final = timedelta(hours=1)
# An alarm of the shift before belongs to its report; this page is about now.
ALARMS_FOR: Final = timedelta(hours=24)
# A key that waits for its phone is on its way, not stuck; after this somebody should look.
WAITS_LONG_AFTER: Final = timedelta(minutes=15)
MOST_LINES: Final = 12
_MOST_READ: Final = 500


@dataclass(frozen=True, slots=True)
class Lines(Generic[T]):
    """The first lines of a list, and how many there are. `more` of them are not shown."""

    shown: tuple[T, ...]
    total: int

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.total - len(self.shown)


@dataclass(frozen=True, slots=True)
class EndingLine:
    """Access that ends soon."""

    lease: Lease
    holder: Alias | None
    basis: BasisLine
    stamps: tuple[str, ...]
    cylinders: tuple[Cylinder, ...]


@dataclass(frozen=True, slots=True)
class AfterEndLine:
    """A key that can still open something although it was ended."""

    key: AfterEnd
    holder: Alias | None
    cylinders: tuple[Cylinder, ...]


async def ending_lines(tx: Connection, chosen: Chosen, at: datetime) -> Lines[EndingLine]:
    """Return access that ends within the hour."""
    found = await ends_between(tx, at, at + ENDING_WITHIN, limit=_MOST_READ)
    mine = await _mine(tx, chosen, [(lease, lease.cylinders) for lease in found])
    shown = mine[:MOST_LINES]
    names = await name_bases(tx, [lease.basis_ref for lease in shown])
    people = await look_up(tx, [lease.person_id for lease in shown], at)
    stamps = await stamps_of_people(tx, [lease.person_id for lease in shown], at)
    cylinders = await cylinders_by_id(tx, [c for lease in shown for c in lease.cylinders])
    return Lines(
        tuple(
            EndingLine(
                lease,
                people.of(lease.person_id),
                names.of(lease),
                stamps.get(lease.person_id, ()),
                by_marking(cylinders, lease.cylinders),
            )
            for lease in shown
        ),
        len(mine),
    )


async def after_end_lines(tx: Connection, chosen: Chosen, at: datetime) -> tuple[Lines[AfterEndLine], int]:
    """Return keys that can still open although they were ended, and how many of them nothing ends."""
    found = await keys_after_end(tx, at, limit=_MOST_READ)
    mine = await _mine(tx, chosen, [(key, key.cylinders) for key in found])
    shown = mine[:MOST_LINES]
    people = await look_up(tx, [key.person_id for key in shown], at)
    cylinders = await cylinders_by_id(tx, [c for key in shown for c in key.cylinders])
    lines = tuple(
        AfterEndLine(key, people.of(key.person_id), by_marking(cylinders, key.cylinders)) for key in shown
    )
    return Lines(lines, len(mine)), sum(1 for key in mine if key.until is None)


async def unfinished_lines(tx: Connection, chosen: Chosen, at: datetime) -> Lines[Unfinished]:
    """Return keys that a person should look at: those that need one first."""
    found = await unfinished(tx, at - WAITS_LONG_AFTER, limit=_MOST_READ)
    return await narrowed(tx, chosen, [(key, key.cylinders) for key in found])


async def alarm_lines(
    tx: Connection, services: Services, chosen: Chosen, at: datetime
) -> tuple[Lines[OpeningLine], int]:
    """Return openings of the last day that need an explanation, and how many of them have none at all."""
    found = await alarms(tx, at - ALARMS_FOR, limit=_MOST_READ)
    mine = await _mine(
        tx, chosen, [(event, [event.cylinder_id] if event.cylinder_id else []) for event in found]
    )
    # What nothing explains comes first, the newest of it on top.
    mine.sort(key=lambda event: event.event_class != "unexplained")
    unexplained = sum(1 for event in mine if event.event_class == "unexplained")
    return Lines(tuple(await opening_lines(tx, services, mine[:MOST_LINES], at)), len(mine)), unexplained


async def narrowed(
    tx: Connection, chosen: Chosen, lines: Sequence[tuple[T, Iterable[CylinderId]]]
) -> Lines[T]:
    """Return the first lines of a list that belong to the chosen places."""
    mine = await _mine(tx, chosen, lines)
    return Lines(tuple(mine[:MOST_LINES]), len(mine))


def by_marking(
    cylinders: Mapping[CylinderId, Cylinder], wanted: Iterable[CylinderId]
) -> tuple[Cylinder, ...]:
    """Return some locks in the order of their stamps; one that is in no register is left out."""
    return tuple(sorted((cylinders[c] for c in wanted if c in cylinders), key=lambda c: c.marking))


async def _mine(tx: Connection, chosen: Chosen, lines: Sequence[tuple[T, Iterable[CylinderId]]]) -> list[T]:
    if not chosen:
        return [line for line, _ in lines]
    places = await places_of(tx, [c for _, cylinders in lines for c in cylinders])
    return [line for line, cylinders in lines if chosen.any_of(cylinders, places)]
