"""Stops on new grants: while an act on many runs, and after one on a zone or on everyone, nothing new is given there.

A stop takes nothing away by itself; what runs goes on until the act reaches it. Lifting one gives nothing back (P7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import CompanyId, CylinderId, PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.identity.facts import persons_of_company
from key2xs.work.packages import permits_of_package

from .look import Look
from .reach import Scope, emergency_crew, is_spared

_SQL = load_queries("key2xs.grants", "queries_reach.sql")

SUBJECT: Final = "stops:grants"
"""Whoever gives something shares this head; whoever sets a stop locks it, so that nothing slips in between."""

_WORDS: Final = {
    "company": "all access of this company is being ended",
    "package": "all access of this work package is being ended",
    "zone": "all access to this security zone was ended, and nothing new is given until two people lift that",
    "everyone": "all access was ended, and nothing new is given until two people lift that",
}


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop that stands."""

    id: UUID
    scope: Scope
    since: datetime


@dataclass(frozen=True, slots=True)
class Barred:
    """What a wish may not get now, and why."""

    cylinders: frozenset[CylinderId]
    why: str


async def open_stops(tx: Connection) -> list[Stop]:
    """Return what stands now, the oldest first."""
    return [
        Stop(row["id"], Scope(row["kind"], row["ref"]), row["since"])
        for row in await tx.fetch(_SQL["open_stops"])
    ]


async def set_stop(tx: Connection, scope: Scope, at: datetime, entry: int) -> UUID:
    """Give nothing new there from now on, in the entry of the act. Its head is locked by the caller."""
    stop_id = new_id()
    await tx.execute(_SQL["insert_stop"], stop_id, scope.kind, scope.ref, at, entry)
    return stop_id


async def lift_stop(tx: Connection, stop_id: UUID, at: datetime, entry: int) -> None:
    """Let new grants be given there again."""
    await tx.execute(_SQL["lift_stop"], stop_id, at, entry)


async def barred(tx: Connection, stops: Sequence[Stop], look: Look) -> Barred | None:
    """Return what of a wish lies under a stop; None where nothing does. Access for emergencies never does (S1)."""
    wish = look.wish
    if not stops or is_spared(wish.kind, wish.key.ref):
        return None
    cylinders, why = frozenset[CylinderId](), ""
    for stop in stops:
        hit = await _hit(tx, stop.scope, look)
        if hit - cylinders:
            cylinders, why = cylinders | hit, why or _WORDS[stop.scope.kind]
    return Barred(cylinders, why) if cylinders else None


async def _hit(tx: Connection, scope: Scope, look: Look) -> frozenset[CylinderId]:
    wish, person = look.wish, PersonId(look.wish.key.person_id)
    if scope.kind == "zone":
        zone = scope.id
        return frozenset(
            c for c in wish.cylinders if c in look.cylinders and look.cylinders[c].zone_id == zone
        )
    if scope.kind == "company":
        inside = person in set(await persons_of_company(tx, CompanyId(scope.id), look.at))
    elif scope.kind == "package":
        inside = wish.key.ref in {f"permit:{each}" for each in await permits_of_package(tx, scope.ref)}
    else:
        inside = person not in await emergency_crew(tx, look.at)
    return frozenset(wish.cylinders) if inside else frozenset()
