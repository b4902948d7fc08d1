"""What a set of roles may do under a matrix, asked of the policy engine once and kept.

One table for each matrix and set of roles, so that no request waits for Cedar: what a row of the table says is what
Cedar says (tests/access/test_holdings.py compares them).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from key2xs.policy.acts import EVERYWHERE, Account, ActQuestion, ActRules, ActVerdict, Place, judge_many

from .permissions import BUILT_IN_SECOND, Permission

_KEPT: Final = 512  # combinations of roles and matrices; a site has some tens


@dataclass(frozen=True, slots=True, order=True)
class Terms:
    """On what terms something may be done; the order is from the easiest on."""

    second: bool = False
    reason: bool = False


@dataclass(frozen=True, slots=True)
class Holdings:
    """What some roles may do: everywhere, or in single units and areas, and on which terms."""

    everywhere: frozenset[Permission] = frozenset()
    somewhere: frozenset[Permission] = frozenset()
    """Held in some unit or area, and not everywhere."""
    terms: Mapping[tuple[Permission, str], Terms] = field(default_factory=dict, hash=False)
    """By permission and scope."""

    def terms_of(self, permission: Permission, place: Place = EVERYWHERE) -> Terms | None:
        """Return the easiest terms that hold at a place; None: not held there."""
        scopes = ["all"]
        scopes += [f"unit:{place.unit}"] if place.unit else []
        scopes += [f"area:{place.area}"] if place.area else []
        found = [self.terms[permission, scope] for scope in scopes if (permission, scope) in self.terms]
        return min(found, default=None)


NOTHING: Final = Holdings()


@lru_cache(maxsize=_KEPT)
def holdings_of(rules: ActRules, roles: frozenset[str]) -> Holdings:
    """Return what these roles may do under these rules."""
    scopes = sorted({row.scope for row in rules.rows if row.role in roles} | {"all"})
    asked = [(permission, scope) for permission in Permission for scope in scopes]
    verdicts = judge_many(
        [question_for(roles, permission, place_of(scope)) for permission, scope in asked], rules
    )
    terms = {pair: _terms(verdict) for pair, verdict in zip(asked, verdicts, strict=True) if verdict.possible}
    everywhere = frozenset(permission for permission, scope in terms if scope == "all")
    return Holdings(everywhere, frozenset(permission for permission, _ in terms) - everywhere, terms)


def question_for(roles: frozenset[str], permission: Permission, place: Place = EVERYWHERE) -> ActQuestion:
    """Return the question whether roles may begin an act at a place."""
    return ActQuestion(
        # Facts about the account matter to a second person only; beginning an act does not ask for them.
        Account(roles),
        str(permission),
        place,
        second="built_in" if permission in BUILT_IN_SECOND else "none",
    )


def place_of(scope: str) -> Place:
    """Return the place a scope speaks of."""
    kind, _, code = scope.partition(":")
    return Place(unit=code) if kind == "unit" else Place(area=code) if kind == "area" else EVERYWHERE


def _terms(verdict: ActVerdict) -> Terms:
    return Terms(second=verdict.needs_second, reason=verdict.needs_reason)
