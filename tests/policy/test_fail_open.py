"""The ways Cedar would allow by mistake. Each trap is shown to be real, then shown not to catch us."""

import json
from dataclasses import replace
from typing import Any

import cedarpy
import pytest

from key2xs.policy import Decision, ReasonCode, Situation, Window, decide, decide_many, engine, shipped_bundle
from key2xs.policy.compiled import compile_bundle
from tests.policy.factories import AT, change, request, seen, site_bundle, worker

NAIVE = AT.replace(tzinfo=None)

ERRS_WITH_TWO_APPROVERS = """
@id("site.overflow") @reason("Errs when there are two approvers.")
forbid (principal, action, resource) when { context.basis.approvals * 9223372036854775807 < 0 };
"""


def _cedar(entities: list[dict[str, Any]], policies: str) -> cedarpy.AuthzResult:
    asked = {
        "principal": 'Person::"1"',
        "action": 'Action::"open"',
        "resource": 'Cylinder::"1"',
        "context": {},
    }
    return cedarpy.is_authorized(asked, policies, json.dumps(entities))


def test_the_trap_is_real_a_forbid_that_errs_is_skipped() -> None:
    policies = 'permit (principal, action, resource); forbid (principal, action, resource) unless { principal.active == "yes" };'
    result = _cedar([], policies)
    assert result.allowed, "if Cedar ever changes this, the docs can be simplified"
    assert result.diagnostics.errors


def _ask_with(monkeypatch: pytest.MonkeyPatch, damage: Any) -> Decision:
    """Decide while the input to Cedar is damaged on its way: a fault no caller can make through the types."""
    build = engine._cedar_input

    def damaged(views: Any, schema: cedarpy.Schema) -> Any:
        entities, requests = build(views, schema)
        return damage(entities, requests)

    monkeypatch.setattr(engine, "_cedar_input", damaged)
    return decide(seen(worker()), shipped_bundle())


def _is_unknown_deny(decision: Decision) -> bool:
    return decision.verdict == "deny" and decision.is_unknown


def test_a_missing_entity_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = _ask_with(monkeypatch, lambda _, requests: (cedarpy.Entities.from_json_str("[]"), requests))
    assert _is_unknown_deny(decision)
    assert "guardrail.identity" in {reason.policy_id for reason in decision.reasons}


def test_one_missing_entity_among_others_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    def drop_the_key(entities: cedarpy.Entities, requests: Any) -> Any:
        left = [entity for entity in json.loads(str(entities)) if entity["uid"]["type"] != "Key"]
        return cedarpy.Entities.from_json_str(json.dumps(left)), requests

    decision = _ask_with(monkeypatch, drop_the_key)
    assert _is_unknown_deny(decision)
    assert "guardrail.key" in {reason.policy_id for reason in decision.reasons}


def test_an_attribute_of_the_wrong_type_behind_the_schema_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    def criticality_as_text(entities: cedarpy.Entities, requests: Any) -> Any:
        rows = json.loads(str(entities))
        for entity in rows:
            if entity["uid"]["type"] == "Cylinder":
                entity["attrs"]["criticality"] = "3"
        # No schema: the way a set of entities made elsewhere would slip in.
        return cedarpy.Entities.from_json_str(json.dumps(rows)), requests

    decision = _ask_with(monkeypatch, criticality_as_text)
    assert _is_unknown_deny(decision)
    assert "guardrail.cylinder" in {reason.policy_id for reason in decision.reasons}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"context": "{}"}, id="context without its facts"),
        pytest.param({"context": "not json"}, id="context that cannot be read"),
        pytest.param({"action": 'Action::"close"'}, id="an action that is not there"),
        pytest.param({"principal": 'Key::"1"'}, id="a key in the place of a person"),
        pytest.param({"principal": "nobody"}, id="a principal that is no entity"),
    ],
)
def test_a_request_that_does_not_fit_the_schema_denies(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]
) -> None:
    decision = _ask_with(monkeypatch, lambda entities, requests: (entities, [requests[0] | asked]))
    assert _is_unknown_deny(decision)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(
            lambda s: replace(s, cylinder=replace(s.cylinder, criticality="3")), id="criticality as text"
        ),
        pytest.param(
            lambda s: replace(s, cylinder=replace(s.cylinder, criticality=2.5)), id="half a criticality"
        ),
        pytest.param(
            lambda s: replace(s, cylinder=replace(s.cylinder, safety_role=None)), id="no safety role"
        ),
        pytest.param(lambda s: replace(s, person=replace(s.person, active=True)), id="a bool for a fact"),
        pytest.param(lambda s: replace(s, person=replace(s.person, active="maybe")), id="a fourth word"),
        pytest.param(lambda s: replace(s, person=replace(s.person, active=["yes"])), id="a list for a fact"),
        pytest.param(lambda s: replace(s, basis=replace(s.basis, approvers=None)), id="no approvers at all"),
        pytest.param(
            lambda s: replace(s, basis=replace(s.basis, kind="because")), id="a kind of basis nobody knows"
        ),
        pytest.param(lambda s: replace(s, cylinder=replace(s.cylinder, criticality=3.0)), id="as good as 3"),
        pytest.param(
            lambda s: replace(s, basis=replace(s.basis, window=Window("open", NAIVE))), id="a naive instant"
        ),
        pytest.param(lambda s: replace(s, key=None), id="no key"),
        pytest.param(lambda s: replace(s, key=replace(s.key, blocked="")), id="an empty word"),
    ],
)
def test_facts_of_the_wrong_shape_deny_alone_and_leave_the_batch_alone(broken: Any) -> None:
    good = seen(worker())
    bad: Situation = broken(good)
    before, between, after = decide_many((good, bad, good), shipped_bundle())
    assert before.is_allowed
    assert after.is_allowed
    assert between.verdict == "deny"


