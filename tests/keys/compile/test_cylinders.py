"""Cylinders that list keys, and lists that spread: fewest visits, never over a limit, no block ever dropped."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings, strategies as st

from key2xs.keys.carriers import ProgrammingKey
from key2xs.keys.carry import CannotWhy
from key2xs.keys.compile.block_lists import BlockListNow, compile_block_list
from key2xs.keys.compile.cylinders import CylinderNow, ListedGrant, compile_cylinders
from key2xs.keys.compile.steps import Act, Carrier

EIGHT = datetime(2026, 6, 1, 8, tzinfo=UTC)
GROUPS = {
    "crew": frozenset({"k1", "k2"}),
    "all": frozenset({"k1", "k2", "k3", "k4"}),
    "one": frozenset({"k3"}),
}
names = st.frozensets(st.sampled_from(["k1", "k2", "k3", "k4", "k5"]))


def listed(name: str, key: str, locks: str, start: float = -1, end: float = 8) -> ListedGrant:
    return ListedGrant(
        name, key, frozenset(locks), EIGHT + timedelta(hours=start), EIGHT + timedelta(hours=end)
    )


grants = st.lists(
    st.tuples(
        st.sampled_from(["k1", "k2", "k3", "k4", "k5"]),
        st.sets(st.sampled_from("xyzu"), min_size=1).map("".join),
        st.sampled_from([-2, -1, 0, 1]),
        st.sampled_from([0, 4]),
    ),
    max_size=7,
).map(lambda rows: [listed(f"g{n}", *row) for n, row in enumerate(rows)])
cylinders = st.tuples(
    *(
        st.builds(
            CylinderNow,
            lock=st.just(lock),
            keys=st.frozensets(st.sampled_from(["k1", "k5"])),
            groups=st.frozensets(st.sampled_from(sorted(GROUPS)), max_size=1),
            blocked=st.frozensets(st.sampled_from(["k2", "k3"]), max_size=2),
        )
        for lock in "xyz"
    )
).map(list)


def lets_in(cylinder: CylinderNow) -> frozenset[str]:
    return cylinder.keys.union(*(GROUPS[name] for name in cylinder.groups))


@given(cylinders, grants, names, st.integers(2, 4))
@settings(max_examples=200)
def test_a_cylinder_lets_in_whom_a_grant_names_and_is_visited_only_if_something_changes_there(
    site: list[CylinderNow], wants: list[ListedGrant], block: frozenset[str], most: int
) -> None:
    found = compile_cylinders(site, wants, GROUPS, at=EIGHT, block={"x": block}, entries=most, blocked=most)
    for now in site:
        then = found.wanted.get(now.lock, now)
        named = {g.key for g in wants if g.grant in found.carried and now.lock in g.locks}
        assert lets_in(then) == named
        assert now.blocked <= then.blocked <= now.blocked | (block if now.lock == "x" else frozenset())
        same = lets_in(now) == named and now.blocked == then.blocked
        assert (now.lock not in found.wanted) == same
        if now.lock in found.wanted:
            assert len(then.blocked) <= max(most, len(now.blocked))
            if lets_in(now) != named:
                assert len(then.keys) + len(then.groups) <= most
    assert found.not_blocked.get("x", frozenset()) == block - found.wanted.get("x", site[0]).blocked
    assert [change.target for change in found.changes] == sorted(found.wanted)


@given(cylinders, grants, st.integers(1, 3))
def test_a_listed_grant_stays_out_only_where_a_cylinder_is_missing_or_full(
    site: list[CylinderNow], wants: list[ListedGrant], most: int
) -> None:
    found = compile_cylinders(site, wants, GROUPS, at=EIGHT, entries=most)
    running = {g.grant for g in wants if g.starts_at <= EIGHT < g.ends_at}
    assert found.carried | found.cannot.keys() == running
    assert not found.carried & found.cannot.keys()
    for name, why in found.cannot.items():
        if why.why is CannotWhy.NO_LOCK:
            assert why.locks == {"u"}
        else:
            keys = {g.key for g in wants if g.grant in found.carried and g.locks & why.locks}
            asked = next(g for g in wants if g.grant == name)
            assert len(keys | {asked.key}) > most
    again = compile_cylinders(list(reversed(site)), list(reversed(wants)), GROUPS, at=EIGHT, entries=most)
    assert again == found


def test_a_group_makes_room_where_single_keys_have_none() -> None:
    wants = [listed("g1", "k1", "x"), listed("g2", "k2", "x")]
    found = compile_cylinders([CylinderNow("x")], wants, GROUPS, at=EIGHT, entries=1)
    # The first comes alone; with both the group would fit, and it is looked for before anybody is turned away.
    assert found.carried == {"g1", "g2"}
    assert found.wanted["x"].groups == {"crew"}


def test_one_visit_does_all_that_changes_in_a_cylinder_and_blocks_first() -> None:
    now = CylinderNow("x", keys=frozenset({"k5"}), blocked=frozenset({"k3"}))
    found = compile_cylinders(
        [now],
        [listed("g", "k1", "x")],
        {},
        at=EIGHT,
        block={"x": frozenset({"k4"})},
        unblock={"x": frozenset({"k3"})},
        programming_keys=[ProgrammingKey("c", "C-1", 30, 0, EIGHT)],
    )
    (visit,) = found.changes
    assert visit.carrier is Carrier.PROGRAMMING_KEY
    assert [(step.act, step.names) for step in visit.steps] == [
        (Act.BLOCK, ("k4",)),
        (Act.TAKE_OFF, ("k5",)),
        (Act.PUT_IN, ("k1",)),
        (Act.UNBLOCK, ("k3",)),
    ]
    assert found.rounds == {"c": ["x"]}
    assert not found.unplaced


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


def test_a_full_cylinder_keeps_whom_it_let_in_first_and_says_so_for_the_rest() -> None:
    wants = [listed("g2", "k5", "xy", start=-1), listed("g1", "k1", "x", start=-2)]
    found = compile_cylinders([CylinderNow("x"), CylinderNow("y")], wants, {}, at=EIGHT, entries=1)
    assert found.carried == {"g1"}
    assert found.cannot["g2"].why is CannotWhy.CYLINDER_FULL
    assert found.cannot["g2"].locks == {"x"}
    assert set(found.wanted) == {"x"}, "no part of a grant is carried"
