"""The explainer: the same conditions as the guardrails, in plain words, with a change that really helps."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from key2xs.policy import (
    Basis,
    Bundle,
    Facts,
    FactWindow,
    Qualification,
    ReasonCode,
    decide,
    explain,
    make_bundle,
    shipped_bundle,
    shipped_site_data,
    situation_at,
)
from key2xs.policy.explain import unmet_guardrails
from tests.policy.factories import (
    AT,
    ENDED,
    LEGAL,
    NO_WINDOW,
    SHIFT,
    UNSAFE,
    YEAR,
    authority,
    change,
    emergency,
    near_legal,
    on_duty,
    request,
    seen,
    some_facts,
    standing,
    worker,
)

R = ReasonCode
EXAMPLES = settings(max_examples=4 * settings().max_examples)
HALF_AN_HOUR = FactWindow(AT, AT + timedelta(minutes=30))
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@EXAMPLES
@given(facts=some_facts)
def test_a_condition_is_unmet_exactly_when_its_guardrail_forbids(facts: Facts) -> None:
    reasons = decide(seen(facts), shipped_bundle()).reasons
    forbidding = {r.policy_id for r in reasons if r.policy_id and r.policy_id.startswith("guardrail.")}
    assert unmet_guardrails(seen(facts), shipped_bundle()) == forbidding


@EXAMPLES
@given(facts=some_facts)
def test_every_reason_is_explained_and_only_denials_have_something_missing(facts: Facts) -> None:
    explanation = explain(seen(facts), shipped_bundle())
    codes = {missing.code for missing in explanation.missing}
    if explanation.decision.is_allowed:
        assert not codes
    else:
        assert {reason.code for reason in explanation.decision.reasons} <= codes
        assert all(missing.text and missing.smallest_change for missing in explanation.missing)


def _repair_qualifications(facts: Facts) -> Facts:
    every = ("SITE_INDUCTION", "VCA_BASIC", "HV_SWITCHING", "RESCUE")
    return change(facts, qualifications=tuple(Qualification(code, YEAR) for code in every))


def _approve(facts: Facts) -> Facts:
    return change(facts, approvers=frozenset({"person-5", "person-6"}), requester="person-1")


def _turn_to_a_permit(facts: Facts) -> Facts:
    legal = worker().basis
    return replace(facts, basis=Basis(**{name: getattr(legal, name) for name in legal.__dataclass_fields__}))


def _bring_to_its_state(facts: Facts) -> Facts:
    """What the issuer does: a live permit for the work; at a place that is no isolation point, as a worker."""
    facts = change(facts, permit_state="live", permit_type="cold_work")
    if (
        facts.cylinder.safety_role not in ("isolation", "lock_box")
        or facts.basis.holder_role != "isolating_authority"
    ):
        facts = change(facts, holder_role="performing_authority", signed_on="yes", step_state="started")
    return facts


# What a person does who follows the smallest change of each code.
REPAIRS: dict[ReasonCode, Callable[[Facts], Facts]] = {
    R.IDENTITY_NOT_ACTIVE: lambda f: change(f, active="yes"),
    R.IDENTITY_UNKNOWN: lambda f: change(f, active="yes"),
    R.CONTRACT_NOT_IN_FORCE: lambda f: change(f, contract=YEAR),
    R.CONTRACT_UNKNOWN: lambda f: change(f, contract=YEAR),
    R.ROLES_UNKNOWN: lambda f: change(f, roles=frozenset({"maintenance"})),
    R.CYLINDER_UNKNOWN: lambda f: change(
        f,
        criticality=f.cylinder.criticality or 2,
        safety_role="none" if f.cylinder.safety_role == "unknown" else f.cylinder.safety_role,
    ),
    R.KEY_BLOCKED: lambda f: change(f, blocked="no"),
    R.KEY_UNKNOWN: lambda f: change(f, blocked="no"),
    R.DUTIES_NOT_SEPARATE: lambda f: change(f, sod_conflicts=frozenset()),
    R.SEPARATION_UNKNOWN: lambda f: change(f, sod_conflicts=frozenset()),
    R.REQUESTER_APPROVED: _approve,
    R.REQUESTER_UNKNOWN: _approve,
    R.HOLDER_APPROVED: _approve,
    R.APPROVAL_MISSING: _approve,
    R.SECOND_APPROVER_MISSING: _approve,
    R.QUALIFICATION_MISSING: _repair_qualifications,
    R.QUALIFICATION_UNKNOWN: _repair_qualifications,
    R.WINDOW_NOT_OPEN: lambda f: change(f, window=HALF_AN_HOUR),
    R.WINDOW_UNKNOWN: lambda f: change(f, window=HALF_AN_HOUR),
    R.UNIT_NOT_COVERED: lambda f: change(f, unit_match="yes"),
    R.UNIT_UNKNOWN: lambda f: change(f, unit_match="yes"),
    R.BASIS_TOO_WEAK: _turn_to_a_permit,
    R.STANDING_NOT_GRANTED: _turn_to_a_permit,
    R.EMERGENCY_TOO_WIDE: lambda f: change(f, access_points=1),
    R.EMERGENCY_TOO_LONG: lambda f: change(f, window=HALF_AN_HOUR),
    R.PERMIT_NOT_LIVE: _bring_to_its_state,
    R.PERMIT_UNKNOWN: _bring_to_its_state,
    R.STEP_NOT_AUTHORISED: lambda f: change(f, step_state="authorised"),
    R.STEP_UNKNOWN: lambda f: change(f, step_state="authorised"),
    R.NOT_SIGNED_ON: lambda f: change(f, signed_on="yes"),
    R.SIGN_ON_UNKNOWN: lambda f: change(f, signed_on="yes"),
    R.ISOLATION_NOT_PROVEN: lambda f: change(f, isolation_ok="yes"),
    R.ISOLATION_UNKNOWN: lambda f: change(f, isolation_ok="yes"),
    R.GAS_TEST_MISSING: lambda f: change(f, gas=SHIFT),
    R.GAS_UNKNOWN: lambda f: change(f, gas=SHIFT),
    R.SITE_POLICY: lambda f: change(f, holder_role="shift_leader"),
}


@EXAMPLES
@given(facts=near_legal())
def test_who_follows_every_change_gets_in(facts: Facts) -> None:
    """A change may bring up the next condition (a new permit wants a sign-on), but never goes round in circles."""
    for _ in range(4):
        explanation = explain(seen(facts), shipped_bundle())
        if explanation.decision.is_allowed:
            return
        for missing in explanation.missing:
            facts = REPAIRS[missing.code](facts)
    raise AssertionError(explain(seen(facts), shipped_bundle()).missing)


def _said(facts: Facts, bundle: Bundle | None = None, **options: Any) -> list[tuple[str, str]]:
    explanation = explain(seen(facts), bundle or shipped_bundle(), **options)
    return [(missing.text, missing.smallest_change) for missing in explanation.missing]


# (the facts, exactly what a person reads)
SENTENCES: list[tuple[Facts, list[tuple[str, str]]]] = [
    (worker(signed_on="no"), [("not signed on to permit 0473", "sign on to permit 0473")]),
    (
        worker(permit_state="suspended"),
        [("permit 0473 is suspended, which gives workers nothing", "ask the issuer to revalidate permit 0473")],
    ),
    (worker(window=ENDED), [("permit 0473 ended 2 Mar 21:00", "ask the issuer to revalidate permit 0473")]),
    (worker(contract=ENDED), [("contract ended 2 Mar 21:00", "new contract needed in IAM")]),
    (
        worker(contract=replace(YEAR, ends_at=AT.replace(year=2025))),
        [("contract ended 2 Mar 2025 22:00", "new contract needed in IAM")],
    ),
    (
        worker(permit_type="hot_work", gas=ENDED),
        [("gas test ended 2 Mar 21:00", "ask the gas tester for a new test")],
    ),
    (
        worker(permit_type="hot_work", gas=UNSAFE),
        [("the last gas test was not safe", "ask the gas tester for a new test")],
    ),
    (worker(needs_gas="yes"), [("no gas test for permit 0473", "ask the gas tester for a new test")]),
    (
        worker(step_state="paused"),
        [("the step of permit 0473 is paused", "ask the issuer to authorise it")],
    ),
    (
        worker(gone="SITE_INDUCTION"),
        [("SITE_INDUCTION is missing", "obtain SITE_INDUCTION and have it recorded")],
    ),
    (
        worker(sod_conflicts=frozenset({"isolating_performing"})),
        [
            (
                "two duties in one hand: isolating and performing",
                "give one of the two duties on permit 0473 to somebody else",
            )
        ],
    ),
    (
        request(criticality=3),
        [
            (
                "the request is not enough for criticality 3",
                "ask for a step of a permit in force, a duty role on shift for the unit, or an emergency by two people",
            )
        ],
    ),
    (
        emergency(approvers=frozenset({"person-8"})),
        [("an emergency needs two approvers, one person has approved", "ask a second person to approve")],
    ),
    (on_duty(window=replace(SHIFT, starts_at=AT.replace(hour=23))), [("the shift begins 3 Mar 00:00", "wait until 3 Mar 00:00")]),
    (
        authority("isolating_authority", "isolating", safety_role="none"),
        [("the isolating authority opens isolation points and lock boxes only", "sign on to permit 0473 as a worker")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "sentences"), SENTENCES)
def test_what_a_person_reads(facts: Facts, sentences: list[tuple[str, str]]) -> None:
    assert _said(facts, zone=AMSTERDAM) == sentences


def test_several_things_missing_are_all_told() -> None:
    said = _said(worker(signed_on="no", permit_state="suspended", contract=ENDED, blocked="yes"))
    assert len(said) == 4


def test_without_a_zone_instants_say_utc() -> None:
    assert _said(worker(contract=ENDED))[0][0] == "contract ended 2 Mar 20:00 UTC"


def test_a_site_rule_is_named() -> None:
    [(text, to_do)] = _said(on_duty(safety_role="lock_box"))
    assert text.startswith("A lock box")
    assert "site.duty.lock_box" in to_do


def test_a_default_deny_says_that_no_rule_gives_it() -> None:
    closed = make_bundle("closed", policies="", site_data=shipped_site_data())
    [missing] = explain(seen(worker()), closed).missing
    assert missing.code is R.NO_SITE_POLICY


def test_facts_that_cannot_be_read_are_explained_too() -> None:
    for broken in (change(worker(), criticality="3"), change(worker(), approvers=None)):
        [missing] = explain(situation_at(broken, AT), shipped_bundle()).missing
        assert missing.code is R.UNKNOWN


def test_a_standing_right_is_told_what_to_ask_for() -> None:
    assert all("approved request" in to_do for _, to_do in _said(standing()))


def test_nothing_is_missing_where_it_is_allowed() -> None:
    for make in LEGAL.values():
        assert explain(seen(make()), shipped_bundle()).missing == ()


def test_no_window_is_worded_plainly() -> None:
    assert _said(worker(contract=NO_WINDOW))[0][0] == "contract is not there"
