"""The nouns of the grants room."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, PersonId, RequestId
from key2xs.policy.types import Basis, BasisKind, FactWindow, Key, Reason
from key2xs.safety import Act, Rule

GrantState: TypeAlias = Literal["scheduled", "active", "held", "ended"]

EndReason: TypeAlias = Literal[
    "basis_lost",  # the permit, step, sign-on, duty or approval is gone
    "denied",  # policy no longer allows it
    "emptied",  # no cylinder is left in it
    "killed",  # a person stopped this grant, key or person
    "lapsed",  # its window ran out
    "renewed",  # a newer basis took its place
    "revoked",  # a person revoked a set it belongs to
]


@dataclass(frozen=True, slots=True)
class BasisKey:
    """What a lease is for: one person, one basis, one step of it."""

    person_id: PersonId
    ref: str
    """`permit:<id>`, `duty:<role>:<unit id>` or `request:<id>`."""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """A lease that the facts ask for, before policy was asked.

    `basis_at` is when the basis arose or was last renewed, by a fresh gas test too; `signed_at` is when somebody
    last signed for it. A wish older than the end of an earlier lease for the same thing gives nothing back; where
    that lease was taken away and did not just run out, only a newer signature counts. `longest` caps the lease. `heads` are the subjects whose change makes the wish stale.
    """

    key: BasisKey
    kind: BasisKind
    cylinders: frozenset[CylinderId]
    starts_at: datetime
    ends_at: datetime
    basis_at: datetime
    basis: Basis[FactWindow]
    longest: timedelta
    heads: frozenset[str]
    signed_at: datetime | None = None
    """None: the same as `basis_at`."""
    sod_conflicts: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policy says of a wish: the cylinders it allows, why, and until when that is known to hold."""

    allowed: frozenset[CylinderId]
    denied: frozenset[CylinderId]
    reasons: tuple[Reason, ...]
    until: datetime | None
    bundle: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a grant goes on although it ended: the rule, the sentence, and how it ends once the rule is met."""

    rule: Rule
    why: str
    act: Act
    since: datetime
    end: EndReason
    """With which reason it ends then; to everything but the rule it ended so at `since`."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A grant as stored."""

    id: GrantId
    person_id: PersonId
    basis_kind: BasisKind
    basis_ref: str
    basis_step: str
    basis_at: datetime
    starts_at: datetime
    ends_at: datetime
    state: GrantState
    reference: str
    due_at: datetime | None
    cylinders: frozenset[CylinderId]
    held_rule: str | None = None
    hold: Hold | None = None
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    facts: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> BasisKey:
        """What the lease is for."""
        return BasisKey(self.person_id, self.basis_ref, self.basis_step)

    @property
    def subject(self) -> str:
        """The lease as a subject of the log."""
        return f"grant:{self.id}"


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks for access that no permit or duty gives."""

    id: RequestId
    kind: Literal["approved_request", "emergency"]
    person_id: PersonId
    requester_id: PersonId
    starts_at: datetime
    ends_at: datetime
    reason: str
    state: Literal["requested", "approved", "refused", "withdrawn"]
    asked_at: datetime
    cylinders: frozenset[CylinderId]
    approvers: frozenset[PersonId]


@dataclass(frozen=True, slots=True)
class Keys:
    """Which key of a person would carry a grant: the usual one, and at some cylinders another one.

    A key opens the locks of its own system only, so a good key of one maker does not stand in for a blocked one of
    another. `reported` says of the keys among them that are reported lost or broken what is wrong, by key: nothing new
    goes onto such a key, while what runs on it ends by the stop that the report asked for.
    """

    usual: Key
    elsewhere: Mapping[CylinderId, Key] = field(default_factory=dict)
    reported: Mapping[str, str] = field(default_factory=dict)

    def key_at(self, cylinder_id: CylinderId) -> Key:
        """Return the key that would carry a grant at a cylinder."""
        return self.elsewhere.get(cylinder_id, self.usual)

    @property
    def ids(self) -> frozenset[str]:
        """All of these keys."""
        return frozenset(key.id for key in (self.usual, *self.elsewhere.values()) if key.id)

    def why_nothing_new(self, cylinders: Collection[CylinderId]) -> str:
        """Say which key that these cylinders need is reported; empty where none is."""
        wanted = {self.key_at(cylinder).id for cylinder in cylinders}
        return "; ".join(sorted(why for key, why in self.reported.items() if key in wanted))

    def for_new(self) -> "Keys":
        """Return these keys as something new meets them: a reported key counts as blocked."""
        if not self.reported:
            return self
        return replace(
            self,
            usual=self._as_new(self.usual),
            elsewhere={cylinder: self._as_new(key) for cylinder, key in self.elsewhere.items()},
        )

    def _as_new(self, key: Key) -> Key:
        return replace(key, blocked="yes") if key.id in self.reported else key


class KeyFacts(Protocol):
    """What grants ask of the keys room, which comes later in the house."""

    async def key_of(
        self, tx: Connection, person_id: PersonId, cylinders: Collection[CylinderId], at: datetime
    ) -> Keys:
        """Return the keys that would carry a grant of this person at these cylinders, or what stands for having none."""
        ...

    async def can_carry(
        self, tx: Connection, person_id: PersonId, cylinders: Collection[CylinderId], at: datetime
    ) -> frozenset[CylinderId]:
        """Return which of these cylinders a key of this person that works could open."""
        ...
