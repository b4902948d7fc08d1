"""A bundle parsed once: policy handles for each kind of basis, the schema, and who is who among the policies.

Cedar's handles cannot be sent to another process, so they live here, keyed by the bundle's hash; a worker process
calls `compile_bundle` in its initializer.

A slice leaves out site policies that cannot apply to a kind of basis: those whose first condition is
`context.basis.kind == "..."` with another kind. It must be the first, because Cedar stops at a false condition
before anything behind it can err. Guardrails are in every slice (property: sliced == full).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, get_args

import cedarpy
from cedarpy import pst

from .bundle import Bundle
from .checks import GUARDRAIL_PREFIX, facts_read, path_of
from .site_data import SiteData, parse_site_data
from .types import BasisKind

_BUNDLES_KEPT: Final = 8  # the active one, the proposed one, and those a replay runs through
_KINDS: Final[tuple[str, ...]] = get_args(BasisKind)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a decision says about a policy."""

    id: str
    effect: str
    annotations: Mapping[str, str]
    kind: str | None
    """The only kind of basis it can apply to, or None for all."""

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
    site_reads: frozenset[str]
    reads: frozenset[str]
    data: SiteData

    def slice_for(self, kind: str) -> cedarpy.PolicySet:
        """The policies that can apply to a kind of basis."""
        return self.slices.get(kind, self.full)


def compile_bundle(bundle: Bundle) -> CompiledBundle:
    """Parse a checked bundle, or return the handles parsed before."""
    return _compile(bundle.hash, bundle)


@lru_cache(maxsize=_BUNDLES_KEPT)
def _compile(_hash: str, bundle: Bundle) -> CompiledBundle:
    full = cedarpy.PolicySet.from_str(f"{bundle.guardrails}\n{bundle.policies}")
    nodes = full.to_pst()
    policies = {
        number: Policy(node.annotations["id"], node.effect, dict(node.annotations), _only_kind(node))
        for number, node in nodes.static_policies.items()
    }
    site = [nodes.static_policies[number] for number, policy in policies.items() if not policy.is_guardrail]
    return CompiledBundle(
        full=full,
        slices={kind: _slice(nodes, policies, kind) for kind in _KINDS},
        schema=cedarpy.Schema.from_str(bundle.schema),
        policies=policies,
        site_reads=facts_read(tuple(site)),
        reads=facts_read(tuple(nodes.static_policies.values())),
        data=parse_site_data(bundle.site_data),
    )


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
