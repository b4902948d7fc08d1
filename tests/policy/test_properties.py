"""What must hold for every situation, not only for those somebody thought of."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from key2xs.policy import (
    Bundle,
    Cylinder,
    Facts,
    FactWindow,
    Qualification,
    ReasonCode,
    cylinder_class,
    decide,
    decide_many,
    engine,
    shipped_bundle,
)
from key2xs.policy.compiled import compile_bundle
from key2xs.policy.engine import visible_windows
from key2xs.policy.view import view_of
from tests.policy.factories import (
    AT,
    LEGAL,
    UNKNOWN_WINDOW,
    YEAR,
    any_cylinder,
    any_facts,
    change,
    seen,
    site_bundle,
    some_facts,
    tris,
)

# Four times what the profile asks: a decision is cheap, and these are promises.
EXAMPLES = settings(max_examples=4 * settings().max_examples)

# A site that reads everything it may, carelessly: forbids on known facts, permits on missing ones, and errs at times.
CARELESS = """
@id("site.egress") @reason("r") forbid (principal, action, resource) when { resource.egress_free == "no" };
@id("site.visitors") @reason("r") forbid (principal, action, resource) when { principal.roles.contains("visitor") };
@id("site.marked") @reason("r") forbid (principal, action, resource) when { principal.qualifications.contains("RESCUE") };
@id("site.gas") @reason("r") forbid (principal, action, resource) when { context.basis.gas == "closed" };
@id("site.odd") @reason("r") permit (principal, action, resource) when { context.basis.signed_on == "unknown" || context.basis.isolation_ok == "unknown" };
@id("site.points") @reason("r") forbid (principal, action, resource) when { context.basis.access_points > 2 };
@id("site.errs") @reason("r") forbid (principal, action, resource) when { resource.criticality * context.basis.approvals * 3074457345618258603 < 0 };
"""
BUNDLES = {"shipped": shipped_bundle(), "careless": site_bundle(CARELESS)}
bundles = pytest.mark.parametrize("bundle", BUNDLES.values(), ids=BUNDLES)


def _without(facts: Facts, name: str) -> Facts:
    """The same facts with one of them not known any more."""
    if name in ("sod_conflicts", "roles", "criticality", "requester"):
        return change(facts, **{name: None})
    if name in ("contract", "window", "gas"):
        return change(facts, **{name: UNKNOWN_WINDOW})
    if name == "access_points":
        return change(facts, access_points=0)
    if name == "approvers":
        return change(facts, approvers=frozenset())
    if name == "qualifications":
        return change(
            facts,
            qualifications=tuple(replace(q, window=UNKNOWN_WINDOW) for q in facts.person.qualifications),
        )
    return change(facts, **{name: "unknown"})


LOSABLE = (
    "active", "contract", "roles", "qualifications", "criticality", "egress_free", "safety_role", "window", "gas",
    "permit_state", "permit_type", "step_state", "signed_on", "needs_isolation", "isolation_ok", "needs_gas",
    "unit_match", "access_points", "blocked", "sod_conflicts",
)  # fmt: skip


@bundles
@EXAMPLES
@given(facts=some_facts, lost=st.lists(st.sampled_from(LOSABLE), min_size=1, max_size=4, unique=True))
def test_losing_a_fact_never_turns_a_deny_into_an_allow(
    bundle: Bundle, facts: Facts, lost: list[str]
) -> None:
    poorer = facts
    for name in lost:
        poorer = _without(poorer, name)
    before, after = decide_many((seen(facts), seen(poorer)), bundle)
    assert before.is_allowed or not after.is_allowed


@pytest.mark.parametrize("name", sorted(LEGAL))
def test_when_everything_falls_silent_nothing_is_given(name: str) -> None:
    facts = LEGAL[name]()
    for lost in (*LOSABLE, "approvers", "requester"):
        facts = _without(facts, lost)
    assert not decide(seen(facts), shipped_bundle()).is_allowed


@bundles
@EXAMPLES
@given(facts=some_facts)
def test_sliced_and_full_bundles_decide_alike(bundle: Bundle, facts: Facts) -> None:
    assert decide_many([seen(facts)], bundle) == decide_many([seen(facts)], bundle, sliced=False)


@bundles
@EXAMPLES
@given(facts=some_facts)
def test_what_no_policy_reads_makes_no_difference(bundle: Bundle, facts: Facts) -> None:
    """Blanking unread facts and slicing against the plain way: all facts, all policies."""
    compiled = compile_bundle(bundle)
    view = view_of(seen(facts), compiled.data)
    plain = engine._decide_views([view], compiled, sliced=False)[view]
    decision = decide(seen(facts), bundle)
    assert (decision.verdict, decision.reasons) == (plain.verdict, plain.reasons)


@bundles
@EXAMPLES
@given(facts=some_facts, other=any_cylinder)
def test_cylinders_of_one_class_are_decided_alike(bundle: Bundle, facts: Facts, other: Cylinder) -> None:
    twin = replace(facts, cylinder=other)
    if cylinder_class(facts.cylinder, bundle) == cylinder_class(other, bundle):
        assert decide(seen(facts), bundle) == decide(seen(twin), bundle)


def test_a_class_forgets_only_what_the_bundle_does_not_read() -> None:
    here, there = (LEGAL["worker"](zone=zone).cylinder for zone in ("CDU-3", "JETTY"))
    assert cylinder_class(here, shipped_bundle()) == cylinder_class(there, shipped_bundle())
    reads_zone = site_bundle(
        '@id("site.z") @reason("r") forbid (principal, action, resource) when { resource.zone == "JETTY" };'
    )
    assert cylinder_class(here, reads_zone) != cylinder_class(there, reads_zone)


@bundles
@given(asked=st.lists(some_facts, max_size=12), data=st.data())
def test_a_batch_decides_as_one_by_one_in_any_order(
    bundle: Bundle, asked: list[Facts], data: st.DataObject
) -> None:
    situations = [seen(facts) for facts in asked]
    shuffled = data.draw(st.permutations([*situations, *situations[:3]]))
    assert decide_many(shuffled, bundle) == [decide(situation, bundle) for situation in shuffled]


@bundles
@EXAMPLES
@given(facts=some_facts, share=st.floats(0, 1, exclude_max=True))
def test_until_is_sound(bundle: Bundle, facts: Facts, share: float) -> None:
    """Asked again at any instant before `until`, the verdict and its reasons are the same."""
    first = decide(seen(facts), bundle)
    end = first.until or AT + timedelta(days=400)
    assert end > AT
    instant = min(AT + (end - AT) * share, end - timedelta(microseconds=1))  # a share near 1 rounds up
    again = decide(seen(facts, instant), bundle)
    assert (again.verdict, again.reasons) == (first.verdict, first.reasons)
    last_moment = decide(seen(facts, end - timedelta(microseconds=1)), bundle)
    assert last_moment.verdict == first.verdict


@EXAMPLES
@given(facts=some_facts, at=st.integers(-600, 600))
def test_verdicts_change_only_at_untils(facts: Facts, at: int) -> None:
    """Walking from `until` to `until` meets every verdict there is: brute force over the minutes in between."""
    steps = 0
    instant = AT
    verdicts = {instant: decide(seen(facts, instant), shipped_bundle())}
    while (until := verdicts[instant].until) is not None:
        steps += 1
        assert steps < 30, "until must move forward"
        instant = until
        verdicts[instant] = decide(seen(facts, instant), shipped_bundle())
    moment = AT + timedelta(minutes=abs(at))
    last = max(known for known in verdicts if known <= moment)
    assert decide(seen(facts, moment), shipped_bundle()).verdict == verdicts[last].verdict


def test_a_change_the_caller_knows_of_makes_until_earlier() -> None:
    soon = AT + timedelta(minutes=3)
    assert decide(seen(LEGAL["worker"](next_change_at=soon)), shipped_bundle()).until == soon
    past = decide(seen(LEGAL["worker"](next_change_at=AT)), shipped_bundle()).until
    assert past is not None
    assert past > soon


SOON = AT + timedelta(minutes=20)
ENDS_SOON, BEGINS_SOON = FactWindow(None, SOON), FactWindow(SOON, None)


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        pytest.param(LEGAL["worker"](window=ENDS_SOON), "allow", id="the permit ends"),
        pytest.param(LEGAL["worker"](window=BEGINS_SOON), "deny", id="the permit begins"),
        pytest.param(LEGAL["worker"](contract=ENDS_SOON), "allow", id="the contract ends"),
        pytest.param(
            LEGAL["worker"](permit_type="hot_work", gas=ENDS_SOON), "allow", id="the gas test runs out"
        ),
        pytest.param(
            LEGAL["worker"](permit_type="hot_work", gas=BEGINS_SOON), "deny", id="the gas test begins"
        ),
        pytest.param(
            LEGAL["worker"](qualifications=(Qualification("SITE_INDUCTION", ENDS_SOON),)),
            "allow",
            id="a proof runs out",
        ),
        pytest.param(LEGAL["duty"](window=ENDS_SOON), "allow", id="the shift ends"),
    ],
)
def test_until_is_the_instant_at_which_the_verdict_turns(facts: Facts, verdict: str) -> None:
    before, after = decide(seen(facts), shipped_bundle()), decide(seen(facts, SOON), shipped_bundle())
    assert (before.verdict, before.until) == (verdict, SOON)
    assert after.verdict != verdict


def test_until_watches_both_of_a_qualification_listed_twice() -> None:
    twice = tuple(Qualification("SITE_INDUCTION", span) for span in (YEAR, ENDS_SOON))
    for order in (twice, twice[::-1]):
        assert decide(seen(LEGAL["worker"](qualifications=order)), shipped_bundle()).until == SOON


def test_a_qualification_listed_twice_counts_as_the_worse() -> None:
    twice = tuple(Qualification("SITE_INDUCTION", span) for span in (YEAR, UNKNOWN_WINDOW))
    assert not decide(seen(LEGAL["worker"](qualifications=twice)), shipped_bundle()).is_allowed


def test_until_does_not_watch_what_no_policy_sees() -> None:
    facts = LEGAL["duty"](gas=FactWindow(None, AT + timedelta(minutes=5)))
    until = decide(seen(facts), shipped_bundle()).until
    assert until is not None
    assert until > AT + timedelta(minutes=5)
    watched = list(visible_windows(seen(facts), compile_bundle(shipped_bundle())))
    assert len(watched) == 3  # contract, shift, site instruction


@bundles
@EXAMPLES
@given(facts=any_facts, active=tris, blocked=tris)
def test_an_emergency_never_lifts_identity_or_a_block(
    bundle: Bundle, facts: Facts, active: Any, blocked: Any
) -> None:
    assume(active != "yes" or blocked != "no")
    urgent = change(
        LEGAL["emergency"](), active=active, blocked=blocked, criticality=facts.cylinder.criticality
    )
    for asked in (urgent, change(facts, kind="emergency", active=active, blocked=blocked)):
        assert not decide(seen(asked), bundle).is_allowed


@EXAMPLES
@given(facts=any_facts)
def test_an_emergency_lifts_permit_and_qualification(facts: Facts) -> None:
    """Whatever the permit and the proofs say, two people can open one point for an hour."""
    legal = LEGAL["emergency"]()
    lifted = {
        field.name: getattr(facts.basis, field.name)
        for field in fields(facts.basis)
        if field.name.startswith(("permit", "step", "signed", "needs", "isolation", "gas", "unit"))
    }
    asked = change(legal, **lifted, required_qualifications=facts.cylinder.required_qualifications)
    asked = change(asked, qualifications=facts.person.qualifications)
    assert decide(seen(asked), shipped_bundle()).is_allowed


@EXAMPLES
@given(facts=some_facts)
def test_critical_cylinders_open_on_a_strong_basis_only(facts: Facts) -> None:
    decision = decide(seen(facts), shipped_bundle())
    if decision.is_allowed and (facts.cylinder.criticality or 0) >= 3:
        assert facts.basis.kind in ("permit_step", "duty_role", "emergency")
    if decision.is_allowed:
        assert facts.person.active == "yes"
        assert facts.key.blocked == "no"
        assert facts.basis.kind != "standing"
        assert not facts.sod_conflicts


@bundles
@given(facts=some_facts)
def test_the_same_facts_and_bundle_give_the_same_decision(bundle: Bundle, facts: Facts) -> None:
    first = decide(seen(facts), bundle)
    # Through a freshly parsed bundle, as a replay in another process would.
    compile_bundle.__globals__["_compile"].cache_clear()
    assert decide(seen(facts), bundle) == first


@EXAMPLES
@given(facts=some_facts)
def test_every_decision_has_a_reason(facts: Facts) -> None:
    decision = decide(seen(facts), shipped_bundle())
    assert decision.reasons
    assert decision.is_allowed == (ReasonCode.ALLOWED in {reason.code for reason in decision.reasons})


@pytest.mark.parametrize("name", sorted(LEGAL))
def test_every_legal_situation_is_allowed(name: str) -> None:
    assert decide(seen(LEGAL[name]()), shipped_bundle()).is_allowed


def test_thousands_in_one_call_come_back_in_order() -> None:
    asked = [LEGAL["worker"](zone=f"Z{n}", signed_on="yes" if n % 3 else "no") for n in range(1500)]
    verdicts = [d.is_allowed for d in decide_many([seen(facts) for facts in asked], shipped_bundle())]
    assert verdicts == [bool(n % 3) for n in range(1500)]
