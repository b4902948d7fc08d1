"""From a permit, a duty or a request to the leases it asks for. Pure: facts and an instant in, wishes out."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from key2xs.core.ids import CylinderId, PersonId
from key2xs.core.settings import Leases
from key2xs.core.tri import Tri
from key2xs.identity.types import DutyOn
from key2xs.policy.types import Basis, FactWindow
from key2xs.work.types import CrewMember, GasTest, PermitFacts, Step

from .types import BasisKey, Request, Wish

# facts/work-management 6.1: short leases for high-risk types, one shift for the others.
HIGH_RISK = frozenset({"hot_work", "confined_space", "isolation", "line_break"})
ENDED_STEPS = frozenset({"done", "cancelled"})
# Whose role counts when one person signed on in several: the authority first, because it keeps access longest.
ROLE_ORDER = ("isolating_authority", "isolation_verifier", "area_authority", "performing_authority")


def permit_wishes(facts: PermitFacts, at: datetime, leases: Leases) -> list[Wish]:
    """Return one wish for every person who is signed on and every open step of the permit."""
    wishes: dict[BasisKey, Wish] = {}
    for member in sorted(facts.crew, key=_authority_first):
        if member.person_id is None or not member.is_signed_on(at):
            continue
        for step, cylinders in _open_steps(facts):
            wish = _permit_wish(facts, member, member.person_id, step, cylinders, at, leases)
            if wish is not None:
                wishes.setdefault(wish.key, wish)
    return list(wishes.values())


def duty_wish(
    person_id: PersonId, duty: DutyOn, cylinders: frozenset[CylinderId], at: datetime, leases: Leases
) -> Wish | None:
    """Return the wish of a duty role on shift, or None where the unit has no cylinders or the shift no end."""
    if not cylinders or duty.until is None:
        return None
    since = duty.since or at
    return Wish(
        key=BasisKey(person_id, f"duty:{duty.role}:{duty.unit_id}"),
        kind="duty_role",
        cylinders=cylinders,
        starts_at=since,
        ends_at=duty.until,
        basis_at=since,
        basis=Basis(
            kind="duty_role",
            window=FactWindow(since, duty.until),
            gas=FactWindow(standing="none"),
            holder_role=duty.role,
            unit_match="yes",
            reference=f"duty as {duty.role}",
        ),
        longest=timedelta(minutes=leases.longest_minutes),
        heads=frozenset({f"person:{person_id}", f"unit:{duty.unit_id}"}),
    )


def request_wish(request: Request, decided_at: datetime, access_points: int, leases: Leases) -> Wish | None:
    """Return the wish of an approved request, or None while it is not approved."""
    if request.state != "approved":
        return None
    emergency = request.kind == "emergency"
    longest = leases.longest_emergency_minutes if emergency else leases.longest_minutes
    return Wish(
        key=BasisKey(request.person_id, f"request:{request.id}"),
        kind=request.kind,
        cylinders=request.cylinders,
        # An approval that comes late shortens the window; it never reaches back.
        starts_at=max(request.starts_at, decided_at),
        ends_at=request.ends_at,
        basis_at=decided_at,
        basis=Basis(
            kind=request.kind,
            window=FactWindow(request.starts_at, request.ends_at),
            gas=FactWindow(standing="none"),
            approvers=frozenset(str(approver) for approver in request.approvers),
            requester=str(request.requester_id),
            access_points=access_points,
            reference="emergency" if emergency else "approved request",
        ),
        longest=timedelta(minutes=longest),
        heads=frozenset({f"request:{request.id}", f"person:{request.person_id}"}),
    )


def conflicts_of(facts: PermitFacts, person_id: PersonId) -> frozenset[str]:
    """Return the duties on this permit that must be separate and are in this one person's hand.

    Source: facts/work-management 5.2, the rows that hold for one permit.
    """
    roles = {member.role for member in facts.crew if member.person_id == person_id}
    signed = {approval.role for approval in facts.approvals if approval.person_id == person_id}
    found = set()
    if "performing_authority" in roles and "issuing_authority" in roles | signed:
        found.add("performing_issuing")
    if "isolating_authority" in roles and "performing_authority" in roles:
        found.add("isolating_performing")
    if "isolating_authority" in roles and "isolation_verifier" in roles | signed:
        found.add("isolating_verifying")
    if "gas_tester" in roles and "performing_authority" in roles and facts.type in HIGH_RISK:
        found.add("gas_testing_performing")
    return frozenset(found)


def _permit_wish(
    facts: PermitFacts,
    member: CrewMember,
    person_id: PersonId,
    step: Step | None,
    cylinders: frozenset[CylinderId],
    at: datetime,
    leases: Leases,
) -> Wish | None:
    signed_on = member.signed_on or at
    starts = [facts.window[0], signed_on]
    ends = [facts.window[1]]
    if step is not None and step.planned_from is not None:
        starts.append(step.planned_from)
    if step is not None and step.planned_to is not None:
        ends.append(step.planned_to)
    if not cylinders or max(starts) >= min(ends):
        return None
    minutes = leases.longest_high_risk_minutes if facts.type in HIGH_RISK else leases.longest_minutes
    return Wish(
        key=BasisKey(person_id, f"permit:{facts.permit_id}", step.id if step else ""),
        kind="permit_step",
        cylinders=cylinders,
        starts_at=max(starts),
        ends_at=min(ends),
        basis_at=_renewed_at(facts, signed_on),
        signed_at=_signed_at(facts, signed_on),
        basis=Basis(
            kind="permit_step",
            window=FactWindow(max(starts), min(ends)),
            gas=_gas_window(facts.gas),
            permit_state=facts.state,
            permit_type=facts.type,
            step_state=step.state if step else "none",
            signed_on="yes",
            needs_isolation=_needs_isolation(facts, step),
            isolation_ok=facts.isolation_ok,
            needs_gas="yes" if facts.gas_tests else "no",
            approvers=frozenset(str(a.person_id) for a in facts.approvals if a.approves and a.person_id),
            holder_role=member.role,
            reference=f"permit {facts.number}",
        ),
        longest=timedelta(minutes=minutes),
        heads=frozenset({*facts.heads, f"person:{person_id}"}),
        sod_conflicts=conflicts_of(facts, person_id),
    )


def _open_steps(facts: PermitFacts) -> Iterable[tuple[Step | None, frozenset[CylinderId]]]:
    if not facts.steps:
        return [(None, facts.cylinders)]
    open_steps = [step for step in facts.steps if step.state not in ENDED_STEPS]
    return [(step, (step.cylinders & facts.cylinders) or step.cylinders) for step in open_steps]


def _signed_at(facts: PermitFacts, signed_on: datetime) -> datetime:
    return max(signed_on, facts.basis_at) if facts.basis_at is not None else signed_on


def _renewed_at(facts: PermitFacts, signed_on: datetime) -> datetime:
    signed_at = _signed_at(facts, signed_on)
    # A fresh safe test is what renews a high-risk lease.
    return (
        max(signed_at, facts.gas.at) if facts.gas is not None and facts.gas.standing == "safe" else signed_at
    )


def _gas_window(test: GasTest | None) -> FactWindow:
    if test is None or test.standing == "none":
        return FactWindow(standing="none")
    if test.standing == "unsafe":
        return FactWindow(standing="failed")
    if test.standing == "unknown" or test.valid_to is None:
        return FactWindow(standing="unknown")
    return FactWindow(test.at, test.valid_to)


def _needs_isolation(facts: PermitFacts, step: Step | None) -> Tri:
    if step is not None and step.needs_isolation != "unknown":
        return step.needs_isolation
    return "yes" if facts.isolations else "no"


def _authority_first(member: CrewMember) -> tuple[int, str]:
    place = ROLE_ORDER.index(member.role) if member.role in ROLE_ORDER else len(ROLE_ORDER)
    return place, member.role
