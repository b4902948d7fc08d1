"""Why can this person open this, or why not, and what is the smallest legal change. Reads only.

Every basis the person has is tried in turn: permits that name them, duties, approved requests. A permit they are
not signed on to is tried as well, because signing on may be all that is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, PermitId, PersonId
from key2xs.core.settings import Leases
from key2xs.core.sql import load_queries
from key2xs.identity.types import PersonFacts
from key2xs.plant.types import CylinderFacts
from key2xs.policy.bundle import Bundle
from key2xs.policy.explain import explain
from key2xs.policy.reasons import ReasonCode
from key2xs.policy.types import Missing
from key2xs.policy.windows import situation_at
from key2xs.work.facts import permit_facts
from key2xs.work.types import PermitFacts

from .bases import BasisReader
from .decide import facts_of
from .store import is_newer
from .types import BasisKey, KeyFacts, Keys, Wish
from .wishes import permit_wishes

_SQL = load_queries("key2xs.grants")
MOST_BASES = 40  # tried for one answer; a person on more permits at once is a mistake to be looked at anyway

_NO_BASIS = Missing(
    ReasonCode.BASIS_TOO_WEAK,
    "no permit step, duty or approved request of this person covers this lock",
    "have them put on a permit that covers it, or ask for access",
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One basis that covers the cylinder, and what it lacks; nothing missing means that it allows."""

    key: BasisKey
    kind: str
    reference: str
    missing: tuple[Missing, ...]
    until: datetime | None

    @property
    def allows(self) -> bool:
        """Tell whether this basis is enough."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class PersonExplanation:
    """The answer: the bases that were tried, the nearest to a yes first."""

    person_id: PersonId
    cylinder_id: CylinderId
    attempts: tuple[Attempt, ...]

    @property
    def allowed(self) -> bool:
        """Tell whether any basis is enough."""
        return any(attempt.allows for attempt in self.attempts)

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What the nearest basis lacks, or that there is none."""
        if self.allowed:
            return ()
        return self.attempts[0].missing if self.attempts else (_NO_BASIS,)


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything about one person and one cylinder that every basis is tried against."""

    person: PersonFacts
    cylinder: CylinderFacts
    keys: Keys
    bundle: Bundle
    at: datetime
    zone: tzinfo


async def explain_person(
    tx: Connection,
    bases: BasisReader,
    keys: KeyFacts,
    leases: Leases,
    *,
    person_id: PersonId,
    cylinder_id: CylinderId,
    at: datetime,
    zone: tzinfo,
) -> PersonExplanation:
    """Explain whether a person may open a cylinder at an instant.

    Raises:
        NotFound: the plant has no facts about the cylinder then.
    """
    cylinders = await bases.cylinders(tx, [cylinder_id], at)
    if cylinder_id not in cylinders:
        message = f"no facts about cylinder {cylinder_id}"
        raise NotFound(message)
    case = _Case(
        await bases.person(tx, person_id, at),
        cylinders[cylinder_id],
        await keys.key_of(tx, person_id, [cylinder_id], at),
        await bases.bundle(tx, at),
        at,
        zone,
    )
    me = f"person:{person_id}"
    subjects = [me, *sorted(await bases.bases_of_person(tx, me, at))]
    attempts: list[Attempt] = []
    for subject in subjects[:MOST_BASES]:
        attempts += await _try_basis(tx, bases, leases, subject, person_id, cylinder_id, case)
    return PersonExplanation(person_id, cylinder_id, tuple(sorted(attempts, key=_nearest)))


async def _try_basis(
    tx: Connection,
    bases: BasisReader,
    leases: Leases,
    subject: str,
    person_id: PersonId,
    cylinder_id: CylinderId,
    case: _Case,
) -> list[Attempt]:
    state = await bases.read(tx, subject, case.at)
    wishes = [wish for key, wish in state.wishes.items() if key.person_id == person_id]
    if not wishes and subject.startswith("permit:"):
        facts = await permit_facts(tx, PermitId(UUID(subject.partition(":")[2])), case.at)
        wishes = _as_if_signed_on(facts, person_id, case.at, leases)
    found = []
    for wish in wishes:
        if cylinder_id in wish.cylinders:
            more = [
                *_silence(wish, silent=state.silent),
                *_reported(case.keys.why_nothing_new([cylinder_id])),
                *await _ended_before(tx, wish),
            ]
            found.append(_attempt(wish, case, more))
    return found


def _attempt(wish: Wish, case: _Case, more: Sequence[Missing]) -> Attempt:
    key = case.keys.key_at(case.cylinder.cylinder_id)
    situation = situation_at(facts_of(wish, case.person, case.cylinder, key), case.at)
    answer = explain(situation, case.bundle, zone=case.zone)
    return Attempt(
        wish.key,
        wish.kind,
        wish.basis.reference,
        (*answer.missing, *more),
        min(wish.ends_at, answer.decision.until or wish.ends_at),
    )


def _as_if_signed_on(facts: PermitFacts, person_id: PersonId, at: datetime, leases: Leases) -> list[Wish]:
    """Return what the permit would ask for if the person signed on now, marked as not signed on."""
    mine = [
        replace(member, signed_on=at, signed_off=None)
        for member in facts.crew
        if member.person_id == person_id
    ]
    wishes = permit_wishes(replace(facts, crew=tuple(mine)), at, leases)
    return [replace(wish, basis=replace(wish.basis, signed_on="no")) for wish in wishes]


async def _ended_before(tx: Connection, wish: Wish) -> list[Missing]:
    if await is_newer(tx, wish):
        return []
    return [
        Missing(
            ReasonCode.WINDOW_NOT_OPEN,
            "access for the same reason was ended before and does not come back by itself",
            "sign on again, or have the permit revalidated",
        )
    ]


def _silence(wish: Wish, *, silent: bool) -> list[Missing]:
    if not silent:
        return []
    return [
        Missing(
            ReasonCode.UNKNOWN,
            f"the permit system that knows {wish.basis.reference} has gone silent, so nothing new begins",
            "have the connection to the permit system put right",
        )
    ]


def _reported(why: str) -> list[Missing]:
    if not why:
        return []
    return [
        Missing(
            ReasonCode.KEY_BLOCKED,
            f"{why}, so nothing new goes onto it",
            "hand out another key at the key desk",
        )
    ]


def _nearest(attempt: Attempt) -> tuple[int, str]:
    return len(attempt.missing), attempt.reference
