"""Why not, and what is the smallest legal change: one plain sentence for each unmet condition.

A default deny has no Cedar reasons, and a forbid only has its fixed sentence. So the conditions are worked through
here once more, from the situation itself. Each condition belongs to one guardrail, and a property test holds the two
together: a condition is unmet here exactly when its guardrail forbids there.
"""

from datetime import UTC, tzinfo
from typing import Final

from . import conditions_basis, conditions_permit, conditions_person
from .bundle import Bundle
from .case import Case, Condition
from .compiled import compile_bundle
from .engine import decide
from .reasons import ReasonCode as Code
from .types import Decision, Explanation, Missing, Reason, Situation
from .view import view_of

CONDITIONS: Final[tuple[tuple[str, Condition], ...]] = (
    *conditions_person.CONDITIONS,
    *conditions_basis.CONDITIONS,
    *conditions_permit.CONDITIONS,
)


def explain(situation: Situation, bundle: Bundle, *, zone: tzinfo = UTC) -> Explanation:
    """Say everything that is missing; instants are written in `zone`, the site's time zone."""
    decision = decide(situation, bundle)
    if decision.is_allowed:
        return Explanation(decision, ())
    compiled = compile_bundle(bundle)
    try:
        case = Case(situation, view_of(situation, compiled.data), compiled, zone)
        missing = [lack for _, condition in CONDITIONS for lack in condition(case)]
    except (AttributeError, LookupError, TypeError, ValueError):
        # The facts cannot even be read; the decision says so, and that is all there is to say.
        missing = []
    return Explanation(decision, (*missing, *_beyond_guardrails(decision)))


def unmet_guardrails(situation: Situation, bundle: Bundle) -> frozenset[str]:
    """The guardrails whose conditions are unmet here; the test compares them with those that forbid."""
    compiled = compile_bundle(bundle)
    case = Case(situation, view_of(situation, compiled.data), compiled, UTC)
    return frozenset(name for name, condition in CONDITIONS if any(True for _ in condition(case)))


def _beyond_guardrails(decision: Decision) -> list[Missing]:
    beyond = (Code.SITE_POLICY, Code.NO_SITE_POLICY, Code.UNKNOWN)
    return [_of_reason(reason) for reason in decision.reasons if reason.code in beyond]


def _of_reason(reason: Reason) -> Missing:
    changes = {
        Code.SITE_POLICY: f"a rule of this site, {reason.policy_id}: only two people can change it in a new bundle",
        Code.NO_SITE_POLICY: "a rule of this site that gives it: two people can add one in a new bundle",
        Code.UNKNOWN: "have the fact or the rule put right; nothing is given on what is not known",
    }
    return Missing(reason.code, reason.text, changes.get(reason.code, "ask the security manager"))
