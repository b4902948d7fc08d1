"""Policy: a situation and a bundle in, a decision out.

Pure: no database, no clock, no network. Facts arrive as values, time as an argument; the grants room fetches both.

    facts = Facts(person=..., cylinder=..., basis=..., key=..., sod_conflicts=frozenset())
    situation = situation_at(facts, at)
    decision = decide(situation, shipped_bundle())
    if not decision.is_allowed:
        explanation = explain(situation, shipped_bundle())

The rules are Cedar policies in three folders beside this file: `schema.cedarschema` says what a policy may read,
`guardrails/` ship with the product and cannot be dropped, `site_default/` is what a new site starts with and may
replace. Reference: docs/reference/policy.md; why it is so: docs/explanation/policy.md.
"""

from .bundle import (
    Bundle,
    BundleInvalid,
    make_bundle,
    restore_bundle,
    shipped_bundle,
    shipped_policies,
    shipped_site_data,
)
from .checks import Problem
from .engine import cylinder_class, decide, decide_many
from .explain import explain
from .reasons import ReasonCode
from .types import (
    Basis,
    BasisKind,
    Cylinder,
    Decision,
    Explanation,
    Facts,
    FactWindow,
    Key,
    Missing,
    PermitState,
    Person,
    Qualification,
    Reason,
    SafetyRole,
    Situation,
    StepState,
    Verdict,
    Window,
    WindowState,
)
from .windows import pick_span, situation_at, window_at

__all__ = [
    "Basis",
    "BasisKind",
    "Bundle",
    "BundleInvalid",
    "Cylinder",
    "Decision",
    "Explanation",
    "FactWindow",
    "Facts",
    "Key",
    "Missing",
    "PermitState",
    "Person",
    "Problem",
    "Qualification",
    "Reason",
    "ReasonCode",
    "SafetyRole",
    "Situation",
    "StepState",
    "Verdict",
    "Window",
    "WindowState",
    "cylinder_class",
    "decide",
    "decide_many",
    "explain",
    "make_bundle",
    "pick_span",
    "restore_bundle",
    "shipped_bundle",
    "shipped_policies",
    "shipped_site_data",
    "situation_at",
    "window_at",
]
