"""A bundle parsed once: policy handles for each kind of basis, the schema, and who is who among the policies.

Cedar's handles cannot be sent to another process, so they live here, keyed by the bundle's hash; a worker process
calls `compile_bundle` in its initializer.

What no policy of a slice reads is blanked out of a view (`blank`): a zone that no rule mentions cannot make two
situations differ, so they are decided once.

A slice leaves out site policies that cannot apply to a kind of basis: those whose first condition is
`context.basis.kind == "..."` with another kind. It must be the first, because Cedar stops at a false condition
before anything behind it can err. Guardrails are in every slice (property: sliced == full).
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, get_args

import cedarpy
from cedarpy import pst

from .bundle import Bundle
from .checks import GUARDRAIL_PREFIX, facts_read, path_of
from .reasons import ReasonCode
from .site_data import SiteData, parse_site_data
from .types import BasisKind, Reason
from .view import BLANK, View

_BUNDLES_KEPT: Final = 8  # the active one, the proposed one, and those a replay runs through
_KINDS: Final[tuple[str, ...]] = get_args(BasisKind)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a decision says about a policy."""

    id: str
    effect: str
    kind: str | None
    """The only kind of basis it can apply to, or None for all."""
    fact: str | None
    """For a guardrail: the fact whose being unknown changes the reason."""
    reason: Reason
    reason_if_unknown: Reason
    reads: frozenset[str]

    @property
    def is_guardrail(self) -> bool:
        """True for the product's own."""
        return self.id.startswith(GUARDRAIL_PREFIX)


@dataclass(frozen=True, slots=True)
class CompiledBundle:
    """Parsed handles; `full` holds all policies and is the fallback for a kind nobody knows."""

    full: cedarpy.PolicySet
    slices: Mapping[str, cedarpy.PolicySet]
    schema: cedarpy.Schema
    policies: Mapping[str, Policy]
    """By Cedar's own policy number."""
    reads: Mapping[str, frozenset[str]]
    """The facts that policies read, by kind of basis."""
    site_reads: Mapping[str, frozenset[str]]
    """The same for the site's policies alone."""
    blanks: Mapping[str, Mapping[str, Mapping[str, Any]]]
    likeness: Mapping[str, Callable[[View], Hashable]]
    data: SiteData

    def slice_for(self, kind: str) -> cedarpy.PolicySet:
        """The policies that can apply to a kind of basis."""
        return self.slices.get(kind, self.full)

    def likeness_of(self, view: View) -> Hashable:
        """What decides: views with equal likeness are decided alike."""
        likeness = self.likeness.get(view.basis.kind)
        return view if likeness is None else likeness(view)

    def blank(self, view: View) -> View:
        """The view without what no policy reads for its kind of basis."""
        blanks = self.blanks.get(view.basis.kind)
        if not blanks:
            return view
        return replace(
            view, **{part: replace(getattr(view, part), **empty) for part, empty in blanks.items()}
        )


def compile_bundle(bundle: Bundle) -> CompiledBundle:
    """Parse a checked bundle, or return the handles parsed before."""
    return _compile(bundle.hash, bundle)


@lru_cache(maxsize=_BUNDLES_KEPT)
def _compile(_hash: str, bundle: Bundle) -> CompiledBundle:
    full = cedarpy.PolicySet.from_str(f"{bundle.guardrails}\n{bundle.policies}")
    nodes = full.to_pst()
    policies = {number: _policy(node) for number, node in nodes.static_policies.items()}
    reads = {kind: _reads(policies.values(), kind) for kind in _KINDS}
    site = [policy for policy in policies.values() if not policy.is_guardrail]
    return CompiledBundle(
        full=full,
        slices={kind: _slice(nodes, policies, kind) for kind in _KINDS},
        schema=cedarpy.Schema.from_str(bundle.schema),
        policies=policies,
        reads=reads,
        site_reads={kind: _reads(site, kind) for kind in _KINDS},
        blanks={kind: _blanks(reads[kind]) for kind in _KINDS},
        likeness={kind: _likeness(reads[kind]) for kind in _KINDS},
        data=parse_site_data(bundle.site_data),
    )


def _policy(node: pst.Template) -> Policy:
    notes = node.annotations
    name, text = notes["id"], notes["reason"]
    kind, reads = _only_kind(node), facts_read(node)
    if "fact" in notes:
        by_code = {key: Reason(ReasonCode(notes[key]), text, name) for key in ("code", "unknown")}
        return Policy(name, node.effect, kind, notes["fact"], by_code["code"], by_code["unknown"], reads)
    reason = Reason(ReasonCode.ALLOWED if node.effect == "permit" else ReasonCode.SITE_POLICY, text, name)
    return Policy(name, node.effect, kind, None, reason, reason, reads)


def _reads(policies: Iterable[Policy], kind: str) -> frozenset[str]:
    # A policy of another kind stops at its first condition, so it reads the kind and nothing behind it. The fact a
    # guardrail names is read for its reason.
    mine = [policy for policy in policies if policy.kind in (None, kind)]
    named = {policy.fact for policy in mine if policy.fact is not None}
    return frozenset().union({"basis.kind"}, named, *(policy.reads for policy in mine))


def _likeness(reads: frozenset[str]) -> Callable[[View], Hashable]:
    hidden = {"person.qualifications_unknown"} if "person.qualifications" in reads else set()
    likeness: Callable[[View], Hashable] = attrgetter(*sorted(reads | hidden))
    return likeness


def _blanks(reads: frozenset[str]) -> dict[str, dict[str, Any]]:
    blanks = {
        part: {name: empty for name, empty in fields.items() if f"{part}.{name}" not in reads}
        for part, fields in BLANK.items()
    }
    if "person.qualifications" in reads:
        # What might also be in force goes with what is.
        blanks["person"].pop("qualifications_unknown", None)
    return {part: fields for part, fields in blanks.items() if fields}


def _slice(nodes: pst.PolicySet, policies: Mapping[str, Policy], kind: str) -> cedarpy.PolicySet:
    kept = {
        number: node
        for number, node in nodes.static_policies.items()
        if policies[number].is_guardrail or policies[number].kind in (None, kind)
    }
    return cedarpy.PolicySet.from_pst(pst.PolicySet(templates={}, static_policies=kept, template_links=()))


def _only_kind(policy: pst.Template) -> str | None:
    """The kind that the policy's very first condition asks for, if it is such a condition."""
    first = policy.clauses[0] if policy.clauses else None
    if not isinstance(first, pst.When):
        return None
    node: object = first.expr
    while isinstance(node, pst.BinaryOp) and node.op == "and":
        node = node.left
    if not isinstance(node, pst.BinaryOp) or node.op != "eq" or path_of(node.left) != "basis.kind":
        return None
    return node.right.value if isinstance(node.right, pst.StringLit) else None
