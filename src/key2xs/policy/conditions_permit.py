"""Conditions for work under a permit: its state, type, step, sign-on, isolation and gas.

The same names as `guardrails/3_permit.cedar`.
"""

from collections.abc import Iterator
from typing import Final

from .case import Case, Condition
from .reasons import ReasonCode as Code
from .types import Missing

_AT_ISOLATION: Final = ("isolation", "lock_box")
_STATES_OF: Final = {
    "worker": ("live",),
    "isolating": ("isolating", "live", "suspended", "deisolating"),
    "verifier": ("isolated",),
    "area": ("live", "suspended", "handed_back"),
    "tester": ("test",),
}
_PART_NAMES: Final = {
    "worker": "workers",
    "isolating": "the isolating authority",
    "verifier": "the isolation verifier",
    "area": "the area authority",
    "tester": "the test team",
}
_STATE_CHANGES: Final = {
    "suspended": "ask the issuer to revalidate {permit}",
    "expired": "ask the issuer for a new permit: {permit} has expired",
    "cancelled": "ask the issuer for a new permit: a cancelled one never comes back",
    "rejected": "ask the issuer for a new permit",
    "closed": "ask the issuer for a new permit: {permit} is closed",
    "handed_back": "ask the issuer for a new permit: {permit} was handed back",
    "deisolating": "ask the issuer for a new permit: {permit} was handed back",
    "deisolated": "ask the issuer for a new permit: {permit} was handed back",
    "test": "wait until the sanction to test on {permit} is over",
    "unknown": "have the state of {permit} put right in the permit system",
    "none": "ask the issuer for a permit",
}


def _permit_state(case: Case) -> Iterator[Missing]:
    basis = case.view.basis
    if basis.kind != "permit_step":
        return
    if basis.permit_state not in _STATES_OF[basis.part]:
        code = Code.PERMIT_UNKNOWN if basis.permit_state == "unknown" else Code.PERMIT_NOT_LIVE
        state = "in force" if basis.permit_state == "live" else basis.permit_state.replace("_", " ")
        # No rights yet before it is in force; the issuer is the one who can bring it there.
        change = _STATE_CHANGES.get(basis.permit_state, "ask the issuer to put {permit} in force")
        text = f"{case.permit} is {state}, which gives {_PART_NAMES[basis.part]} nothing"
        yield Missing(code, text, change.format(permit=case.permit))
    elif basis.part in ("isolating", "verifier") and case.view.cylinder.safety_role not in _AT_ISOLATION:
        # The same code as the guardrail gives: for this cylinder the permit is as if it were not live.
        text = f"{_PART_NAMES[basis.part]} opens isolation points and lock boxes only"
        yield Missing(Code.PERMIT_NOT_LIVE, text, f"sign on to {case.permit} as a worker")


def _permit_type(case: Case) -> Iterator[Missing]:
    if case.view.basis.kind == "permit_step" and case.view.basis.permit_type in ("unknown", "none"):
        text = f"the type of {case.permit} is not known here"
        yield Missing(
            Code.PERMIT_UNKNOWN, text, "have the type added to the site data, or the permit put right"
        )


def _step(case: Case) -> Iterator[Missing]:
    state = case.view.basis.step_state
    if not _is_worker(case) or state in ("authorised", "started", "none"):
        return
    if state == "unknown":
        text = f"the state of the step of {case.permit} is not known"
        yield Missing(Code.STEP_UNKNOWN, text, f"have the steps of {case.permit} put right")
        return
    change = (
        "ask the issuer for a new step"
        if state in ("done", "cancelled")
        else "ask the issuer to authorise it"
    )
    yield Missing(Code.STEP_NOT_AUTHORISED, f"the step of {case.permit} is {state}", change)


def _sign_on(case: Case) -> Iterator[Missing]:
    basis = case.view.basis
    if basis.kind != "permit_step" or basis.part not in ("worker", "tester") or basis.signed_on == "yes":
        return
    change = f"sign on to {case.permit}"
    if basis.signed_on == "unknown":
        yield Missing(Code.SIGN_ON_UNKNOWN, f"it is not known who is signed on to {case.permit}", change)
    else:
        yield Missing(Code.NOT_SIGNED_ON, f"not signed on to {case.permit}", change)


def _isolation(case: Case) -> Iterator[Missing]:
    basis = case.view.basis
    if not _is_worker(case) or basis.needs_isolation == "no" or basis.isolation_ok == "yes":
        return
    change = "ask the isolating authority to prove the isolation"
    if basis.isolation_ok == "unknown":
        yield Missing(Code.ISOLATION_UNKNOWN, f"it is not known whether {case.permit} is isolated", change)
    else:
        yield Missing(Code.ISOLATION_NOT_PROVEN, f"the isolation for {case.permit} is not proven", change)


def _gas(case: Case) -> Iterator[Missing]:
    basis, window = case.view.basis, case.situation.basis.gas
    if basis.kind != "permit_step" or basis.part not in ("worker", "tester"):
        return
    if basis.needs_gas == "no" or basis.gas == "open":
        return
    if basis.gas == "unknown":
        text = f"it is not known whether the gas test for {case.permit} holds"
        yield Missing(Code.GAS_UNKNOWN, text, "ask the gas tester for a new test")
        return
    text = f"no gas test for {case.permit}"
    if basis.gas == "closed":
        has_times = window.opens_at is not None or window.closes_at is not None
        text = f"gas test {case.past_or_future(window)}" if has_times else "the last gas test was not safe"
    yield Missing(Code.GAS_TEST_MISSING, text, "ask the gas tester for a new test")


def _is_worker(case: Case) -> bool:
    return case.view.basis.kind == "permit_step" and case.view.basis.part == "worker"


CONDITIONS: Final[tuple[tuple[str, Condition], ...]] = (
    ("guardrail.permit_state", _permit_state),
    ("guardrail.permit_type", _permit_type),
    ("guardrail.step", _step),
    ("guardrail.sign_on", _sign_on),
    ("guardrail.isolation", _isolation),
    ("guardrail.gas", _gas),
)
