"""Decide acts with Cedar. Any diagnostic is a deny; equal questions are answered once.

All facts are words, so a question is its own cache key: an answer from the cache is the answer Cedar would give.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from re import compile as re_compile
from typing import Any, Final, get_args

import cedarpy

from key2xs.core.tri import Tri

from .rules import ActRules, policy_of
from .types import ActQuestion, ActVerdict, Part, Proposer, Second, Via

_RULES_KEPT: Final = 8
_SLICES_KEPT: Final = 128  # combinations of roles under one set of rules
_ANSWERS_KEPT: Final = 20_000
_POLICY_NUMBER: Final = re_compile(r"`(policy\d+)`")
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "via": frozenset(get_args(Via)),
    "token_holds": frozenset({"yes", "no", "none"}),
    "part": frozenset(get_args(Part)),
    "proposer": frozenset(get_args(Proposer)),
    "proposer_altered": frozenset(get_args(Tri)),
    "second": frozenset(get_args(Second)),
    "reason": frozenset({"given", "none"}),
}


@dataclass(frozen=True, slots=True)
class _Compiled:
    policies: cedarpy.PolicySet
    schema: cedarpy.Schema
    notes: Mapping[str, tuple[str, str]]
    """By Cedar's number: id and reason."""


def judge(question: ActQuestion, rules: ActRules, *, sliced: bool = True) -> ActVerdict:
    """Decide one act; `sliced` False asks every row of the matrix: the yardstick, slower and not cached."""
    return _judged(question, rules) if sliced else _judge([question], rules, sliced=False)[0]


def judge_many(questions: Sequence[ActQuestion], rules: ActRules) -> list[ActVerdict]:
    """Decide many acts of one account in one call; for filling a table, so not cached here."""
    return _judge(questions, rules, sliced=True)


@lru_cache(maxsize=_ANSWERS_KEPT)
def _judged(question: ActQuestion, rules: ActRules) -> ActVerdict:
    return _judge([question], rules, sliced=True)[0]


def _judge(questions: Sequence[ActQuestion], rules: ActRules, *, sliced: bool) -> list[ActVerdict]:
    """Ask each question as it is, then with what might be missing: a reason, a second person, both."""
    variants = [
        [
            question,
            replace(question, reason="given"),
            replace(question, second="confirmed"),
            replace(question, second="confirmed", reason="given"),
        ]
        for question in questions
    ]
    answers = iter(_ask([each for group in variants for each in group], rules, sliced=sliced))
    return [_verdict([next(answers) for _ in group]) for group in variants]


def _verdict(answers: Sequence[tuple[bool, tuple[tuple[str, str], ...]]]) -> ActVerdict:
    plain, reasoned, seconded, both = (allowed for allowed, _ in answers)
    notes = answers[0][1]
    ids, texts = tuple(name for name, _ in notes), tuple(text for _, text in notes)
    if plain or not both:
        return ActVerdict(plain, needs_second=False, needs_reason=False, reasons=texts, policies=ids)
    return ActVerdict(
        allowed=False,
        needs_second=not reasoned,
        # Where either would do, ask for the reason: it needs nobody else.
        needs_reason=reasoned or not seconded,
        reasons=texts or ("The authority matrix asks for a second person or a reason.",),
        policies=ids,
    )


def _ask(
    questions: Sequence[ActQuestion], rules: ActRules, *, sliced: bool
) -> list[tuple[bool, tuple[tuple[str, str], ...]]]:
    wrong = [_misfit(question) for question in questions]
    good = [question for question, problem in zip(questions, wrong, strict=True) if problem is None]
    roles = frozenset[str]().union(*(question.account.roles for question in good))
    compiled = _slice(roles, rules) if sliced else _full(rules)
    results = iter(_ask_cedar(good, compiled, rules))
    return [(False, (("", problem),)) if problem is not None else next(results) for problem in wrong]


def _misfit(question: ActQuestion) -> str | None:
    """Say which fact is no word of the schema; such a question is never put to Cedar."""
    facts = {name: getattr(question, name) for name in _WORDS}
    facts |= {}
    tri = frozenset(get_args(Tri))
    account = question.account
    for name, value in (
        *((name, value) for name, value in facts.items() if value not in _WORDS[name]),
        *(
            (name, getattr(account, name))
            for name in ("linked", "altered", "administered")
            if getattr(account, name) not in tri
        ),
    ):
        return f"{name} is never {value!r}"
    return None


