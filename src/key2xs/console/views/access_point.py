"""*Access point*: its locks, who can open them now, why, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.console.people import Alias, look_up
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, PersonId
from key2xs.grants.explaining import PersonExplanation, explain_person
from key2xs.identity import Identity
from key2xs.keys.coverage.reads import coverage_of
from key2xs.keys.coverage.rules import Coverage
from key2xs.keys.openers import Pair
from key2xs.keys.types import MayOpen, StoredKey
from key2xs.plant.service import find_access_point, list_cylinders
from key2xs.plant.types import AccessPoint, Cylinder
from key2xs.services import Services

from .bases import BasisLine, EndedLine, last_ended, leases_by_id, name_bases
from .openings import OpeningLine, keys_by_id, opening_lines

# The page is for one cabinet; where more keys than this can open it, the list itself is the finding.
MOST_KEYS = 60


@dataclass(frozen=True, slots=True)
class OpenerLine:
    """One key that can open a lock. `pair` has the terms; None when the answer moved while the page was read."""

    opener: MayOpen
    key: StoredKey | None
    holder: Alias | None
    basis: BasisLine | None
    pair: Pair | None
    ended: EndedLine | None

    @property
    def allowed(self) -> bool:
        """Tell whether a grant covers it now."""
        return self.opener.grant_id is not None


@dataclass(frozen=True, slots=True)
class CylinderPart:
    """One lock of the access point."""

    cylinder: Cylinder
    openers: tuple[OpenerLine, ...]
    openings: tuple[OpeningLine, ...]
    coverage: Coverage
    """How far they are known."""

    @property
    def allowed(self) -> tuple[OpenerLine, ...]:
        """Keys that may."""
        return tuple(line for line in self.openers if line.allowed)

    @property
    def ended(self) -> tuple[OpenerLine, ...]:
        """Keys that may no longer, and still can."""
        return tuple(line for line in self.openers if not line.allowed)


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer of the *explain a person* box."""

    who: str
    person: Alias | None
    answers: tuple[tuple[Cylinder, PersonExplanation], ...] = ()


@dataclass(frozen=True, slots=True)
class AccessPointView:
    """Everything on the page."""

    point: AccessPoint
    parts: tuple[CylinderPart, ...]


async def read_access_point(tx: Connection, services: Services, name: str, at: datetime) -> AccessPointView:
    """Read the page.

    Raises:
        NotFound: no such access point.
    """
    point = await find_access_point(tx, name)
    if point is None:
        message = f"There is no access point {name}."
        raise NotFound(message)
    cylinders = await list_cylinders(tx, access_point_id=point.id)
    parts = [await _part(tx, services, c, at) for c in sorted(cylinders, key=lambda c: c.marking)]
    return AccessPointView(point, tuple(parts))


async def ask_about(
    tx: Connection, services: Services, view: AccessPointView, who: str, at: datetime
) -> Asked:
    """Explain whether somebody may open the locks here; `who` is a key's stamp or a reference of the person."""
    person_id = await find_who(tx, services, who, at)
    if person_id is None:
        return Asked(who, None)
    people = await look_up(tx, [person_id], at)
    answers = [
        (
            part.cylinder,
            await explain_person(
                tx,
                services.bases,
                services.custody,
                services.settings.leases,
                person_id=person_id,
                cylinder_id=part.cylinder.id,
                at=at,
                zone=services.settings.zone,
            ),
        )
        for part in view.parts
    ]
    return Asked(who, people.of(person_id), tuple(answers))


async def find_who(tx: Connection, services: Services, who: str, at: datetime) -> PersonId | None:
    """Return the person meant: the holder of a key by its stamp, or who goes by a reference of the IAM or payroll."""
    key = await services.registry.find_key(tx, who.strip())
    if key is not None:
        return await services.custody.holder_at(tx, key.id, at)
    identity = Identity(services.ledger, services.vault, services.settings.zone)
    for scheme in ("person", "iam", "personnel_no"):
        found = await identity.find_person(tx, scheme, who.strip())
        if found is not None:
            return found
    return None


async def _part(tx: Connection, services: Services, cylinder: Cylinder, at: datetime) -> CylinderPart:
    openers = (await services.openers.may_open(tx, cylinder.id, at))[:MOST_KEYS]
    events = await services.events.recent(tx, cylinder_id=cylinder.id, limit=10)
    return CylinderPart(
        cylinder,
        tuple(await _opener_lines(tx, services, openers, cylinder.id, at)),
        tuple(await opening_lines(tx, services, events, at)),
        await coverage_of(tx, None, cylinder.id, at),
    )


async def _opener_lines(
    tx: Connection, services: Services, openers: Sequence[MayOpen], cylinder_id: CylinderId, at: datetime
) -> list[OpenerLine]:
    people = await look_up(tx, [opener.person_id for opener in openers], at)
    leases = await leases_by_id(tx, [opener.grant_id for opener in openers])
    names = await name_bases(tx, [lease.basis_ref for lease in leases.values()])
    keys = await keys_by_id(tx, services, [opener.key_id for opener in openers])
    lines = []
    for opener in openers:
        lease = leases.get(opener.grant_id) if opener.grant_id else None
        key = keys.get(opener.key_id)
        lines.append(
            OpenerLine(
                opener,
                key,
                people.of(opener.person_id),
                names.of(lease) if lease else None,
                await _pair(tx, services, key, cylinder_id, at),
                None if lease else await last_ended(tx, opener.person_id, cylinder_id, at),
            )
        )
    return lines


async def _pair(
    tx: Connection, services: Services, key: StoredKey | None, cylinder_id: CylinderId, at: datetime
) -> Pair | None:
    if key is None:
        return None
    answer = await services.openers.exposure_of(tx, key, at)
    return next((pair for pair in answer.pairs if pair.cylinder_id == cylinder_id), None)
