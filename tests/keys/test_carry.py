"""From grants to a program: exact cover, the earliest end, and an honest *cannot be carried*."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st

from key2xs.keys.carry import CannotCarry, CannotWhy, Carried, GrantToCarry, KeyLimits, cover, plan_key
from key2xs.keys.port import VendorRight
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED

EIGHT = datetime(2026, 6, 1, 8, tzinfo=UTC)
LIMITS = KeyLimits(grid=timedelta(minutes=15), zone=ZoneInfo("Europe/Amsterdam"), free_slots=8)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def right(name: str, locks: str, *, writable: bool = True) -> VendorRight:
    return VendorRight(right=name, name=name, locks=frozenset(locks), writable=writable)


def grant(name: str, locks: str, start: float = 0, end: float = 8) -> GrantToCarry:
    return GrantToCarry(name, frozenset(locks), EIGHT + hours(start), EIGHT + hours(end))


SINGLES = [right(f"only-{lock}", lock) for lock in "abcdef"]

lock_sets = st.frozensets(st.sampled_from("abcde"), min_size=1)
catalogues = st.lists(
    st.builds(
        VendorRight,
        right=st.uuids().map(str),
        name=st.just("r"),
        locks=st.frozensets(st.sampled_from("abcdef")),
        writable=st.booleans(),
    ),
    max_size=9,
)


def locks_of(rights: frozenset[str], catalogue: list[VendorRight]) -> frozenset[str]:
    return frozenset[str]().union(*(item.locks for item in catalogue if item.right in rights))


@given(lock_sets, catalogues)
def test_a_cover_opens_exactly_the_grant(locks: frozenset[str], catalogue: list[VendorRight]) -> None:
    outcome = cover(locks, catalogue)
    if isinstance(outcome, Carried):
        assert locks_of(outcome.rights, catalogue) == locks
        assert all(item.writable for item in catalogue if item.right in outcome.rights)


@given(lock_sets, catalogues)
def test_a_cover_is_the_smallest_there_is_and_is_found_whenever_there_is_one(
    locks: frozenset[str], catalogue: list[VendorRight]
) -> None:
    usable = [item for item in catalogue if item.writable and item.locks <= locks]
    sizes = [
        size
        for size in range(len(usable) + 1)
        for some in combinations(usable, size)
        if frozenset[str]().union(*(item.locks for item in some)) == locks
    ]
    outcome = cover(locks, catalogue)
    if sizes:
        assert isinstance(outcome, Carried)
        assert len(outcome.rights) == min(sizes)
    else:
        assert isinstance(outcome, CannotCarry)


def test_a_large_catalogue_still_gives_a_cover_without_a_spare_right() -> None:
    locks = frozenset(f"lock-{n}" for n in range(40))
    catalogue = [
        VendorRight(f"r{n}", f"r{n}", frozenset(f"lock-{(n + k) % 40}" for k in range(3)), writable=True)
        for n in range(40)
    ]
    outcome = cover(locks, catalogue)
    assert isinstance(outcome, Carried)
    for name in outcome.rights:
        assert locks_of(outcome.rights - {name}, catalogue) != locks


def test_a_right_that_opens_one_lock_too_many_is_not_used() -> None:
    outcome = cover(frozenset("a"), [right("pump-house", "ab")])
    assert outcome == CannotCarry(frozenset("a"), CannotWhy.NO_RIGHT_INSIDE)


def test_a_right_that_the_interface_may_not_write_is_not_used() -> None:
    assert isinstance(cover(frozenset("a"), [right("standard", "a", writable=False)]), CannotCarry)


def test_the_end_is_the_earliest_end_of_the_grants() -> None:
    plan = plan_key([grant("long", "a", end=10), grant("short", "b", end=4.2)], SINGLES, LIMITS, at=EIGHT)
    assert plan.program.rights == {"only-a", "only-b"}
    assert plan.program.ends_at == EIGHT + hours(4)
    assert plan.program.starts_at is None
    assert plan.plan_again_at == EIGHT + hours(4)


def test_the_end_is_renewed_when_the_short_grant_is_over() -> None:
    grants = [grant("long", "a", end=10), grant("short", "b", end=4)]
    plan = plan_key(grants, SINGLES, LIMITS, at=EIGHT + hours(4))
    assert plan.program.rights == {"only-a"}
    assert plan.program.ends_at == EIGHT + hours(10)


def test_a_grant_that_has_not_begun_stays_out_of_the_key() -> None:
    plan = plan_key([grant("now", "a"), grant("later", "b", start=2)], SINGLES, LIMITS, at=EIGHT)
    assert plan.program.rights == {"only-a"}
    assert plan.plan_again_at == EIGHT + hours(2)


def test_a_grant_delivered_ahead_starts_no_earlier_than_asked() -> None:
    limits = KeyLimits(grid=LIMITS.grid, zone=LIMITS.zone, free_slots=2, deliver_ahead=hours(12))
    plan = plan_key([grant("later", "b", start=2.1)], SINGLES, limits, at=EIGHT)
    assert plan.program.starts_at == EIGHT + hours(2.25)
    assert plan.program.rights == {"only-b"}


def test_a_window_that_rounds_away_is_not_carried() -> None:
    plan = plan_key([grant("blink", "a", start=0.05, end=0.2)], SINGLES, LIMITS, at=EIGHT + hours(0.1))
    assert plan.program == EMPTY_PROGRAM
    assert plan.cannot["blink"].why is CannotWhy.WINDOW_BELOW_GRID


def test_one_grant_that_cannot_be_carried_does_not_stop_the_other() -> None:
    plan = plan_key([grant("ok", "a"), grant("odd", "z")], SINGLES, LIMITS, at=EIGHT)
    assert plan.program.rights == {"only-a"}
    assert plan.cannot["odd"].locks == {"z"}


def test_a_full_key_carries_nothing_rather_than_a_part_of_it() -> None:
    limits = KeyLimits(grid=LIMITS.grid, zone=LIMITS.zone, free_slots=0)
    plan = plan_key([grant("ok", "a")], SINGLES, limits, at=EIGHT)
    assert plan.program == EMPTY_PROGRAM
    assert plan.cannot["ok"].why is CannotWhy.NO_SLOT


def test_too_many_rights_carry_nothing() -> None:
    limits = KeyLimits(grid=LIMITS.grid, zone=LIMITS.zone, free_slots=4, max_rights=1)
    plan = plan_key([grant("ok", "ab")], SINGLES, limits, at=EIGHT)
    assert plan.cannot["ok"].why is CannotWhy.TOO_MANY_RIGHTS


def test_the_interval_of_the_key_kind_is_written_as_it_was_chosen() -> None:
    limits = KeyLimits(grid=LIMITS.grid, zone=LIMITS.zone, free_slots=4, offline_expires_after=UNLIMITED)
    assert plan_key([grant("ok", "a")], SINGLES, limits, at=EIGHT).program.offline_expires_after is UNLIMITED


windows = st.tuples(st.integers(-40, 40), st.integers(1, 80))
grant_lists = st.lists(st.tuples(st.sampled_from("abc"), windows), max_size=5).map(
    lambda rows: [
        GrantToCarry(
            f"g{n}",
            frozenset(locks),
            EIGHT + timedelta(minutes=7 * start),
            EIGHT + timedelta(minutes=7 * (start + length)),
        )
        for n, (locks, (start, length)) in enumerate(rows)
    ]
)


@given(grant_lists, st.integers(-300, 600))
def test_a_program_never_opens_a_lock_outside_a_running_grant(
    grants: list[GrantToCarry], minutes: int
) -> None:
    at = EIGHT + timedelta(minutes=minutes)
    plan = plan_key(grants, SINGLES, LIMITS, at=at)
    running = [g for g in grants if g.starts_at <= at < g.ends_at]
    granted = frozenset[str]().union(*(g.locks for g in running))
    assert locks_of(plan.program.rights, SINGLES) <= granted
    carried = [g for g in running if g.grant in plan.carried]
    if carried:
        assert plan.program.ends_at is not None
        assert plan.program.ends_at <= min(g.ends_at for g in carried)
    assert {g.grant for g in running} == set(plan.carried) | set(plan.cannot)


@given(grant_lists, st.integers(-300, 600))
def test_the_plan_stays_the_same_until_it_says_plan_again(grants: list[GrantToCarry], minutes: int) -> None:
    at = EIGHT + timedelta(minutes=minutes)
    plan = plan_key(grants, SINGLES, LIMITS, at=at)
    just_before = (plan.plan_again_at or at + hours(99)) - timedelta(seconds=1)
    if just_before > at:
        assert plan_key(grants, SINGLES, LIMITS, at=just_before).program == plan.program


def test_an_upcoming_grant_shorter_than_the_grid_is_not_carried() -> None:
    limits = KeyLimits(grid=LIMITS.grid, zone=LIMITS.zone, free_slots=2, deliver_ahead=hours(12))
    # 08:06 to 08:18: the start rounds to 08:15 and so does the end
    plan = plan_key([grant("blink", "a", start=0.1, end=0.3)], SINGLES, limits, at=EIGHT)
    assert plan.program == EMPTY_PROGRAM
    assert plan.cannot["blink"].why is CannotWhy.WINDOW_BELOW_GRID
