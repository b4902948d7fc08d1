"""Three-valued facts: known true, known false, not known.

A rule that may only see `bool` has to guess when a feed is silent. Every fact that reaches a decision is a `Tri`
instead, and "unknown" never counts as a yes.
"""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

Tri: TypeAlias = Literal["yes", "no", "unknown"]

YES: Final = "yes"
NO: Final = "no"
UNKNOWN: Final = "unknown"


def tri(value: bool | None) -> Tri:  # noqa: FBT001 - turning a bool into a fact is all it does
    """Turn an optional bool into a fact; `None` is "unknown"."""
    if value is None:
        return UNKNOWN
    return YES if value else NO


def tri_and(facts: Iterable[Tri]) -> Tri:
    """All of them: "no" beats "unknown" beats "yes"; of nothing at all it is "yes"."""
    seen = set(facts)
    if NO in seen:
        return NO
    return UNKNOWN if UNKNOWN in seen else YES
