"""Conditions about the basis: kind, time, unit, approvals, and an emergency's limits.

The same names as `guardrails/2_basis.cedar` and `guardrails/4_emergency.cedar`.
"""

from collections.abc import Iterator
from typing import Final

from .case import Case, Condition
from .reasons import ReasonCode as Code
from .types import Missing, Window
from .view import qualification_window, required_qualifications

EMERGENCY_MINUTES_MAX: Final = 60
EMERGENCY_APPROVERS_MIN: Final = 2


def _standing(case: Case) -> Iterator[Missing]:
    if case.view.basis.kind == "standing":
        yield Missing(
            Code.STANDING_NOT_GRANTED, "a standing right is shown, not granted", f"ask for {_bases_for(case)}"
        )


def _basis(case: Case) -> Iterator[Missing]:
    kind, criticality = case.view.basis.kind, case.view.cylinder.criticality
    if kind in ("permit_step", "duty_role", "emergency") or (kind == "approved_request" and criticality <= 2):
        return
    yield Missing(
        Code.BASIS_TOO_WEAK,
        f"{case.permit} is not enough for criticality {criticality or 'unknown'}",
        f"ask for {_bases_for(case)}",
    )


def _bases_for(case: Case) -> str:
    strong = "a step of a permit in force, a duty role on shift for the unit, or an emergency by two people"
    return strong if case.view.cylinder.criticality not in (1, 2) else f"an approved request, {strong}"


def _qualification(case: Case) -> Iterator[Missing]:
    if case.view.basis.kind == "emergency":
        return
    for code in sorted(required_qualifications(case.situation, case.compiled.data)):
        window = qualification_window(case.situation, code)
        if window.state == "unknown":
            yield Missing(
                Code.QUALIFICATION_UNKNOWN, f"it is not known whether {code} is held", f"have {code} checked"
            )
        elif window.state == "none":
            yield Missing(
                Code.QUALIFICATION_MISSING, f"{code} is missing", f"obtain {code} and have it recorded"
            )
        elif window.state != "open":
            yield Missing(
                Code.QUALIFICATION_MISSING,
                f"{code} {case.past_or_future(window)}",
                f"renew {code}, have it recorded",
            )


def _window(case: Case) -> Iterator[Missing]:
    window, basis = case.situation.basis.window, case.view.basis
    keeps = basis.permit_state == "suspended" and basis.part in ("isolating", "area")
    if window.state == "open" or (window.state == "closed" and keeps):
        return
    if window.state == "unknown":
        yield Missing(
            Code.WINDOW_UNKNOWN, f"it is not known when {case.permit} is valid", "have its source put right"
        )
        return
    text = f"{case.permit} {case.past_or_future(window)}"
    yield Missing(Code.WINDOW_NOT_OPEN, text, _extend(window, case))


def _extend(window: Window, case: Case) -> str:
    if case.is_ahead(window) and window.opens_at is not None:
        return f"wait until {case.when(window.opens_at)}"
    return {
        "permit_step": f"ask the issuer to revalidate {case.permit}",
        "duty_role": "be on shift: ask the shift leader",
    }.get(case.view.basis.kind, "ask again for the time you need")


def _duty_unit(case: Case) -> Iterator[Missing]:
    basis = case.view.basis
    if basis.kind != "duty_role" or basis.unit_match == "yes":
        return
    if basis.unit_match == "no":
        yield Missing(
            Code.UNIT_NOT_COVERED,
            "the duty role is for another unit",
            "ask the person on duty for this unit, or ask for a permit",
        )
    else:
        yield Missing(
            Code.UNIT_UNKNOWN,
            "it is not known whether the duty role covers this unit",
            "have the roster completed",
        )


def _request_approval(case: Case) -> Iterator[Missing]:
    if case.view.basis.kind == "approved_request" and case.view.basis.approvals < 1:
        yield Missing(Code.APPROVAL_MISSING, "nobody has approved the request", "ask for approval")


def _emergency_approvers(case: Case) -> Iterator[Missing]:
    basis = case.view.basis
    if basis.kind == "emergency" and basis.approvals < EMERGENCY_APPROVERS_MIN:
        have = "one person has" if basis.approvals == 1 else "nobody has"
        text = f"an emergency needs two approvers, {have} approved"
        yield Missing(Code.SECOND_APPROVER_MISSING, text, "ask a second person to approve")


def _emergency_point(case: Case) -> Iterator[Missing]:
    basis = case.view.basis
    if basis.kind == "emergency" and basis.access_points != 1:
        text = "an emergency opens exactly one access point"
        yield Missing(Code.EMERGENCY_TOO_WIDE, text, "ask for one access point at a time")


def _emergency_length(case: Case) -> Iterator[Missing]:
    basis = case.view.basis
    if basis.kind == "emergency" and not 1 <= basis.minutes <= EMERGENCY_MINUTES_MAX:
        text = f"an emergency lasts at most {EMERGENCY_MINUTES_MAX} minutes"
        yield Missing(Code.EMERGENCY_TOO_LONG, text, f"ask for {EMERGENCY_MINUTES_MAX} minutes or less")


CONDITIONS: Final[tuple[tuple[str, Condition], ...]] = (
    ("guardrail.standing", _standing),
    ("guardrail.basis", _basis),
    ("guardrail.qualification", _qualification),
    ("guardrail.window", _window),
    ("guardrail.duty_unit", _duty_unit),
    ("guardrail.request_approval", _request_approval),
    ("guardrail.emergency_approvers", _emergency_approvers),
    ("guardrail.emergency_point", _emergency_point),
    ("guardrail.emergency_length", _emergency_length),
)
