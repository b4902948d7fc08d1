from itertools import product

import pytest

from key2xs.core.tri import Tri, tri, tri_and

WORDS: tuple[Tri, ...] = ("yes", "no", "unknown")
POSSIBLE: dict[Tri, tuple[bool, ...]] = {"yes": (True,), "no": (False,), "unknown": (True, False)}


def _over_all_worlds(results: set[bool]) -> Tri:
    return tri(results.pop()) if len(results) == 1 else "unknown"


@pytest.mark.parametrize(("a", "b"), list(product(WORDS, WORDS)))
def test_and_says_what_every_possible_world_says(a: Tri, b: Tri) -> None:
    worlds = list(product(POSSIBLE[a], POSSIBLE[b]))
    assert tri_and((a, b)) == _over_all_worlds({x and y for x, y in worlds})


def test_of_nothing() -> None:
    assert tri_and(()) == "yes"


def test_words_from_outside() -> None:
    assert [tri(True), tri(False), tri(None)] == list(WORDS)
