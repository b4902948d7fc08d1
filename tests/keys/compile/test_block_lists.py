"""Lists that spread: never too long, first come first served, and no block ever dropped to make room."""

from hypothesis import given, strategies as st

from key2xs.keys.compile.block_lists import BlockListNow, compile_block_list

names = st.frozensets(st.sampled_from(["k1", "k2", "k3", "k4", "k5"]))


@given(st.frozensets(st.integers(0, 9).map(str), max_size=6), st.lists(st.integers(0, 9).map(str)), names)
def test_a_list_is_never_too_long_and_forgets_nobody_to_make_room(
    held: frozenset[str], block: list[str], unblock: frozenset[str]
) -> None:
    now = BlockListNow("main", held, most=6)
    found = compile_block_list(now, block=block, unblock=unblock, proven_empty=held)
    assert len(found.blocked) <= 6
    assert held - unblock <= found.blocked
    assert found.blocked | set(found.no_room) >= set(block)
    assert not found.no_room or len(held | found.blocked) == 6, "nobody is turned away while there is room"
    assert bool(found.could_leave) <= bool(found.no_room)


def test_the_first_reported_finds_room_first() -> None:
    found = compile_block_list(
        BlockListNow("main", frozenset("a"), most=2), block=["z", "b"], proven_empty="a"
    )
    assert found.blocked == {"a", "z"}
    assert found.no_room == ("b",)
    assert found.could_leave == ("a",)
