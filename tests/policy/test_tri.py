from itertools import product

import pytest

from key2xs.core.tri import Tri, is_tri, tri, tri_and, tri_not, tri_or

WORDS: tuple[Tri, ...] = ("yes", "no", "unknown")
POSSIBLE: dict[Tri, tuple[bool, ...]] = {"yes": (True,), "no": (False,), "unknown": (True, False)}


def _over_all_worlds(results: set[bool]) -> Tri:
    return tri(results.pop()) if len(results) == 1 else "unknown"


@pytest.mark.parametrize(("a", "b"), list(product(WORDS, WORDS)))
def test_and_or_not_say_what_every_possible_world_says(a: Tri, b: Tri) -> None:
    worlds = list(product(POSSIBLE[a], POSSIBLE[b]))
    assert tri_and((a, b)) == _over_all_worlds({x and y for x, y in worlds})
    assert tri_or((a, b)) == _over_all_worlds({x or y for x, y in worlds})
    assert tri_not(a) == _over_all_worlds({not x for x in POSSIBLE[a]})


def test_of_nothing() -> None:
    assert tri_and(()) == "yes"
    assert tri_or(()) == "no"


def test_words_from_outside() -> None:
    assert [tri(True), tri(False), tri(None)] == list(WORDS)
    assert is_tri("unknown")
    assert not is_tri("maybe")
    assert not is_tri(None)
