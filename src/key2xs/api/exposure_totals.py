"""What is left of rights that were ended, per key, person, company and security zone."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, PersonId
from key2xs.identity.affiliations import companies_of
from key2xs.keys.exposure_lists import ended_pairs
from key2xs.keys.exposure_totals import Group, OpenPair, add_up
from key2xs.plant import list_cylinders
from key2xs.plant.service import list_zones

By: TypeAlias = Literal["zone", "company", "person", "key"]
NO_COMPANY: Final = "(no company)"
NOBODY: Final = "(nobody)"
_MANY: Final = 1_000_000


class TotalOut(msgspec.Struct, frozen=True):
    """The keys of one name: its worst answer, and keys by theirs. `until` null: no end, or all over."""

    name: str
    kind: str
    until: datetime | None
    no_bound: int
    bound: int
    proven_end: int
    residual_cylinders: int


class ExposureTotals(msgspec.Struct, frozen=True):
    """All names, the worst first."""

    by: str
    at: datetime
    groups: list[TotalOut]


async def totals_by(tx: Connection, by: By, at: datetime) -> list[Group]:
    """Add up by one of the four."""
    pairs = await ended_pairs(tx)
    return add_up(pairs, at, await _names(tx, by, pairs, at))


async def cylinders_of_zone(tx: Connection, name: str) -> frozenset[CylinderId]:
    """Return the cylinders of a security zone, by its code or id.

    Raises:
        NotFound: there is none.
    """
    zone = next((each for each in await list_zones(tx) if name in {each.code, str(each.id)}), None)
    if zone is None:
        raise NotFound("no security zone is known by this id or code")
    return frozenset(each.id for each in await list_cylinders(tx, zone_id=zone.id, limit=_MANY))


async def _names(
    tx: Connection, by: By, pairs: Iterable[OpenPair], at: datetime
) -> Callable[[OpenPair], Iterable[str]]:
    if by == "key":
        return lambda pair: (pair.stamp,)
    if by == "person":
        return lambda pair: (str(pair.person_id or NOBODY),)
    if by == "company":
        persons = {PersonId(pair.person_id) for pair in pairs if pair.person_id is not None}
        companies: dict[PersonId, str] = await companies_of(tx, persons, at) if persons else {}
        return lambda pair: (_of_person(companies, pair.person_id),)
    ids = sorted({CylinderId(pair.cylinder_id) for pair in pairs})
    zones = {each.id: each.zone for each in await list_cylinders(tx, ids=ids, limit=len(ids) or 1)}
    return lambda pair: (zones[zone],) if (zone := CylinderId(pair.cylinder_id)) in zones else ()


def _of_person(companies: dict[PersonId, str], person: UUID | None) -> str:
    return companies.get(PersonId(person), NO_COMPANY) if person is not None else NO_COMPANY
