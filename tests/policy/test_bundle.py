import pickle

import pytest

from key2xs.policy import (
    Bundle,
    BundleInvalid,
    decide,
    make_bundle,
    restore_bundle,
    shipped_bundle,
    shipped_policies,
    shipped_site_data,
)
from key2xs.policy.bundle import BUNDLE_BYTES_MAX
from tests.policy.factories import seen, site_bundle, worker

PERMIT_ALL = '@id("site.all") @reason("Everything.") permit (principal, action, resource);'

# (what is wrong, the site's policy, the policy named, a word of the problem)
BAD: list[tuple[str, str, str, str]] = [
    ("syntax", "permit (principal", "", "cannot be read"),
    ("unknown attribute", '@id("site.x") @reason("r") permit (principal, action, resource) when { principal.shoe_size == 42 };', "site.x", "shoe_size"),
    ("wrong type", '@id("site.x") @reason("r") permit (principal, action, resource) when { resource.criticality == "3" };', "site.x", "type"),
    ("unknown action", '@id("site.x") @reason("r") permit (principal, action == Action::"close", resource);', "site.x", "close"),
    ("a raw instant", '@id("site.x") @reason("r") permit (principal, action, resource) when { context.now > 3 };', "site.x", "now"),
    ("no @id", '@reason("r") permit (principal, action, resource);', "policy0", "@id is missing"),
    ("an odd @id", '@id("Site X") @reason("r") permit (principal, action, resource);', "Site X", "@id is missing"),
    ("no @reason", '@id("site.x") permit (principal, action, resource);', "site.x", "@reason is missing"),
    ("an empty @reason", '@id("site.x") @reason(" ") permit (principal, action, resource);', "site.x", "@reason is missing"),
    ("the same @id twice", PERMIT_ALL + PERMIT_ALL, "site.all", "two policies"),
    ("shadows a guardrail", '@id("guardrail.identity") @reason("r") permit (principal, action, resource);', "guardrail.identity", "guardrails"),
    ("a new name among the guardrails", '@id("guardrail.mine") @reason("r") permit (principal, action, resource);', "guardrail.mine", "guardrails"),
    ("an annotation nobody reads", '@id("site.x") @reason("r") @code("allowed") permit (principal, action, resource);', "site.x", "unknown annotations"),
    ("names a person", '@id("site.x") @reason("r") permit (principal == Person::"1", action, resource);', "site.x", 'Person::"1"'),
    ("names a key in a condition", '@id("site.x") @reason("r") permit (principal, action, resource) when { context.key == Key::"7" };', "site.x", 'Key::"7"'),
    ("compares whole entities", '@id("site.x") @reason("r") forbid (principal, action, resource) when { principal == principal };', "site.x", "as a whole"),
    ("compares the key as a whole", '@id("site.x") @reason("r") forbid (principal, action, resource) when { context.key == context.key };', "site.x", "as a whole"),
    ("a word the fact never is", '@id("site.x") @reason("r") permit (principal, action, resource) when { context.basis.permit_state == "Live" };', "site.x", "never"),
    ("such a word in a list", '@id("site.x") @reason("r") permit (principal, action, resource) when { ["live", "busy"].contains(context.basis.permit_state) };', "site.x", "busy"),
    ("a template", '@id("site.x") @reason("r") permit (principal == ?principal, action, resource);', "", "template"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "named", "word"), [pytest.param(p, n, w, id=t) for t, p, n, w in BAD])
def test_a_bad_bundle_is_refused_and_the_policy_named(policy: str, named: str, word: str) -> None:
    with pytest.raises(BundleInvalid) as refused:
        make_bundle("bad", policies=policy, site_data=shipped_site_data())
    problems = refused.value.problems
    assert any(word in problem.text for problem in problems), problems
    if named:
        assert named in {problem.policy_id for problem in problems}


def test_all_problems_are_told_at_once() -> None:
    two = '@id("site.a") permit (principal, action, resource); @id("site.b") permit (principal, action, resource);'
    with pytest.raises(BundleInvalid) as refused:
        make_bundle("bad", policies=two, site_data="[criticality.9]\nqualifications = []")
    assert {"site.a", "site.b", "site data"} <= {problem.policy_id for problem in refused.value.problems}


def test_a_bundle_far_too_large_is_refused() -> None:
    with pytest.raises(BundleInvalid, match="bytes"):
        make_bundle("big", policies="//" + "x" * BUNDLE_BYTES_MAX, site_data=shipped_site_data())


