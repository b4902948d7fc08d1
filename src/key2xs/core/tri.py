"""Three-valued facts: known true, known false, not known.

A rule that may only see `bool` has to guess when a feed is silent. Every fact that reaches a decision is a `Tri`
instead, and "unknown" never counts as a yes.
"""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, TypeGuard

Tri: TypeAlias = Literal["yes", "no", "unknown"]

YES: Final = "yes"
NO: Final = "no"
UNKNOWN: Final = "unknown"


def tri(value: bool | None) -> Tri:  # noqa: FBT001 - turning a bool into a fact is all it does
    """Turn an optional bool into a fact; `None` is "unknown"."""
    if value is None:
        return UNKNOWN
    return YES if value else NO


def is_tri(value: object) -> TypeGuard[Tri]:
    """Say whether a value read from outside is one of the three words."""
    return value in (YES, NO, UNKNOWN)


def tri_and(facts: Iterable[Tri]) -> Tri:
    """All of them: "no" beats "unknown" beats "yes"; of nothing at all it is "yes"."""
    seen = set(facts)
    if NO in seen:
        return NO
    return UNKNOWN if UNKNOWN in seen else YES


def tri_or(facts: Iterable[Tri]) -> Tri:
    """Any of them: "yes" beats "unknown" beats "no"; of nothing at all it is "no"."""
    seen = set(facts)
    if YES in seen:
        return YES
    return UNKNOWN if UNKNOWN in seen else NO


def tri_not(fact: Tri) -> Tri:
    """Turn yes and no round; what is not known stays not known."""
    if fact == UNKNOWN:
        return UNKNOWN
    return NO if fact == YES else YES
