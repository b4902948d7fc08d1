"""The nouns of the work room, as other rooms read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from key2xs.core.ids import CylinderId, PermitId, PersonId
from key2xs.core.tri import Tri
from key2xs.plant import Unmapped

from .payload import Problem
from .states import State
from .timeline import Finding

OutcomeKind: TypeAlias = Literal["accepted", "duplicate", "stale", "parked", "refused", "heard"]
"""accepted: it counts; duplicate: we have it; stale: a newer one counts, this one fills the past; parked: it is kept,
but what it says cannot be believed; refused: it is wrong; heard: a sign of life."""

StepState: TypeAlias = Literal["waiting", "authorised", "started", "paused", "done", "cancelled", "unknown"]
GasStanding: TypeAlias = Literal["none", "safe", "unsafe", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message."""

    kind: OutcomeKind
    problems: tuple[Problem, ...] = ()
    permit_id: PermitId | None = None
    entry: int | None = None
    stopped: tuple[PermitId, ...] = ()
    """Permits that an area stop cancelled."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody a permit names. `person_id` None: no identity is known for the reference."""

    id: UUID
    person_id: PersonId | None


@dataclass(frozen=True, slots=True)
class CrewMember:
    """One turn of one person in one role; several turns when somebody signed off and on again."""

    party_id: UUID
    person_id: PersonId | None
    role: str
    company: str | None
    crew: str | None
    signed_on: datetime | None
    signed_off: datetime | None

    def is_signed_on(self, at: datetime) -> bool:
        """Tell whether the turn is open at an instant."""
        if self.signed_on is None or self.signed_on > at:
            return False
        return self.signed_off is None or self.signed_off > at


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the job and the cylinders of its assets."""

    id: str
    title: str
    state: StepState
    assets: tuple[tuple[str, str], ...]
    cylinders: frozenset[CylinderId]
    roles: frozenset[str]
    needs_isolation: Tri
    planned_from: datetime | None
    planned_to: datetime | None


@dataclass(frozen=True, slots=True)
class Approval:
    """One signature; `person_id` None: nobody we know."""

    role: str
    party_id: UUID
    person_id: PersonId | None
    at: datetime
    decision: str

    @property
    def approves(self) -> bool:
        """Tell whether it is a yes."""
        return is_approval(self.decision)


@dataclass(frozen=True, slots=True)
class IsolationPoint:
    """One point of an isolation certificate."""

    id: str
    asset: str | None
    state: str
    lock_no: str | None
    verified_by: PersonId | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Isolation:
    """One isolation certificate."""

    certificate: str
    state: str
    points: tuple[IsolationPoint, ...]

    @property
    def is_proven(self) -> Tri:
        """Proven as a whole and at every point; "unknown" where a state is a word we do not know."""
        states = {self.state, *(point.state for point in self.points)}
        if not states <= _ISOLATION_STATES:
            return "unknown"
        return "yes" if states == {"proven"} else "no"


@dataclass(frozen=True, slots=True)
class GasTest:
    """One gas test."""

    at: datetime
    valid_to: datetime | None
    standing: GasStanding
    tester: PersonId | None


@dataclass(frozen=True, slots=True)
class PersonalLock:
    """A worker's own lock on a lock box."""

    box: str
    party_id: UUID
    person_id: PersonId | None
    on_at: datetime
    off_at: datetime | None


@dataclass(frozen=True, slots=True)
class CheckIn:
    """When somebody had to report, and when they did."""

    party_id: UUID
    person_id: PersonId | None
    due_at: datetime
    at: datetime | None


@dataclass(frozen=True, slots=True)
class PermitFacts:
    """Everything other rooms read about a permit, true at one instant.

    `live` tells whether the permit is issued and not suspended; whether its window has opened is in `window`. It is
    "unknown" where the state is; a silent source does not change it, but makes `feed_ok` something else than "yes",
    and then nothing new may be granted. `cylinders` is the scope in cylinders, without what waits for a signature.
    `basis_at` is when the present right to work arose: the newest of issue, revalidation and approval.
    """

    permit_id: PermitId
    source: str
    external_id: str
    number: str
    revision: int
    type: str
    state: State
    cause: str
    since: datetime
    live: Tri
    window: tuple[datetime, datetime]
    basis_at: datetime | None
    site: str
    area: str
    unit: str | None
    work: Mapping[str, Any]
    crew: tuple[CrewMember, ...]
    steps: tuple[Step, ...]
    assets: tuple[tuple[str, str], ...]
    cylinders: frozenset[CylinderId]
    cylinders_by_code: Mapping[tuple[str, str], frozenset[CylinderId]]
    unmapped: tuple[Unmapped, ...]
    withheld: tuple[tuple[str, str], ...]
    approvals: tuple[Approval, ...]
    isolations: tuple[Isolation, ...]
    gas_tests: tuple[GasTest, ...]
    personal_locks: tuple[PersonalLock, ...]
    checkins: tuple[CheckIn, ...]
    reissued_from: str | None
    """The sender's id of the permit that this one replaces."""
    reason_code: str | None
    findings: tuple[Finding, ...]
    needs_pull: bool
    feed_ok: Tri
    as_of: datetime | None
    """When the source was last heard."""
    heads: tuple[str, ...]
    lock_boxes: tuple[str, ...] = ()
    """The lock boxes it names, with or without a personal lock on them."""

    @property
    def personal_locks_on(self) -> bool | None:
        """Tell whether a personal lock hangs on a lock box; None when the permit says nothing of locks."""
        if not self.personal_locks:
            return None
        return any(lock.off_at is None for lock in self.personal_locks)

    @property
    def gas(self) -> GasTest | None:
        """The newest gas test."""
        return max(self.gas_tests, key=lambda test: test.at, default=None)

    @property
    def isolation_ok(self) -> Tri:
        """All certificates are proven; "no" where there is none."""
        if not self.isolations:
            return "no"
        proven = {isolation.is_proven for isolation in self.isolations}
        if "no" in proven:
            return "no"
        return "unknown" if "unknown" in proven else "yes"

    @property
    def unresolved(self) -> tuple[CrewMember, ...]:
        """Crew that no identity is known for."""
        return tuple(member for member in self.crew if member.person_id is None)


@dataclass(frozen=True, slots=True)
class PermitSummary:
    """One line of a list of permits."""

    id: PermitId
    source: str
    external_id: str
    number: str
    type: str
    area: str
    unit: str | None
    revision: int
    state: State
    cause: str
    valid_from: datetime
    valid_to: datetime
    needs_pull: bool
    findings: int


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a permit system stands."""

    name: str
    feed_ok: Tri
    heard_at: datetime | None
    heartbeat_at: datetime | None
    live_there: int | None
    live_here: int


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that was refused or parked, for the console."""

    id: UUID
    source: str
    event_id: str
    type: str
    permit_id: PermitId | None
    received_at: datetime
    outcome: OutcomeKind
    problems: tuple[Problem, ...]


_ISOLATION_STATES = frozenset({"planned", "isolated", "proven", "test_removed", "deisolated"})
_APPROVING = frozenset({"approve", "approved", "yes", "issue", "issued"})


def is_approval(decision: str) -> bool:
    """Tell whether a word of a signature is a yes; a word we do not know is not."""
    return decision.strip().casefold() in _APPROVING
