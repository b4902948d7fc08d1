"""Who may do what in Key2XS itself, decided by Cedar like everything else: roles, a site's matrix, guardrails."""

from .engine import check_rules, judge, judge_many
from .rules import BASE_ACTIONS, ActRow, ActRules, make_rules
from .types import EVERYWHERE, Account, ActQuestion, ActVerdict, Place

__all__ = [
    "BASE_ACTIONS",
    "EVERYWHERE",
    "Account",
    "ActQuestion",
    "ActRow",
    "ActRules",
    "ActVerdict",
    "Place",
    "check_rules",
    "judge",
    "judge_many",
    "make_rules",
]
