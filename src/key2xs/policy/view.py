"""What the policies may see of a situation: states and counts, no ids, no instants.

Because a policy cannot name a person, a key or a time of day, two situations with the same view have the same
verdict: they are decided once. Facts that mean nothing for a kind of basis are set to "none" here, so that they
cannot matter by accident.
"""

from dataclasses import dataclass, fields
from typing import Final

from key2xs.core.tri import Tri

from .site_data import SiteData
from .types import Situation, Window, WindowState
from .windows import minutes_of

PARTS: Final = {
    "isolating_authority": "isolating",
    "isolating_authority_electrical": "isolating",
    "isolating_authority_mechanical": "isolating",
    "isolation_verifier": "verifier",
    "area_authority": "area",
    "test_team": "tester",
}
"""The part a role on the permit plays for its keys; every other role is a worker, who must meet every condition.

Fixed in the product, not site data: mapping a welder to "isolating" would lift the sign-on.
"""

UNKNOWN_NUMBER: Final = -1

_WINDOW_STATES: Final = frozenset(("open", "closed", "unknown", "none"))
_TRI: Final = frozenset(("yes", "no", "unknown"))
_TRI_OR_NONE: Final = _TRI | {"none"}


@dataclass(frozen=True, slots=True)
class PersonView:
    """`qualification` is the worst state among those required; `qualifications` lists all that are in force.

    `qualifications_unknown` is not shown to policies: it says which might also be in force.
    """

    active: str
    contract: str
    qualification: str
    qualifications: frozenset[str]
    roles: frozenset[str]
    roles_known: str
    qualifications_unknown: frozenset[str]


@dataclass(frozen=True, slots=True)
class CylinderView:
    """`criticality` is 0 when it is not known."""

    criticality: int
    zone: str
    egress_free: str
    safety_role: str


@dataclass(frozen=True, slots=True)
class BasisView:
    """Counts are `UNKNOWN_NUMBER` when they are not known."""

    kind: str
    window: str
    permit_state: str
    permit_type: str
    step_state: str
    signed_on: str
    needs_isolation: str
    isolation_ok: str
    needs_gas: str
    gas: str
    holder_role: str
    part: str
    unit_match: str
    approvals: int
    requester_approved: str
    holder_approved: str
    access_points: int
    minutes: int


@dataclass(frozen=True, slots=True)
class KeyView:
    """The key's kind and whether it is blocked."""

    kind: str
    blocked: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything one evaluation reads."""

    person: PersonView
    cylinder: CylinderView
    basis: BasisView
    key: KeyView
    separation: str

    def fact(self, path: str) -> object:
        """Read a fact by its dotted name, `basis.gas` or `separation`."""
        value: object = self
        for name in path.split("."):
            value = getattr(value, name)
        return value


STATES: Final[dict[str, frozenset[str]]] = {
    "person.active": _TRI,
    "person.contract": _WINDOW_STATES,
    "person.qualification": _WINDOW_STATES,
    "person.roles_known": frozenset(("yes", "unknown")),
    "cylinder.egress_free": _TRI,
    "cylinder.safety_role": frozenset(("none", "isolation", "emergency", "lock_box", "egress", "unknown")),
    "basis.kind": frozenset(("permit_step", "duty_role", "approved_request", "emergency", "standing")),
    "basis.window": _WINDOW_STATES,
    "basis.permit_state": frozenset((
        "draft", "requested", "submitted", "under_review", "approved", "isolating", "isolated", "live",
        "suspended", "test", "handed_back", "deisolating", "deisolated", "closed", "cancelled", "rejected",
        "expired", "unknown", "none",
    )),
    "basis.step_state": frozenset(
        ("waiting", "authorised", "started", "paused", "done", "cancelled", "unknown", "none")
    ),
    "basis.signed_on": _TRI_OR_NONE,
    "basis.needs_isolation": _TRI_OR_NONE,
    "basis.isolation_ok": _TRI_OR_NONE,
    "basis.needs_gas": _TRI_OR_NONE,
    "basis.gas": _WINDOW_STATES,
    "basis.part": frozenset(("worker", "isolating", "verifier", "area", "tester", "none")),
    "basis.unit_match": _TRI_OR_NONE,
    "basis.requester_approved": _TRI,
    "basis.holder_approved": _TRI,
    "key.blocked": _TRI,
    "separation": frozenset(("kept", "broken", "unknown")),
}  # fmt: skip
"""The words each fact may take. A policy that compares with another word is refused when it is loaded."""

NUMBERS: Final = frozenset(("basis.access_points", "basis.minutes"))
"""Counts that may be unknown."""


BLANK: Final[dict[str, dict[str, object]]] = {
    part: {
        field.name: {"str": "", "int": 0}.get(str(getattr(field.type, "__name__", "")), frozenset())
        for field in fields(shape)
        if field.name != "kind" or part == "key"
    }
    for part, shape in (
        ("person", PersonView),
        ("cylinder", CylinderView),
        ("basis", BasisView),
        ("key", KeyView),
    )
}
"""An empty value of the right type for each fact that a bundle does not read."""


def view_of(situation: Situation, data: SiteData) -> View:
    """Reduce a situation to what policies may see.

    Raises:
        TypeError, ValueError, LookupError or AttributeError: the facts are not of the types they should have.
    """
    criticality = situation.cylinder.criticality
    if criticality is not None and type(criticality) is not int:
        # True equals 1 and 2.0 equals 2, but Cedar takes neither: they must not be taken for like facts.
        raise TypeError("criticality must be a whole number")
    return View(
        person=_person_view(situation, data),
        cylinder=CylinderView(
            criticality=criticality or 0,
            zone=situation.cylinder.zone,
            egress_free=situation.cylinder.egress_free,
            safety_role=situation.cylinder.safety_role,
        ),
        basis=_basis_view(situation, data),
        key=KeyView(situation.key.kind, situation.key.blocked),
        separation=_separation(situation),
    )


def required_qualifications(situation: Situation, data: SiteData) -> frozenset[str]:
    """What the cylinder's class, its criticality and the type of permit ask of the holder."""
    required = situation.cylinder.required_qualifications
    required |= data.qualifications_by_criticality.get(situation.cylinder.criticality or 0, frozenset())
    permit_type = data.permit_types.get(situation.basis.permit_type)
    if situation.basis.kind == "permit_step" and permit_type is not None:
        required |= permit_type.qualifications
    return required


