"""Which grants an act on many reaches: a company's, a work package's, those in a security zone, everyone's.

S1 comes first: access for emergencies is in none of them, and *everyone* spares whoever holds an emergency duty with
everything they have.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import CompanyId, CylinderId, GrantId, PersonId, ZoneId
from key2xs.core.sql import load_queries
from key2xs.identity.facts import people_on_duty, persons_of_company
from key2xs.plant import list_cylinders
from key2xs.safety import spared_from_mass_actions
from key2xs.safety.rules import EMERGENCY_DUTIES
from key2xs.work.packages import permits_of_package

from .types import GrantState

_SQL = load_queries("key2xs.grants", "queries_reach.sql")
_ALL_LOCKS: Final = 1_000_000  # more than any zone has

ScopeKind: TypeAlias = Literal["company", "package", "zone", "everyone"]
STAYS_STOPPED: Final[frozenset[ScopeKind]] = frozenset({"zone", "everyone"})
"""After these nothing new is given until two people lift the stop; after the others, until the act is finished."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an act on many is about. `ref`: a company's or zone's id, a package's code, empty for everyone."""

    kind: ScopeKind
    ref: str = ""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects of the log that it is about."""
        return (f"{self.kind}:{self.ref}",) if self.kind in {"company", "zone"} else ()

    @property
    def id(self) -> UUID:
        """The id of its company or zone.

        Raises:
            InvalidInput: it is none.
        """
        try:
            return UUID(self.ref)
        except ValueError as error:
            raise InvalidInput("ref", f"must be the id of a {self.kind}") from error


@dataclass(frozen=True, slots=True)
class Reached:
    """An open grant that lies in the way. `part` is what of it ends; `spared`: S1 keeps it out."""

    id: GrantId
    person_id: PersonId
    state: GrantState
    basis_ref: str
    cylinders: frozenset[CylinderId]
    part: frozenset[CylinderId]
    spared: bool


@dataclass(frozen=True, slots=True)
class _Filters:
    persons: Collection[PersonId] | None = None
    bases: Collection[str] | None = None
    cylinders: frozenset[CylinderId] | None = None


async def reach(
    tx: Connection, scope: Scope, at: datetime, *, among: Collection[GrantId] | None = None
) -> list[Reached]:
    """Return every open grant in the way of an act, or those among some; those that S1 spares are marked.

    Raises:
        InvalidInput: the scope's id is none.
    """
    asked = await _filters(tx, scope, at)
    filters = (asked.persons, asked.bases, asked.cylinders, among)
    rows = await tx.fetch(_SQL["reach"], *(list(each) if each is not None else None for each in filters))
    crew = await emergency_crew(tx, at) if scope.kind == "everyone" and rows else frozenset[PersonId]()
    return [_reached(row, asked.cylinders, crew) for row in rows]


async def emergency_crew(tx: Connection, at: datetime) -> frozenset[PersonId]:
    """Return who holds an emergency duty: by the roster now, or by a grant that is open."""
    rostered = {person for person, duty in await people_on_duty(tx, at) if duty.role in EMERGENCY_DUTIES}
    rows = await tx.fetch(_SQL["duty_bases"])
    granted = {
        PersonId(row["person_id"]) for row in rows if is_spared("duty_role", row["basis_ref"])
    }  # fmt: skip
    return frozenset(rostered | granted)


def is_spared(basis_kind: str, basis_ref: str) -> bool:
    """Tell whether S1 keeps access on this basis out of every act on many."""
    duty = basis_ref.split(":")[1] if basis_ref.startswith("duty:") else ""
    return not spared_from_mass_actions(basis=basis_kind, duty=duty).goes


async def cylinders_of_zone(tx: Connection, zone_id: ZoneId) -> frozenset[CylinderId]:
    """Return the cylinders of a security zone, as known now."""
    return frozenset(each.id for each in await list_cylinders(tx, zone_id=zone_id, limit=_ALL_LOCKS))


async def people_of_scope(tx: Connection, scope: Scope, at: datetime) -> Iterable[PersonId]:
    """Return the people whom an act is about whatever they hold; empty where it is about places or work."""
    return await persons_of_company(tx, CompanyId(scope.id), at) if scope.kind == "company" else ()


async def _filters(tx: Connection, scope: Scope, at: datetime) -> _Filters:
    if scope.kind == "company":
        return _Filters(persons=await persons_of_company(tx, CompanyId(scope.id), at))
    if scope.kind == "package":
        return _Filters(bases=[f"permit:{each}" for each in await permits_of_package(tx, scope.ref)])
    if scope.kind == "zone":
        return _Filters(cylinders=await cylinders_of_zone(tx, ZoneId(scope.id)))
    return _Filters()


def _reached(row: asyncpg.Record, inside: frozenset[CylinderId] | None, crew: frozenset[PersonId]) -> Reached:
    cylinders = frozenset(CylinderId(each) for each in row["cylinders"])
    return Reached(
        id=GrantId(row["id"]),
        person_id=PersonId(row["person_id"]),
        state=row["state"],
        basis_ref=row["basis_ref"],
        cylinders=cylinders,
        part=cylinders & inside if inside is not None else cylinders,
        spared=is_spared(row["basis_kind"], row["basis_ref"]) or row["person_id"] in crew,
    )
