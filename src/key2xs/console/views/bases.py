"""What a grant rests on, in words and with a link."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from key2xs.console.words import BASES, named
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, PermitId, PersonId, UnitId, parse_id
from key2xs.grants.reads import ended_lease_before, get_lease
from key2xs.grants.types import Lease
from key2xs.plant.service import list_units
from key2xs.work.successors import numbers_of


@dataclass(frozen=True, slots=True)
class BasisLine:
    """Why somebody may: a text, and where to read more."""

    text: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class EndedLine:
    """Why somebody may no longer: what it was, when it ended, and how."""

    basis: BasisLine
    at: datetime
    reason: str


class BasisNames:
    """The bases of one page."""

    def __init__(self, permits: Mapping[PermitId, str], units: Mapping[UnitId, str]) -> None:
        """Know permits' numbers and units' codes."""
        self._permits, self._units = permits, units

    def of(self, lease: Lease) -> BasisLine:
        """Return what a grant rests on."""
        return self.of_ref(lease.basis_ref, lease.basis_step, kind=lease.basis_kind)

    def of_ref(self, ref: str, step: str = "", *, kind: str = "") -> BasisLine:
        """Return the same for a basis as it is stored."""
        noun, _, rest = ref.partition(":")
        if noun == "permit":
            number = self._permits.get(PermitId(UUID(rest)), "")
            text = f"permit {number}" + (f", step\N{NO-BREAK SPACE}{step}" if step else "")
            return BasisLine(text, f"/permits/{rest}")
        if noun == "duty":
            role, _, unit = rest.partition(":")
            place = parse_id(unit)
            where = self._units.get(UnitId(place), "") if place else ""
            return BasisLine(f"on duty as {named({}, role)}" + (f" in {where}" if where else ""))
        return BasisLine(named(BASES, kind) if kind else "approved request", "/requests")


async def name_bases(tx: Connection, refs: Iterable[str]) -> BasisNames:
    """Look up everything the bases of a page need."""
    wanted = set(refs)
    permits = [PermitId(UUID(ref.partition(":")[2])) for ref in wanted if ref.startswith("permit:")]
    numbers = await numbers_of(tx, permits) if permits else {}
    units = (
        {unit.id: unit.code for unit in await list_units(tx)}
        if any(ref.startswith("duty:") for ref in wanted)
        else {}
    )
    return BasisNames(numbers, units)


async def leases_by_id(tx: Connection, grants: Iterable[GrantId | None]) -> dict[GrantId, Lease]:
    """Return the leases of some grants."""
    found = {}
    for grant in {grant for grant in grants if grant is not None}:
        lease = await get_lease(tx, grant)
        if lease is not None:
            found[grant] = lease
    return found


async def last_ended(
    tx: Connection, person_id: PersonId | None, cylinder_id: CylinderId | None, at: datetime
) -> EndedLine | None:
    """Return the newest access of a person to a lock that is over."""
    if person_id is None or cylinder_id is None:
        return None
    found = await ended_lease_before(tx, person_id, cylinder_id, at)
    if found is None:
        return None
    lease, ended_at = found
    names = await name_bases(tx, [lease.basis_ref])
    return EndedLine(names.of(lease), ended_at, lease.end_reason or "lapsed")
