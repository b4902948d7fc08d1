"""*Company*: how many people it has here, what they may open and by which permits, their keys, and ending all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from key2xs.access import Proposal
from key2xs.api.routes.answers import company_of
from key2xs.api.web import Web
from key2xs.console.people import Alias, look_up
from key2xs.core.database import Connection
from key2xs.core.ids import CompanyId, PersonId
from key2xs.grants.live import open_by_person, open_of_people
from key2xs.grants.types import Lease
from key2xs.identity import Company, list_companies, persons_of_company
from key2xs.identity.affiliations import Size, company_ids_of, company_sizes, contract_ends
from key2xs.keys.live import HeldKey, count_out, keys_of_some
from key2xs.plant.places import places_of

from .bases import BasisLine, BasisNames, name_bases

MOST_KEYS: Final = 400
_NOBODY: Final = Size(0, None)


@dataclass(frozen=True, slots=True)
class CompanyLine:
    """One company of the list."""

    company: Company
    people: int
    contract_until: datetime | None
    grants: int
    keys: int


@dataclass(frozen=True, slots=True)
class ByBasis:
    """What a company's people have by one permit, duty or request, and in which units."""

    basis: BasisLine
    places: tuple[str, ...]
    people: int
    grants: int
    held: int
    until: datetime


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key that somebody of the company has."""

    held: HeldKey
    holder: Alias | None


@dataclass(frozen=True, slots=True)
class CompanyView:
    """Everything on the page."""

    company: Company
    people: int
    contract_ends: tuple[tuple[datetime | None, int], ...]
    running: int
    coming: int
    with_access: int
    by_basis: tuple[ByBasis, ...]
    keys: tuple[KeyLine, ...]
    proposal: Proposal | None
    """All access of the company is proposed to be ended, and waits for a second person."""

    @property
    def still_open(self) -> tuple[KeyLine, ...]:
        """Keys that can open something although that was ended."""
        return tuple(line for line in self.keys if line.held.left_over)

    @property
    def endless(self) -> tuple[KeyLine, ...]:
        """Those of them that nothing ends by itself."""
        return tuple(line for line in self.still_open if line.held.until is None)

    @property
    def surely_over_at(self) -> datetime | None:
        """When the last of them is surely over; None where there is none, or one without an end."""
        ends = [line.held.until for line in self.still_open]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None


async def read_companies(tx: Connection, at: datetime) -> list[CompanyLine]:
    """Return all companies, those with access here first."""
    sizes, grants, keys = await company_sizes(tx, at), await open_by_person(tx), await count_out(tx, at)
    totals: dict[CompanyId, tuple[int, int]] = {}
    for person, company in await company_ids_of(tx, [*grants, *keys], at):
        before = totals.get(company, (0, 0))
        totals[company] = (before[0] + grants.get(person, 0), before[1] + keys.get(person, 0))
    lines = [
        CompanyLine(
            company,
            sizes.get(company.id, _NOBODY).people,
            sizes.get(company.id, _NOBODY).until,
            *totals.get(company.id, (0, 0)),
        )
        for company in await list_companies(tx)
    ]
    return sorted(lines, key=lambda line: (-line.grants, -line.keys, -line.people, line.company.name))


async def read_company(tx: Connection, web: Web, name: str) -> CompanyView:
    """Read the page.

    Raises:
        NotFound: no such company.
    """
    at = web.now
    company = await company_of(tx, name)
    persons = await persons_of_company(tx, company.id, at)
    leases = await open_of_people(tx, persons)
    running = [lease for lease in leases if lease.state != "scheduled"]
    keys = await keys_of_some(tx, persons, at, limit=MOST_KEYS)
    people = await look_up(tx, [held.person_id for held in keys], at)
    ends = await contract_ends(tx, company.id, at)
    return CompanyView(
        company=company,
        people=sum(number for _, number in ends),
        contract_ends=tuple(ends),
        running=len(running),
        coming=len(leases) - len(running),
        with_access=len({lease.person_id for lease in running}),
        by_basis=tuple(await _by_basis(tx, running)),
        keys=tuple(KeyLine(held, people.of(held.person_id)) for held in keys),
        proposal=await _proposal(tx, web, company.id),
    )


async def _by_basis(tx: Connection, leases: Sequence[Lease]) -> list[ByBasis]:
    names: BasisNames = await name_bases(tx, [lease.basis_ref for lease in leases])
    places = await places_of(tx, [cylinder for lease in leases for cylinder in lease.cylinders])
    groups: dict[str, list[Lease]] = {}
    for lease in leases:
        groups.setdefault(lease.basis_ref, []).append(lease)
    lines = []
    for ref, group in groups.items():
        where = {places[c] for lease in group for c in lease.cylinders if c in places}
        people: set[PersonId] = {lease.person_id for lease in group}
        lines.append(
            ByBasis(
                names.of_ref(ref, kind=group[0].basis_kind),
                tuple(sorted({unit or area for area, unit in where})),
                len(people),
                len(group),
                sum(lease.state == "held" for lease in group),
                max(lease.ends_at for lease in group),
            )
        )
    return sorted(lines, key=lambda line: (line.until, line.basis.text))


async def _proposal(tx: Connection, web: Web, company_id: CompanyId) -> Proposal | None:
    waiting = await web.access.proposals.list(tx, web.now, only_open=True)
    subject = f"company:{company_id}"
    return next((each for each in waiting if each.kind == "mass_revoke" and each.subject == subject), None)
