"""Decide: situations and a bundle in, verdicts with reasons out. Pure; the same input gives the same answer.

Allow needs three things at once: Cedar says Allow, no policy erred, and no value that an unknown fact could have
would turn it into a deny. Everything else is deny. What could not be evaluated is deny with the reason `unknown`,
naming the policy where there is one, and never disturbs the other situations of a batch.
"""

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from itertools import islice
from re import compile as re_compile
from typing import Any, Final

import cedarpy

from .bundle import Bundle
from .compiled import CompiledBundle, Policy, compile_bundle
from .completions import completions, unknown_facts
from .reasons import ReasonCode
from .types import Cylinder, Decision, Reason, Situation, Verdict, Window
from .view import View, required_qualifications, view_of
from .windows import next_change

BATCH_SIZE: Final = 512  # evaluations in one call: the call holds the GIL, 512 take some 40 ms

_OPEN: Final = 'Action::"open"'
_POLICY_NUMBER: Final = re_compile(r"`(policy\d+)`")
_HIDDEN: Final = frozenset(("qualifications_unknown",))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A verdict without its time: what all situations with the same view share."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """A situation as it is asked: what the policies may see of it, or why it cannot be read."""

    view: View | None = None
    likeness: Hashable = None
    until: datetime | None = None
    problem: _Outcome | None = None


def decide(situation: Situation, bundle: Bundle) -> Decision:
    """Decide one situation."""
    return decide_many((situation,), bundle)[0]


def decide_many(situations: Iterable[Situation], bundle: Bundle, *, sliced: bool = True) -> list[Decision]:
    """Decide many at once, equal ones once; answers are in the order of the situations.

    `sliced` False asks all policies whatever the kind of basis: the yardstick for the slices, slower.
    """
    compiled = compile_bundle(bundle)
    read = [_read(situation, compiled) for situation in situations]
    alike: dict[Hashable, View] = {}
    for question in read:
        if question.view is not None and question.likeness not in alike:
            alike[question.likeness] = compiled.blank(question.view)
    outcomes = _decide_views(alike.values(), compiled, sliced=sliced)
    found = [question.problem or outcomes[alike[question.likeness]] for question in read]
    return [
        Decision(outcome.verdict, outcome.reasons, question.until)
        for question, outcome in zip(read, found, strict=True)
    ]


def cylinder_class(cylinder: Cylinder, bundle: Bundle) -> str:
    """The class of a cylinder under a bundle: equal for cylinders that it cannot tell apart.

    Derived from the attributes that the bundle's policies read, and the qualifications the cylinder asks for.
    """
    reads = frozenset().union(*compile_bundle(bundle).reads.values())
    attributes = {
        name: getattr(cylinder, name)
        for name in ("criticality", "zone", "egress_free", "safety_role")
        # The site data asks for qualifications by criticality, whether or not a policy reads it.
        if f"cylinder.{name}" in reads or name == "criticality"
    }
    attributes["required_qualifications"] = sorted(cylinder.required_qualifications)
    return sha256(json.dumps(attributes, sort_keys=True).encode()).hexdigest()[:16]


def visible_windows(situation: Situation, compiled: CompiledBundle) -> Iterator[Window]:
    """The windows whose state the policies could see: those that `until` must watch."""
    yield situation.person.contract
    yield situation.basis.window
    if situation.basis.kind == "permit_step":
        yield situation.basis.gas
    site_reads = compiled.site_reads.get(situation.basis.kind, frozenset())
    if "person.qualifications" in site_reads:
        yield from (q.window for q in situation.person.qualifications)
    elif situation.basis.kind != "emergency" or "person.qualification" in site_reads:
        required = required_qualifications(situation, compiled.data)
        # All of a code that is listed twice: the one that counts now may not be the one that counts next.
        yield from (q.window for q in situation.person.qualifications if q.code in required)


def _read(situation: Situation, compiled: CompiledBundle) -> _Question:
    try:
        view = view_of(situation, compiled.data)
        likeness = compiled.likeness_of(view)
        hash(likeness)
        return _Question(view, likeness, _until(situation, compiled))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # Types are checked where facts are made; a value that slipped through must not stop its whole batch.
        return _Question(problem=_unknown(f"the facts cannot be read: {error}"))


def _until(situation: Situation, compiled: CompiledBundle) -> datetime | None:
    change = next_change(visible_windows(situation, compiled), situation.at)
    told = situation.next_change_at
    if told is None or told <= situation.at:
        return change
    return told if change is None else min(change, told)


def _decide_views(
    views: Iterable[View], compiled: CompiledBundle, *, sliced: bool = True
) -> dict[View, _Outcome]:
    outcomes = _evaluate(views, compiled, sliced=sliced)
    doubtful = {
        view: unknown
        for view, outcome in outcomes.items()
        if outcome.verdict == "allow"
        and (unknown := unknown_facts(view, compiled.site_reads.get(view.basis.kind, frozenset())))
    }
    for view, unknown in doubtful.items():
        if (denial := _denied_if_known(view, unknown, compiled, sliced=sliced)) is not None:
            outcomes[view] = denial
    return outcomes


def _denied_if_known(
    view: View, unknown: tuple[str, ...], compiled: CompiledBundle, *, sliced: bool
) -> _Outcome | None:
    listed = ", ".join(unknown)
    possible = completions(view, unknown)
    if possible is None:
        return _unknown(f"Not known, and too much to try: {listed}.")
    for outcome in _evaluate(possible, compiled, sliced=sliced).values():
        if outcome.verdict == "deny":
            policy_id = next((reason.policy_id for reason in outcome.reasons), None)
            return _unknown(f"Not known, and it would matter to this policy: {listed}.", policy_id)
    return None


def _unknown(text: str, policy_id: str | None = None) -> _Outcome:
    return _Outcome("deny", (Reason(ReasonCode.UNKNOWN, text, policy_id),))


def _evaluate(views: Iterable[View], compiled: CompiledBundle, *, sliced: bool) -> dict[View, _Outcome]:
    by_kind: dict[str, list[View]] = {}
    for view in views:
        by_kind.setdefault(view.basis.kind if sliced else "", []).append(view)
    outcomes: dict[View, _Outcome] = {}
    for kind, alike in by_kind.items():
        rest = iter(alike)
        while batch := list(islice(rest, BATCH_SIZE)):
            results = _ask_cedar(batch, compiled.slice_for(kind), compiled.schema)
            outcomes.update(
                (view, _outcome(result, view, compiled)) for view, result in zip(batch, results, strict=True)
            )
    return outcomes


def _ask_cedar(
    views: Sequence[View], policies: cedarpy.PolicySet, schema: cedarpy.Schema
) -> Sequence[cedarpy.AuthzResult | str]:
    """One answer for each view: Cedar's result, or why Cedar would not even look at it."""
    try:
        entities, requests = _cedar_input(views, schema)
        return cedarpy.is_authorized_batch(requests, policies, entities, schema)
    except (TypeError, ValueError) as error:
        if len(views) == 1:
            return [f"the facts do not fit the schema: {error}"]
    # One of them is not as the schema says. Alone, it denies only itself.
    return [_ask_cedar((view,), policies, schema)[0] for view in views]


