"""What a decision is made from, and what comes out.

Two shapes of the same facts. `Facts` holds spans of time as they are stored (`FactWindow`). `Situation` holds the
same facts seen at one instant, where every span has become a named `Window` with a state. Policies see only states,
never instants, so the next instant at which any of them changes is known: that is `Decision.until`.
`situation_at(facts, at)` in `windows.py` goes from one to the other.

Everything is frozen and hashable. Where a fact was not given, the default is the narrowest value, so that a caller
who forgets a fact denies access instead of giving it. No field holds a name, only ids.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeAlias, TypeVar

from key2xs.core.tri import Tri

from .reasons import ReasonCode

WindowState: TypeAlias = Literal["open", "closed", "unknown", "none"]
"""open: in force; closed: known not to be; unknown: cannot tell; none: no such fact exists."""

Standing: TypeAlias = Literal["known", "failed", "unknown", "none"]

BasisKind: TypeAlias = Literal["permit_step", "duty_role", "approved_request", "emergency", "standing"]

PermitState: TypeAlias = Literal[
    "draft", "requested", "submitted", "under_review", "approved", "isolating", "isolated", "live", "suspended",
    "test", "handed_back", "deisolating", "deisolated", "closed", "cancelled", "rejected", "expired",
    "unknown", "none",
]  # fmt: skip
"""The canonical states, `test` (sanction to test), and `none` for a basis without a permit."""

StepState: TypeAlias = Literal[
    "waiting", "authorised", "started", "paused", "done", "cancelled", "unknown", "none"
]

SafetyRole: TypeAlias = Literal["none", "isolation", "emergency", "lock_box", "egress", "unknown"]

Verdict: TypeAlias = Literal["allow", "deny"]
"""There is no third verdict: what is not known is denied, with a reason whose code says so."""


@dataclass(frozen=True, slots=True)
class FactWindow:
    """A span of time as stored: from `starts_at` (inclusive) to `ends_at` (exclusive), UTC.

    `starts_at` None: since ever; `ends_at` None: without an end. `standing` "failed" is a fact known to be false
    whatever the time (an unsafe gas test), "unknown" one nobody can tell, "none" one that does not exist.
    """

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    standing: Standing = "known"


@dataclass(frozen=True, slots=True)
class Window:
    """A span seen at an instant; the instants serve `until` and the explainer, never a policy."""

    state: WindowState
    opens_at: datetime | None = None
    closes_at: datetime | None = None


W = TypeVar("W", FactWindow, Window)


@dataclass(frozen=True, slots=True)
class Qualification(Generic[W]):
    """A proof of ability (`VCA_VOL`, `GAS_TESTER`, ...) and how long it holds."""

    code: str
    window: W


@dataclass(frozen=True, slots=True)
class Person(Generic[W]):
    """The identity that would hold the key. A qualification not listed is known to be missing.

    `contract` is the employment for the operator's own people. `roles` None: membership could not be read.
    """

    id: str
    active: Tri
    contract: W
    qualifications: tuple[Qualification[W], ...] = ()
    roles: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Cylinder:
    """The class of cylinders that would be opened. `criticality` is 1..4, or None when it is not known."""

    class_key: str
    criticality: int | None
    zone: str
    egress_free: Tri = "unknown"
    safety_role: SafetyRole = "unknown"
    required_qualifications: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Basis(Generic[W]):
    """Why a grant may exist.

    `window` is the part of time the basis covers: the permit's present validation cut by the step, the shift, the
    approved request or the emergency. `holder_role` is the holder's role on that permit, or the duty role.
    `step_state` "none" says that the permit is not divided into steps.
    `gas` is the latest gas test: "none" without a test, "failed" when it was unsafe.
    `needs_isolation` and `needs_gas` come from the step or permit; the bundle's site data can only add to them.
    `approvers` and `requester` are person ids already matched to identities: leave out an approver nobody can match.
    `access_points` counts the access points of the basis's own cylinders, 0 when that is not known.
    `reference` ("permit 0473") is for explanations only.
    """

    kind: BasisKind
    window: W
    gas: W
    permit_state: PermitState = "none"
    permit_type: str = "none"
    step_state: StepState = "unknown"
    signed_on: Tri = "unknown"
    needs_isolation: Tri = "unknown"
    isolation_ok: Tri = "unknown"
    needs_gas: Tri = "unknown"
    approvers: frozenset[str] = frozenset()
    requester: str | None = None
    holder_role: str = "none"
    unit_match: Tri = "unknown"
    access_points: int = 0
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """The key that would carry the grant; `kind` is the vendor-neutral kind (`cliq`, `fob`, `phone`, ...)."""

    id: str
    kind: str
    blocked: Tri = "unknown"


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts of one question, with spans of time as stored.

    `sod_conflicts` names the duties that must be separate and are not (`isolating_performing`, ...), as worked out
    by the room that knows the roles on the permit; None: they could not be worked out.
    `next_change_at` is a later instant, known to the caller, at which a fact changes that has no window here (a
    membership, a qualification that only begins then); it only ever makes `until` earlier.
    """

    person: Person[FactWindow]
    cylinder: Cylinder
    basis: Basis[FactWindow]
    key: Key
    sod_conflicts: frozenset[str] | None = None
    next_change_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """All facts of one question, seen at the instant `at` (aware, UTC)."""

    at: datetime
    person: Person[Window]
    cylinder: Cylinder
    basis: Basis[Window]
    key: Key
    sod_conflicts: frozenset[str] | None = None
    next_change_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One ground of a decision: a stable code, a sentence, and the policy (`@id`) it came from, if one did."""

    code: ReasonCode
    text: str
    policy_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, why, and the first instant at which it has to be asked again (None: no window will change).

    The same facts give the same verdict at every instant in [at, until).
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    until: datetime | None

    @property
    def is_allowed(self) -> bool:
        """True only for "allow"."""
        return self.verdict == "allow"

    @property
    def is_unknown(self) -> bool:
        """Denied because something could not be known or evaluated, rather than known to be against it."""
        return self.verdict == "deny" and any(reason.code.is_unknown for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class Missing:
    """One unmet condition, and the smallest legal change that would meet it."""

    code: ReasonCode
    text: str
    smallest_change: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that stands between this person and this cylinder; empty when the decision is allow."""

    decision: Decision
    missing: tuple[Missing, ...]
