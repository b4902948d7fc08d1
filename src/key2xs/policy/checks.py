"""What is checked before a bundle may decide anything.

Cedar's own validation finds unknown attributes and wrong types. The rest is ours: unique ids, a reason on each
policy, no site policy in the guardrails' namespace, no policy about one named person or key, and no comparison with
a word that the fact can never be (`"Live"` for `"live"` would be a rule that never applies).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from re import compile as re_compile
from typing import Any, Final

import cedarpy
from cedarpy import pst

from .reasons import ReasonCode
from .view import STATES

GUARDRAIL_PREFIX: Final = "guardrail."
GUARDRAIL_ANNOTATIONS: Final = frozenset(("id", "reason", "fact", "code", "unknown"))
SITE_ANNOTATIONS: Final = frozenset(("id", "reason"))

_ID: Final = re_compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_OPEN: Final = pst.EntityUid(pst.EntityType("Action"), "open")
_CODES: Final = frozenset(code.value for code in ReasonCode)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a bundle; `policy_id` is empty when it is about the whole text."""

    policy_id: str
    text: str

    def __str__(self) -> str:
        return f"{self.policy_id}: {self.text}" if self.policy_id else self.text


def check_policies(*, schema: str, guardrails: str, policies: str) -> list[Problem]:
    """Find everything wrong with the policies of a bundle; empty when it may decide."""
    parts: list[pst.PolicySet] = []
    for name, text in (("guardrails", guardrails), ("policies", policies)):
        try:
            parts.append(cedarpy.PolicySet.from_str(text).to_pst())
        except ValueError as error:
            return [Problem("", f"the {name} cannot be read: {error}")]
    shipped, site = parts
    problems = [*_check_guardrails(shipped), *_check_site(site), *_check_unique(shipped, site)]
    return problems or _check_schema(schema, guardrails, policies)


def walk(node: object) -> Iterator[object]:
    """Every node under a policy, itself included, parents first."""
    stack: list[Any] = [node]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            stack.extend(value.values())
        elif isinstance(value, tuple):
            stack.extend(value)
        elif is_dataclass(value) and not isinstance(value, type):
            yield value
            stack.extend(getattr(value, field.name) for field in fields(value))


def path_of(node: object) -> str | None:
    """The fact that an expression reads: `principal.active` is person.active, `context.basis.gas` is basis.gas."""
    names: list[str] = []
    while isinstance(node, pst.GetAttr):
        names.insert(0, node.attr)
        node = node.base
    if not isinstance(node, pst.Var) or not names:
        return None
    root = {"principal": "person.", "resource": "cylinder.", "context": ""}.get(node.name)
    return None if root is None else root + ".".join(names)


def facts_read(policy: object) -> frozenset[str]:
    """The facts that a policy reads, by dotted name."""
    return frozenset(path for node in walk(policy) if (path := path_of(node)) is not None)


def _check_guardrails(shipped: pst.PolicySet) -> Iterator[Problem]:
    if not shipped.static_policies:
        yield Problem("", "there are no guardrails")
    for name, policy in _named(shipped):
        if policy.effect != "forbid":
            yield Problem(name, "a guardrail can only forbid")
        if not name.startswith(GUARDRAIL_PREFIX):
            yield Problem(name, f"a guardrail's @id begins with {GUARDRAIL_PREFIX}")
        if set(policy.annotations) != GUARDRAIL_ANNOTATIONS:
            yield Problem(name, "a guardrail has @id, @reason, @fact, @code and @unknown")
        elif not {policy.annotations["code"], policy.annotations["unknown"]} <= _CODES:
            yield Problem(name, "@code and @unknown must be known reason codes")
        yield from _check_policy(name, policy)
    yield from _check_no_templates(shipped)


def _check_site(site: pst.PolicySet) -> Iterator[Problem]:
    for name, policy in _named(site):
        if name.startswith(GUARDRAIL_PREFIX):
            yield Problem(name, "this @id belongs to the product's guardrails")
        unknown = set(policy.annotations) - SITE_ANNOTATIONS
        if unknown:
            yield Problem(name, f"unknown annotations: {', '.join(sorted(unknown))}")
        yield from _check_policy(name, policy)
    yield from _check_no_templates(site)


def _check_no_templates(policies: pst.PolicySet) -> Iterator[Problem]:
    for name in policies.templates:
        yield Problem(name, "templates are not used here")


def _check_unique(*parts: pst.PolicySet) -> Iterator[Problem]:
    seen: set[str] = set()
    for part in parts:
        for name, _ in _named(part):
            if name in seen:
                yield Problem(name, "two policies have this @id")
            seen.add(name)


def _check_policy(name: str, policy: pst.Template) -> Iterator[Problem]:
    if not _ID.fullmatch(policy.annotations.get("id", "")):
        yield Problem(name, "@id is missing, or not small letters, digits, _ . and -")
    if not policy.annotations.get("reason", "").strip():
        yield Problem(name, "@reason is missing")
    named = pst.entity_uids(policy) - {_OPEN}
    if named:
        # Ids in policies would make decisions about persons, and no two situations alike.
        listed = ", ".join(sorted(map(str, named)))
        yield Problem(name, f"names {listed}; use roles, zones, criticality or qualifications")
    if _compares_whole_entities(policy):
        yield Problem(
            name, "compares the person, cylinder, basis or key as a whole; compare their attributes"
        )
    yield from _check_words(name, policy)


def _compares_whole_entities(policy: pst.Template) -> bool:
    seen: list[object] = list(walk(policy))
    bases = {id(node.base) for node in seen if isinstance(node, pst.GetAttr | pst.HasAttr)}
    bare = any(isinstance(node, pst.Var) and id(node) not in bases for node in seen)
    wholes = any(
        isinstance(node, pst.GetAttr) and id(node) not in bases and path_of(node) in ("basis", "key")
        for node in seen
    )
    return bare or wholes


def _check_words(name: str, policy: pst.Template) -> Iterator[Problem]:
    for node in walk(policy):
        if not isinstance(node, pst.BinaryOp) or node.op not in ("eq", "not_eq", "contains"):
            continue
        for fact, words in ((node.left, node.right), (node.right, node.left)):
            path = path_of(fact)
            if path in STATES:
                for word in sorted(set(_strings(words)) - STATES[path]):
                    yield Problem(
                        name, f'{path} is never "{word}"; it is one of {", ".join(sorted(STATES[path]))}'
                    )


def _strings(node: object) -> Iterator[str]:
    if isinstance(node, pst.StringLit):
        yield node.value
    elif isinstance(node, pst.Set):
        for element in node.elements:
            yield from _strings(element)


def _check_schema(schema: str, guardrails: str, policies: str) -> list[Problem]:
    text = f"{guardrails}\n{policies}"
    try:
        parsed = cedarpy.Schema.from_str(schema)
        names = {number: name for name, number in _numbers(cedarpy.PolicySet.from_str(text).to_pst())}
        result = cedarpy.validate_policies(text, parsed)
    except ValueError as error:
        return [Problem("", f"the schema or the policies cannot be read: {error}")]
    found = [Problem(names.get(e.policy_id, e.policy_id), e.error) for e in result.errors]
    if not result.validation_passed and not found:
        return [Problem("", "the policies do not fit the schema")]
    return found


def _named(policies: pst.PolicySet) -> Iterator[tuple[str, pst.Template]]:
    for number, policy in policies.static_policies.items():
        yield policy.annotations.get("id") or number, policy


def _numbers(policies: pst.PolicySet) -> Iterator[tuple[str, str]]:
    for number, policy in policies.static_policies.items():
        yield policy.annotations.get("id") or number, number