def _cedar_input(
    views: Sequence[View], schema: cedarpy.Schema
) -> tuple[cedarpy.Entities, list[dict[str, Any]]]:
    """Entities and requests for a batch. Equal parts become one entity; ids mean nothing outside the batch.

    The schema is given when the entities are built: given only with the request, Cedar would not check them.
    """
    numbers: dict[object, tuple[str, int]] = {}

    def number(kind: str, part: object) -> int:
        return numbers.setdefault(part, (kind, len(numbers)))[1]

    requests = [
        {
            "principal": f'Person::"{number("Person", view.person)}"',
            "action": _OPEN,
            "resource": f'Cylinder::"{number("Cylinder", view.cylinder)}"',
            "context": _context(number("Basis", view.basis), number("Key", view.key), view.separation),
        }
        for view in views
    ]
    entities = [
        {"uid": {"type": kind, "id": str(index)}, "attrs": _attributes(part), "parents": []}
        for part, (kind, index) in numbers.items()
    ]
    return cedarpy.Entities.from_json_str(json.dumps(entities), schema=schema), requests


def _context(basis: int, key: int, separation: str) -> str:
    return json.dumps(
        {
            "basis": {"__entity": {"type": "Basis", "id": str(basis)}},
            "key": {"__entity": {"type": "Key", "id": str(key)}},
            "separation": separation,
        }
    )


def _attributes(part: Any) -> dict[str, object]:
    values = ((field.name, getattr(part, field.name)) for field in fields(part) if field.name not in _HIDDEN)
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values}


def _outcome(result: cedarpy.AuthzResult | str, view: View, compiled: CompiledBundle) -> _Outcome:
    if isinstance(result, str):
        return _unknown(result)
    found = [compiled.policies[number] for number in sorted(result.diagnostics.reasons, key=_policy_order)]
    errors = tuple(_error_reason(error, compiled) for error in result.diagnostics.errors)
    if errors or result.decision is cedarpy.Decision.NoDecision:
        # A `forbid` that erred was skipped: an Allow beside an error says nothing.
        denials = tuple(_reason(policy, view) for policy in found if policy.effect == "forbid")
        return _Outcome("deny", denials + (errors or _unknown("The evaluation gave no decision.").reasons))
    reasons = tuple(_reason(policy, view) for policy in found)
    if result.decision is cedarpy.Decision.Allow:
        return _Outcome("allow", reasons)
    return _Outcome(
        "deny", reasons or (Reason(ReasonCode.NO_SITE_POLICY, "No policy of this site gives it."),)
    )


def _reason(policy: Policy, view: View) -> Reason:
    is_unknown = policy.fact is not None and view.fact(policy.fact) == "unknown"
    return policy.reason_if_unknown if is_unknown else policy.reason


def _error_reason(error: str, compiled: CompiledBundle) -> Reason:
    number = _POLICY_NUMBER.search(error)
    policy = compiled.policies.get(number[1]) if number else None
    if policy is None:
        return Reason(ReasonCode.UNKNOWN, f"The evaluation failed: {error}")
    return Reason(ReasonCode.UNKNOWN, f"The policy {policy.id} could not be evaluated: {error}", policy.id)


def _policy_order(number: str) -> tuple[int, str]:
    """The order of the text, so that reasons come out the same each time: policy2 before policy10."""
    digits = number.removeprefix("policy")
    return (int(digits) if digits.isdigit() else 0, number)