def _ask_cedar(
    questions: Sequence[ActQuestion], compiled: _Compiled, rules: ActRules
) -> list[tuple[bool, tuple[tuple[str, str], ...]]]:
    if not questions:
        return []
    try:
        entities, requests = _cedar_input(questions, compiled.schema, rules)
        results = cedarpy.is_authorized_batch(requests, compiled.policies, entities, compiled.schema)
    except (TypeError, ValueError) as error:
        if len(questions) == 1:
            return [(False, (("", f"The act does not fit the schema: {error}"),))]
        # One of them is not as the schema says. Alone, it denies only itself.
        return [_ask_cedar([each], compiled, rules)[0] for each in questions]
    return [_read(result, compiled) for result in results]


def _read(result: cedarpy.AuthzResult, compiled: _Compiled) -> tuple[bool, tuple[tuple[str, str], ...]]:
    errors = tuple(_error(text, compiled) for text in result.diagnostics.errors)
    notes = tuple(sorted(compiled.notes[number] for number in result.diagnostics.reasons))
    if errors:
        # A `forbid` that erred was skipped: an Allow beside an error says nothing.
        return False, errors
    if result.decision is cedarpy.Decision.Allow:
        return True, notes
    return False, notes


def _error(text: str, compiled: _Compiled) -> tuple[str, str]:
    number = _POLICY_NUMBER.search(text)
    name = compiled.notes.get(number[1], ("", ""))[0] if number else ""
    return name, f"The policy {name or '(unknown)'} could not be evaluated: {text}"


def _cedar_input(
    questions: Sequence[ActQuestion], schema: cedarpy.Schema, rules: ActRules
) -> tuple[cedarpy.Entities, list[dict[str, Any]]]:
    numbers: dict[object, tuple[str, int]] = {}

    def number(kind: str, part: object) -> int:
        return numbers.setdefault(part, (kind, len(numbers)))[1]

    requests = [
        {
            "principal": f'Account::"{number("Account", each.account)}"',
            "action": f"Action::{json.dumps(each.permission)}",
            "resource": f'Place::"{number("Place", each.place)}"',
            "context": json.dumps({name: getattr(each, name) for name in _WORDS}),
        }
        for each in questions
    ]
    entities = [
        {"uid": {"type": kind, "id": str(index)}, "attrs": _attributes(part, rules), "parents": []}
        for part, (kind, index) in numbers.items()
    ]
    return cedarpy.Entities.from_json_str(json.dumps(entities), schema=schema), requests


def _attributes(part: Any, rules: ActRules) -> dict[str, object]:
    if not hasattr(part, "roles"):
        return {"unit": part.unit, "area": part.area}
    return {
        "roles": sorted(part.roles),
        "linked": part.linked,
        "altered": part.altered,
        "administered": part.administered,
        "administers": "yes" if part.roles & rules.administering else "no",
    }


@lru_cache(maxsize=_RULES_KEPT)
def _full(rules: ActRules) -> _Compiled:
    return _compile(rules, frozenset(row.role for row in rules.rows))


@lru_cache(maxsize=_SLICES_KEPT)
def _slice(roles: frozenset[str], rules: ActRules) -> _Compiled:
    return _compile(rules, roles)


def _compile(rules: ActRules, roles: frozenset[str]) -> _Compiled:
    rows = "\n".join(policy_of(row) for row in rules.rows if row.role in roles)
    policies = cedarpy.PolicySet.from_str(f"{rules.guardrails}\n{rows}")
    notes = {
        number: (policy.annotations["id"], policy.annotations["reason"])
        for number, policy in policies.to_pst().static_policies.items()
    }
    return _Compiled(policies, cedarpy.Schema.from_str(rules.schema), notes)


def check_rules(rules: ActRules) -> list[str]:
    """Return what Cedar's validation has against a set of rules; empty when it may decide."""
    text = "\n".join((rules.guardrails, *map(policy_of, rules.rows)))
    try:
        result = cedarpy.validate_policies(text, cedarpy.Schema.from_str(rules.schema))
    except ValueError as error:
        return [str(error)]
    return [str(error.error) for error in result.errors]
