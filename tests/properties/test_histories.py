"""P1, P2, P5, P6 and P7 over generated histories: whatever happens, in whatever order, nothing opens that must not."""

from hypothesis import Phase, given, settings, strategies as st

from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import open_stage, run

from .acts import ACTS, CALM, Act, play
from .history import History

LONGEST = 30  # acts
SCENE: list[Act] = [
    ("hand_out", 0, 0),
    ("hand_out", 1, 1),
    ("issue", 1, 8),
    ("wait", 1, 0),
]
"""Two people at work with their keys: most interesting things need that first."""

numbers = st.integers(0, 11)


def histories(names: frozenset[str]) -> st.SearchStrategy[list[Act]]:
    """Histories of these acts."""
    return st.lists(st.tuples(st.sampled_from(sorted(names)), numbers, numbers), min_size=8, max_size=LONGEST)


def _examples(few: int) -> settings:
    """A few in `make test`, forty times as many in `make test-long`."""
    # Not shrunk: the history is told whole when it fails, and shrinking takes many minutes.
    phases = (Phase.explicit, Phase.generate)
    return settings(max_examples=few * settings().max_examples // 25, phases=phases)


async def _play(databases: DatabaseServer, acts: list[Act]) -> History:
    async with open_stage(databases, START) as stage:
        history = History(stage)
        await play(history, [*SCENE, *acts])
        return history


@_examples(5)
@given(acts=histories(CALM | {"cut", "restore"}))
def test_nothing_opens_that_must_not_while_everything_works(
    databases: DatabaseServer, acts: list[Act]
) -> None:
    run(_play(databases, acts))


@_examples(4)
@given(acts=histories(frozenset(ACTS) - {"crash"}))
def test_nothing_opens_that_must_not_whatever_fails(databases: DatabaseServer, acts: list[Act]) -> None:
    run(_play(databases, acts))


@_examples(4)
@given(acts=histories(frozenset(ACTS)))
def test_nothing_opens_that_must_not_when_the_product_dies(
    databases: DatabaseServer, acts: list[Act]
) -> None:
    run(_play(databases, acts))
