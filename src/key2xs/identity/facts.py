"""Reading people as decisions see them: one round trip, true at an instant, as known at an entry."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CompanyId, PersonId, UnitId
from key2xs.core.sql import load_queries
from key2xs.core.tri import NO, UNKNOWN, YES, Tri, tri, tri_and

from .timeline import Span
from .types import Boundary, DutyOn, PersonFacts

_SQL = load_queries("key2xs.identity")
NOW_KNOWN: Final = 2**63 - 2
"""An entry number after every other: "as known now"."""


async def person_facts(
    tx: Connection, person_id: PersonId, at: datetime, *, known_at: int | None = None
) -> PersonFacts:
    """Return everything a decision reads about a person.

    Args:
        tx: a transaction.
        person_id: whom.
        at: the instant the facts are true at.
        known_at: the entry they are known at, for replay; None for now.

    Raises:
        NotFound: no such person.
    """
    rows = await tx.fetch(_SQL["person_facts"], person_id, at, NOW_KNOWN if known_at is None else known_at)
    facts: dict[str, list[Any]] = {}
    for row in rows:
        facts.setdefault(row["fact"], []).append(row)
    if "person" not in facts:
        message = f"there is no person {person_id}"
        raise NotFound(message)
    return _assemble(person_id, at, facts)


def _assemble(person_id: PersonId, at: datetime, facts: dict[str, list[Any]]) -> PersonFacts:
    contract, span, company = _contract(facts.get("contract", ()), at)
    now = {kind: [row for row in rows if _span(row).contains(at)] for kind, rows in facts.items()}
    return PersonFacts(
        person_id=person_id,
        active=_all_of(tri(row["active"]) for row in now.get("status", ())),
        contract=contract,
        contract_from=span.start if span else None,
        contract_until=span.end if span else None,
        company_id=company,
        qualifications={row["name"]: row["ends"] for row in now.get("qualification", ())},
        roles=frozenset(row["name"] for row in now.get("role", ())),
        duties=tuple(
            DutyOn(role=row["name"], unit_id=UnitId(row["ref"]), since=row["starts"], until=row["ends"])
            for row in now.get("duty", ())
        ),
        next_change_at=_next_change(
            (row for kind, rows in facts.items() if kind != "person" for row in rows), at
        ),
        heads=(f"person:{person_id}", *((f"company:{company}",) if company else ())),
    )


def _all_of(said: Iterable[Tri]) -> Tri:
    """The most restrictive source wins; nobody saying anything is not a yes."""
    facts = tuple(said)
    return tri_and(facts) if facts else UNKNOWN


def _contract(rows: Sequence[Any], at: datetime) -> tuple[Tri, Span | None, CompanyId | None]:
    """Combine the sources: in force only if every source that speaks of a contract has one in force."""
    by_source: dict[str, list[Any]] = {}
    for row in rows:
        by_source.setdefault(row["name"], []).append(row)
    if not by_source:
        return UNKNOWN, None, None
    running = [row for said in by_source.values() for row in said if _span(row).contains(at)]
    company = _company(running) or _company(_latest_first(rows))
    if len({row["name"] for row in running}) < len(by_source):
        return NO, None, company
    starts = [row["starts"] for row in running if row["starts"]]
    ends = [row["ends"] for row in running if row["ends"]]
    return YES, Span(max(starts, default=None), min(ends, default=None)), company


def _company(rows: Sequence[Any]) -> CompanyId | None:
    return next((CompanyId(row["ref"]) for row in rows if row["ref"]), None)


def _latest_first(rows: Sequence[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: (row["ends"] is None, row["ends"] or 0), reverse=True)


def _span(row: Any) -> Span:
    return Span(row["starts"], row["ends"])


def _next_change(rows: Iterable[Any], at: datetime) -> datetime | None:
    edges = (edge for row in rows for edge in (row["starts"], row["ends"]))
    return min((edge for edge in edges if edge is not None and edge > at), default=None)


async def persons_of_company(tx: Connection, company_id: CompanyId, at: datetime) -> list[PersonId]:
    """Return everybody whose contract with the company is in force at `at` or begins later.

    Later ones too: a company that is revoked must not get people in tomorrow.
    """
    return [PersonId(row["person"]) for row in await tx.fetch(_SQL["people_ever_of_company"], company_id, at)]


async def people_on_duty(
    tx: Connection, at: datetime, *, unit_id: UnitId | None = None, role: str | None = None
) -> list[tuple[PersonId, DutyOn]]:
    """Return who is on duty at `at`, in one unit or anywhere, in one role or any. Says nothing about contracts."""
    return [
        (
            PersonId(row["person"]),
            DutyOn(role=row["role"], unit_id=UnitId(row["unit"]), since=row["starts"], until=row["ends"]),
        )
        for row in await tx.fetch(_SQL["people_on_duty"], at, unit_id, role)
    ]


async def persons_changed_by_clock(
    tx: Connection,
    after: datetime,
    until: datetime,
    *,
    place: tuple[str, int] = ("~", 0),
    limit: int = 1_000_000,
) -> list[Boundary]:
    """Return the beginnings and ends in (after, until], earliest first.

    Args:
        tx: a transaction.
        after: where the last look ended.
        until: where this one ends.
        place: with `after` the exact place to go on from inside one instant; the default is its end.
        limit: most boundaries to return.
    """
    return [
        Boundary(
            at=row["at"],
            person_id=PersonId(row["person"]),
            kind=row["kind"],
            edge=row["edge"],
            fact=row["id"],
            detail=row["detail"],
        )
        for row in await tx.fetch(_SQL["boundaries"], after, until, place[0], place[1], limit)
    ]