def qualification_window(situation: Situation, code: str) -> Window:
    """The holder's window for one qualification; one that is not listed is known to be missing."""
    held = [q.window for q in situation.person.qualifications if q.code == code]
    # A code listed twice is a caller's mistake; the worst of them counts.
    return max(held, key=lambda window: _BADNESS[window.state], default=Window("none"))


_BADNESS: Final[dict[WindowState, int]] = {"open": 0, "unknown": 1, "closed": 2, "none": 3}


def _person_view(situation: Situation, data: SiteData) -> PersonView:
    person = situation.person
    states = {qualification_window(situation, c).state for c in required_qualifications(situation, data)}
    held = {q.code: qualification_window(situation, q.code).state for q in person.qualifications}
    return PersonView(
        active=person.active,
        contract=person.contract.state,
        # A qualification known to be missing outranks one that cannot be told: it is the reason to give.
        qualification=max(states, key=lambda state: _BADNESS[state], default="open"),
        qualifications=frozenset(code for code, state in held.items() if state == "open"),
        roles=person.roles or frozenset(),
        roles_known="unknown" if person.roles is None else "yes",
        qualifications_unknown=frozenset(code for code, state in held.items() if state == "unknown"),
    )


def _basis_view(situation: Situation, data: SiteData) -> BasisView:
    basis = situation.basis
    is_permit, is_duty = basis.kind == "permit_step", basis.kind == "duty_role"
    is_asked_for = basis.kind in ("approved_request", "emergency")
    permit_type = data.permit_types.get(basis.permit_type)
    minutes = minutes_of(basis.window)
    return BasisView(
        kind=basis.kind,
        window=basis.window.state,
        permit_state=basis.permit_state if is_permit else "none",
        permit_type=(basis.permit_type if permit_type else "unknown") if is_permit else "none",
        step_state=basis.step_state if is_permit else "none",
        signed_on=basis.signed_on if is_permit else "none",
        needs_isolation=_needs(
            basis.needs_isolation, always=permit_type is None or permit_type.needs_isolation
        )
        if is_permit
        else "none",
        isolation_ok=basis.isolation_ok if is_permit else "none",
        needs_gas=_needs(basis.needs_gas, always=permit_type is None or permit_type.needs_gas)
        if is_permit
        else "none",
        gas=basis.gas.state if is_permit else "none",
        holder_role=basis.holder_role if is_permit or is_duty else "none",
        part=PARTS.get(basis.holder_role, "worker") if is_permit else "none",
        unit_match=basis.unit_match if is_duty else "none",
        approvals=len(basis.approvers),
        requester_approved=_requester_approved(situation) if is_asked_for or basis.requester else "no",
        holder_approved="yes" if situation.person.id in basis.approvers else "no",
        access_points=basis.access_points if basis.access_points > 0 else UNKNOWN_NUMBER,
        minutes=UNKNOWN_NUMBER if minutes is None else minutes,
    )


def _needs(asked: Tri, *, always: bool) -> Tri:
    return "yes" if always else asked


def _requester_approved(situation: Situation) -> Tri:
    if situation.basis.requester is None:
        return "unknown"
    return "yes" if situation.basis.requester in situation.basis.approvers else "no"


def _separation(situation: Situation) -> str:
    if situation.sod_conflicts is None:
        return "unknown"
    return "broken" if situation.sod_conflicts else "kept"
