"""What a fact that is not known might turn out to be.

Guardrails refuse the unknown themselves. A site's policy may read other facts, and could forbid on a known "no"
without thinking of "unknown". So an allow that rests on an unknown fact read by a site policy is tried with every
value the fact could have; one deny among them is a deny. That makes every bundle, not only a careful one, monotone:
losing a fact never turns a deny into an allow.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import Any, Final

from .view import NUMBERS, STATES, UNKNOWN_NUMBER, View

COMPLETIONS_MAX: Final = 256  # five facts of three words each; more unknowns than that deny without trying

_QUALIFICATIONS: Final = "person.qualifications"


def unknown_facts(view: View, reads: frozenset[str]) -> tuple[str, ...]:
    """The facts among `reads` that this view does not know."""
    return tuple(sorted(path for path in reads if _is_unknown(view, path)))


def completions(view: View, unknown: Iterable[str]) -> tuple[View, ...] | None:
    """Every view that the unknown facts leave open; None when they are too many, or are counts."""
    choices: list[list[tuple[str, Any]]] = []
    size = 1
    for path in unknown:
        if path in NUMBERS:
            return None
        choices.append(_choices(view, path))
        size *= len(choices[-1])
        if size > COMPLETIONS_MAX:
            return None
    return tuple(_with(view, chosen) for chosen in product(*choices))


def _is_unknown(view: View, path: str) -> bool:
    if path in NUMBERS:
        return view.fact(path) == UNKNOWN_NUMBER
    if path == _QUALIFICATIONS:
        return bool(view.person.qualifications_unknown)
    return path in STATES and view.fact(path) == "unknown"


def _choices(view: View, path: str) -> list[tuple[str, Any]]:
    if path != _QUALIFICATIONS:
        return [(path, word) for word in sorted(STATES[path])]
    held, open_question = view.person.qualifications, sorted(view.person.qualifications_unknown)
    if len(open_question) > COMPLETIONS_MAX.bit_length():
        return [(path, held)] * (COMPLETIONS_MAX + 1)
    picks = product((False, True), repeat=len(open_question))
    return [
        (path, held | {code for code, is_held in zip(open_question, pick, strict=True) if is_held})
        for pick in picks
    ]


def _with(view: View, chosen: Iterable[tuple[str, Any]]) -> View:
    for path, value in chosen:
        room, _, name = path.rpartition(".")
        view = replace(
            view, **({room: replace(getattr(view, room), **{name: value})} if room else {name: value})
        )
    return view
