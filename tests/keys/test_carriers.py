"""Giving visits to programming keys: no more than each can hold, those that are about first."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from key2xs.keys.carriers import ProgrammingKey, place_visits

AT = datetime(2026, 6, 1, 8, tzinfo=UTC)
carriers = st.lists(
    st.builds(
        ProgrammingKey,
        vendor_id=st.uuids().map(str),
        marking=st.just("C"),
        capacity=st.integers(0, 30),
        tasks=st.integers(0, 40),
        last_seen_at=st.one_of(st.none(), st.integers(0, 100).map(lambda n: AT - timedelta(hours=n))),
    ),
    max_size=5,
    unique_by=lambda key: key.vendor_id,
)


@given(st.sets(st.integers(0, 200).map(str)), carriers)
def test_every_lock_is_placed_once_or_named_and_no_key_carries_too_much(
    locks: set[str], found: list[ProgrammingKey]
) -> None:
    placed, left = place_visits(sorted(locks), found)
    given_out = [lock for some in placed.values() for lock in some]
    assert sorted([*given_out, *left]) == sorted(locks)
    for key in found:
        assert len(placed.get(key.vendor_id, ())) <= max(key.capacity - key.tasks, 0)
    room = sum(max(key.capacity - key.tasks, 0) for key in found)
    assert len(left) == max(len(locks) - room, 0), "nothing is left over while there is room"


def test_the_programming_key_that_was_seen_last_goes_first() -> None:
    in_a_drawer = ProgrammingKey("a", "C-1", 30, 0, AT - timedelta(days=90))
    about = ProgrammingKey("b", "C-2", 30, 0, AT)
    never_seen = ProgrammingKey("c", "C-3", 30, 0, None)
    placed, left = place_visits([str(n) for n in range(70)], [never_seen, in_a_drawer, about])
    assert [(name, len(locks)) for name, locks in placed.items()] == [("b", 30), ("a", 30), ("c", 10)]
    assert not left