def test_a_bundle_that_permits_everything_still_has_the_guardrails() -> None:
    bundle = make_bundle("open house", policies=PERMIT_ALL, site_data=shipped_site_data())
    assert decide(seen(worker()), bundle).is_allowed
    for refused in (
        worker(active="no"),
        worker(blocked="yes"),
        worker(signed_on="no"),
        worker(permit_state="suspended"),
    ):
        assert not decide(seen(refused), bundle).is_allowed


def test_a_bundle_without_site_policies_allows_nothing() -> None:
    bundle = make_bundle("closed", policies="", site_data=shipped_site_data())
    assert not decide(seen(worker()), bundle).is_allowed


def test_stored_guardrails_can_only_be_forbids_with_their_names() -> None:
    shipped = shipped_bundle()
    for guardrails in ("", PERMIT_ALL, shipped.guardrails.replace('"guardrail.key"', '"site.key"')):
        with pytest.raises(BundleInvalid):
            restore_bundle(
                "x", schema=shipped.schema, guardrails=guardrails, policies="", site_data=shipped.site_data
            )


def test_a_stored_bundle_comes_back_with_the_same_hash() -> None:
    made = site_bundle(
        '@id("site.x") @reason("r") forbid (principal, action, resource) when { resource.zone == "JETTY" };'
    )
    again = restore_bundle(
        made.version,
        schema=made.schema,
        guardrails=made.guardrails,
        policies=made.policies,
        site_data=made.site_data,
    )
    assert again == made
    assert len(made.hash) == 64


def test_every_part_counts_in_the_hash() -> None:
    shipped = shipped_bundle()
    other_data = shipped.site_data.replace(
        "[criticality.2]\nqualifications = []", '[criticality.2]\nqualifications = ["VCA_BASIC"]'
    )
    assert other_data != shipped.site_data
    hashes = {
        shipped.hash,
        make_bundle("x", policies=shipped_policies() + "\n", site_data=shipped.site_data).hash,
        make_bundle("x", policies=shipped_policies(), site_data=other_data).hash,
    }
    assert len(hashes) == 3


def test_the_version_is_a_label_and_not_in_the_hash() -> None:
    assert site_bundle("", version="one").hash == site_bundle("", version="two").hash


def test_a_bundle_can_be_sent_to_a_worker_process() -> None:
    arrived: Bundle = pickle.loads(pickle.dumps(shipped_bundle()))
    assert decide(seen(worker()), arrived).is_allowed


def test_site_data_can_ask_for_more() -> None:
    data = shipped_site_data().replace(
        "[criticality.2]\nqualifications = []", '[criticality.2]\nqualifications = ["RESCUE"]'
    )
    bundle = make_bundle("more", policies=shipped_policies(), site_data=data)
    assert decide(seen(worker(criticality=2)), shipped_bundle()).is_allowed
    assert not decide(seen(worker(criticality=2)), bundle).is_allowed


@pytest.mark.parametrize(
    ("data", "word"),
    [
        pytest.param("permit_types = 3", "permit_types", id="a number for a table"),
        pytest.param("not toml", "TOML", id="not toml"),
        pytest.param("[roles]\na = 1", "unknown table roles", id="a table nobody reads"),
        pytest.param("[permit_types]\n[criticality.5]\nqualifications = []", "1 to 4", id="criticality 5"),
        pytest.param('[criticality]\n[permit_types.hot_work]\nneeds_gas = "yes"\nneeds_isolation = false\nqualifications = []', "needs_gas", id="a word for a flag"),
        pytest.param("[criticality]\n[permit_types.hot_work]\nneeds_gas = true\nqualifications = []", "needs_isolation", id="a flag left out"),
        pytest.param("[criticality]\n[permit_types.hot_work]\nneeds_gas = true\nneeds_isolation = true\nqualifications = []\nmax_hours = 3", "max_hours", id="a field nobody reads"),
        pytest.param('[permit_types]\n[criticality.1]\nqualifications = ["a b"]', "codes", id="a code with a space"),
    ],
)  # fmt: skip
def test_bad_site_data_is_refused(data: str, word: str) -> None:
    with pytest.raises(BundleInvalid, match=word):
        make_bundle("bad", policies=shipped_policies(), site_data=data)