def test_a_site_policy_that_errs_at_run_time_denies_and_is_named() -> None:
    bundle = site_bundle(ERRS_WITH_TWO_APPROVERS)
    facts = request(approvers=frozenset({"person-8", "person-9"}))
    decision = decide(seen(facts), bundle)
    assert decision.verdict == "deny"
    assert [(r.code, r.policy_id) for r in decision.reasons] == [(ReasonCode.UNKNOWN, "site.overflow")]


def test_a_site_policy_that_errs_leaves_the_other_decisions_alone() -> None:
    bundle = site_bundle(ERRS_WITH_TWO_APPROVERS)
    asked = [
        seen(request(approvers=frozenset(people))) for people in (("person-8",), ("person-8", "person-9"))
    ]
    assert [d.verdict for d in decide_many(asked, bundle)] == ["allow", "deny"]


def test_a_permit_that_errs_denies_even_when_another_permits() -> None:
    bundle = site_bundle(ERRS_WITH_TWO_APPROVERS.replace("forbid", "permit"))
    decision = decide(seen(request(approvers=frozenset({"person-8", "person-9"}))), bundle)
    assert decision.verdict == "deny"


def test_an_erring_policy_does_not_hide_the_guardrails_reasons() -> None:
    bundle = site_bundle(ERRS_WITH_TWO_APPROVERS)
    facts = request(approvers=frozenset({"person-8", "person-9"}), blocked="yes")
    codes = {reason.code for reason in decide(seen(facts), bundle).reasons}
    assert codes == {ReasonCode.KEY_BLOCKED, ReasonCode.UNKNOWN}


def test_a_site_policy_that_forbids_a_known_no_also_stops_the_unknown() -> None:
    bundle = site_bundle(
        '@id("site.way_out") @reason("No way out.") forbid (principal, action, resource) when { resource.egress_free == "no" };'
    )
    verdicts = {
        word: decide(seen(worker(egress_free=word)), bundle).verdict for word in ("yes", "no", "unknown")
    }
    assert verdicts == {"yes": "allow", "no": "deny", "unknown": "deny"}
    reason = decide(seen(worker(egress_free="unknown")), bundle).reasons[0]
    assert (reason.code, reason.policy_id) == (ReasonCode.UNKNOWN, "site.way_out")


def test_a_site_policy_that_permits_on_unknown_gives_nothing_by_it() -> None:
    bundle = site_bundle(
        '@id("site.careless") @reason("x") permit (principal, action, resource) when { context.basis.signed_on == "unknown" };'
    )
    assert decide(seen(worker(signed_on="unknown")), bundle).verdict == "deny"


def test_a_count_that_is_not_known_denies_where_a_site_policy_reads_it() -> None:
    bundle = site_bundle(
        '@id("site.few") @reason("x") forbid (principal, action, resource) when { context.basis.access_points > 5 };'
    )
    assert decide(seen(worker(access_points=3)), bundle).is_allowed
    assert not decide(seen(worker(access_points=0)), bundle).is_allowed


def test_guardrails_are_in_every_slice() -> None:
    compiled = compile_bundle(shipped_bundle())
    guardrails = {number for number, policy in compiled.policies.items() if policy.is_guardrail}
    assert len(guardrails) >= 20
    for kind, policies in compiled.slices.items():
        kept = set(policies.to_pst().static_policies)
        assert guardrails <= kept, kind
        assert len(kept) < len(compiled.policies), "a slice that leaves nothing out is no slice"


def test_taking_one_guardrail_away_would_be_noticed() -> None:
    """Each guardrail denies something that nothing else denies; a test that passes without it is no test."""
    from tests.policy.test_decision_table import ROWS

    alone = set()
    for _, facts, _ in ROWS:
        reasons = decide(seen(facts), shipped_bundle()).reasons
        if len(reasons) == 1:
            alone.add(reasons[0].policy_id)
    every = {p.id for p in compile_bundle(shipped_bundle()).policies.values() if p.is_guardrail}
    # A standing right is also too weak a basis, so its guardrail never stands alone.
    assert every - alone == {"guardrail.standing"}, every - alone


def test_changed_facts_are_what_the_factory_says() -> None:
    assert change(worker(), signed_on="no").basis.signed_on == "no"
