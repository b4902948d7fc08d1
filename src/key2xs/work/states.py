"""Permit states: the canonical ones, what other systems call them, and which move may follow which.

One rule runs through all of it: a message that narrows is believed even where it is odd, a message that widens has
to be right in every respect, and what cannot be told is "unknown", which opens nothing.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal, TypeAlias, TypeGuard, get_args

State: TypeAlias = Literal[
    "draft", "requested", "submitted", "under_review", "approved", "isolating", "isolated", "live", "suspended",
    "test", "handed_back", "deisolating", "deisolated", "closed", "cancelled", "rejected", "expired", "unknown",
]  # fmt: skip

STATES: Final[frozenset[str]] = frozenset(get_args(State))
PLANNED: Final[frozenset[State]] = frozenset({"draft", "requested", "submitted", "under_review"})
"""Before anybody approved anything."""
ENDED: Final[frozenset[State]] = frozenset({"closed", "cancelled", "rejected", "expired"})
"""Nothing follows; going on means a new permit."""
NARROWING: Final[frozenset[State]] = ENDED | {"suspended", "handed_back", "deisolating", "deisolated"}
"""States that take keys away from the people at work. They are believed whoever says so."""

# From most to least harmless when two parts of a message disagree about which narrowing state it is: the one that
# takes more away and is harder to leave wins.
_NARROWNESS: Final[tuple[State, ...]] = (
    "suspended", "handed_back", "deisolating", "deisolated", "expired", "closed", "rejected", "cancelled",
)  # fmt: skip


def _set(*states: State) -> frozenset[State]:
    return frozenset(states)


_STOPPED: Final = _set("cancelled", "rejected")
_BEFORE_LIVE: Final = PLANNED | _set("approved", "isolating", "isolated")
_MOVES: Final[Mapping[State, frozenset[State]]] = {
    **dict.fromkeys(PLANNED, PLANNED | _set("approved") | _STOPPED),
    "approved": _BEFORE_LIVE | _set("live") | _STOPPED,
    "isolating": _set("approved", "isolating", "isolated", "deisolating") | _STOPPED,
    "isolated": _set("isolating", "isolated", "live", "deisolating") | _STOPPED,
    "live": _set("live", "suspended", "test", "handed_back", "expired", "cancelled"),
    "suspended": _set("suspended", "live", "test", "handed_back", "expired", "cancelled"),
    "test": _set("test", "suspended", "live", "expired", "cancelled"),
    "handed_back": _set("handed_back", "deisolating", "deisolated", "closed", "cancelled"),
    "deisolating": _set("deisolating", "deisolated", "closed"),
    "deisolated": _set("deisolated", "closed"),
}
"""Legal moves. Back to *live* from *suspended* or *test* leads only through a revalidation; see `is_legal`."""

_NEEDS_REVALIDATION: Final[frozenset[State]] = frozenset({"suspended", "test"})

# What the type of an event says about the state in it; types that are not here say nothing.
TYPE_STATES: Final[Mapping[str, State]] = {
    "requested": "requested",
    "approved": "approved",
    "isolated": "isolated",
    "live": "live",
    "revalidated": "live",
    "suspended": "suspended",
    "handed_back": "handed_back",
    "deisolated": "deisolated",
    "closed": "closed",
    "cancelled": "cancelled",
    "expired": "expired",
}

_OTHER = re.compile(r"[^0-9a-z]+")


def is_state(value: str) -> TypeGuard[State]:
    """Tell whether a word is a canonical state."""
    return value in STATES


def native_key(name: str) -> str:
    """Return the form in which native names are compared."""
    return _OTHER.sub(" ", name.casefold()).strip()


@cache
def default_native_states() -> Mapping[str, State]:
    """Return the names that ship with the product, by the form to compare by."""
    table = tomllib.loads(files(__package__).joinpath("native_states.toml").read_text(encoding="utf-8"))
    found: dict[str, State] = {}
    for canonical, names in table.items():
        if not is_state(canonical):
            message = f"native_states.toml: {canonical} is not a canonical state"
            raise ValueError(message)
        found.update((native_key(name), canonical) for name in names)
    return found


def judge(
    *, verb: str, declared: str, native: str, native_states: Mapping[str, State]
) -> tuple[State, tuple[str, ...]]:
    """Say which canonical state a message means, and which disagreements it holds.

    Args:
        verb: last part of the event's type (`live`, `changed`, ...).
        declared: the canonical state the sender gives.
        native: the name the permit has in the sender's system.
        native_states: what the native names mean.
    """
    named: State = declared if is_state(declared) else "unknown"
    meant = native_states.get(native_key(native), "unknown")
    implied = TYPE_STATES.get(verb)
    findings = []
    if named == "unknown":
        findings.append(f"state {declared!r} is not a canonical state")
    if meant == "unknown":
        findings.append(f"native state {native!r} is not known for this source")
    elif named not in (meant, "unknown"):
        findings.append(f"state is {named} but native state {native!r} means {meant}")
    if implied == "live" and named != "live":
        findings.append(f"type says {verb} but state is {named}")
    if implied not in (None, "live") and named == "live":
        findings.append(f"type says {verb}, but state says it is in force")
    return _narrowest((named, meant, implied), conflict=bool(findings)), tuple(findings)


def _narrowest(said: tuple[State, State, State | None], *, conflict: bool) -> State:
    if not conflict:
        return said[0]
    narrowing = [state for state in said if state in NARROWING]
    return max(narrowing, key=_NARROWNESS.index) if narrowing else "unknown"


def is_legal(before: State, after: State, *, revalidated: bool) -> bool:
    """Tell whether a permit may go from one established state to another."""
    if after not in _MOVES.get(before, frozenset()):
        return False
    return after != "live" or before not in _NEEDS_REVALIDATION or revalidated


def narrowest_of(states: Iterable[State]) -> State:
    """Return the one narrowing state among several that must stand for all, else "unknown"."""
    narrowing = [state for state in states if state in NARROWING]
    return max(narrowing, key=_NARROWNESS.index) if narrowing else "unknown"
