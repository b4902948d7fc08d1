"""Exposure: the bound over every program that may be in the key, and its twin *will still work until*."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from key2xs.keys.assumptions import ASSUMPTIONS, AssumptionId
from key2xs.keys.exposure import (
    Exposure,
    ExposureKind,
    ExposureSettings,
    KeyOnRecord,
    LockClass,
    expose,
    possible_programs,
    works_until,
)
from key2xs.keys.exposure_map import ExposureMap
from key2xs.keys.port import KeyKind, ProgrammingState, VendorLock
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program, ProgramOnDevice, ProgramState

EIGHT = datetime(2026, 6, 1, 8, tzinfo=UTC)
GOOD_LOCK = LockClass(has_clock="yes", honours_limits="yes", online_required="no", clock_set_on=EIGHT.date())
BARE_LOCK = LockClass(has_clock="no", honours_limits="no", online_required="no")
BASE = timedelta(minutes=2)
LAG = timedelta(minutes=1)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def proven(program: Program, at: float = 0) -> ProgramOnDevice:
    moment = EIGHT + hours(at)
    return ProgramOnDevice(
        program, ProgramState.PROVEN, written_at=moment, ordered_at=moment, proven_at=moment
    )


def ordered(program: Program, at: float = 1) -> ProgramOnDevice:
    moment = EIGHT + hours(at)
    return ProgramOnDevice(program, ProgramState.POSSIBLE, written_at=moment, ordered_at=moment)


def planned(program: Program, at: float = 1) -> ProgramOnDevice:
    return ProgramOnDevice(program, ProgramState.PLANNED, written_at=EIGHT + hours(at))


def key(
    *programs: ProgramOnDevice,
    kind: KeyKind = KeyKind.PHONE,
    state: ProgrammingState = ProgrammingState.ORDERED,
    out_of_contact_since: datetime | None = None,
) -> KeyOnRecord:
    return KeyOnRecord(
        "key-1",
        kind,
        possible_programs(programs),
        state,
        as_of=EIGHT + hours(1),  # the state is the one after the order at nine
        out_of_contact_since=out_of_contact_since,
    )


OPENS = Program(rights=frozenset("a"), ends_at=EIGHT + hours(12), offline_expires_after=hours(4))


def bound_of(record: KeyOnRecord, lock: LockClass = GOOD_LOCK, right: str = "a") -> Exposure:
    return expose(record, [right in item.program.rights for item in record.programs], lock)


# --- one case each of facts 4.2 ---------------------------------------------------------------------------


def test_a_revoked_phone_that_is_unreachable_stops_when_its_offline_time_runs_out() -> None:
    exposure = bound_of(key(proven(OPENS), ordered(EMPTY_PROGRAM)))
    assert exposure.kind is ExposureKind.BOUND
    # the countdown starts no later than the order (09:00) and lasts four hours
    assert exposure.at is not None
    assert timedelta(0) < exposure.at - (EIGHT + hours(5)) <= BASE + LAG + timedelta(seconds=1)
    assert AssumptionId.CONTACT_DELIVERS in exposure.assumptions


def test_the_end_date_cuts_the_countdown_where_the_lock_can_enforce_it() -> None:
    short = replace(OPENS, ends_at=EIGHT + hours(2))
    exposure = bound_of(key(proven(short), ordered(EMPTY_PROGRAM)))
    assert exposure.at is not None
    assert EIGHT + hours(2) < exposure.at < EIGHT + hours(2.1)


@pytest.mark.parametrize(
    "lock",
    [
        replace(GOOD_LOCK, honours_limits="no"),
        replace(GOOD_LOCK, honours_limits="unknown"),
        # a fob supplies no time, so the lock must have a clock of its own
        replace(GOOD_LOCK, has_clock="no"),
        replace(GOOD_LOCK, has_clock="unknown"),
    ],
)
def test_an_end_date_does_not_count_where_the_lock_may_ignore_it(lock: LockClass) -> None:
    endless = replace(OPENS, offline_expires_after=UNLIMITED)
    exposure = bound_of(key(proven(endless), ordered(EMPTY_PROGRAM), kind=KeyKind.FOB), lock)
    assert exposure.kind is ExposureKind.NO_BOUND
    assert exposure.at is None
    assert any(term.name == "end date in the key" for term in exposure.terms)


def test_a_phone_supplies_the_time_only_while_that_is_assumed() -> None:
    endless = replace(OPENS, offline_expires_after=UNLIMITED)
    record = key(proven(endless), ordered(EMPTY_PROGRAM))
    lock = replace(GOOD_LOCK, has_clock="no")
    assumed = expose(record, [True, False], lock)
    assert assumed.kind is ExposureKind.BOUND
    assert AssumptionId.PHONE_SUPPLIES_TIME in assumed.assumptions
    doubted = expose(record, [True, False], lock, settings=ExposureSettings(phone_supplies_time=False))
    assert doubted.kind is ExposureKind.NO_BOUND


def test_unlimited_offline_time_without_an_end_has_no_bound() -> None:
    endless = Program(rights=frozenset("a"), offline_expires_after=UNLIMITED)
    assert bound_of(key(proven(endless), ordered(EMPTY_PROGRAM))).kind is ExposureKind.NO_BOUND


def test_a_metal_key_has_no_countdown_whatever_its_program_says() -> None:
    record = key(proven(OPENS), ordered(EMPTY_PROGRAM), kind=KeyKind.METAL)
    at_good_lock = bound_of(record)
    assert at_good_lock.kind is ExposureKind.BOUND
    assert at_good_lock.at is not None
    assert at_good_lock.at > EIGHT + hours(12)
    assert bound_of(record, BARE_LOCK).kind is ExposureKind.NO_BOUND


def test_a_fob_counts_from_the_order_and_not_from_the_last_contact_somebody_saw() -> None:
    record = replace(key(proven(OPENS), ordered(EMPTY_PROGRAM), kind=KeyKind.FOB), last_contact_at=EIGHT)
    at = bound_of(record, BARE_LOCK).at
    assert at is not None
    assert at > EIGHT + hours(5)


def test_the_known_loss_of_network_is_the_start_of_the_countdown() -> None:
    lost = EIGHT + hours(0.5)
    at = bound_of(key(proven(OPENS), ordered(EMPTY_PROGRAM), out_of_contact_since=lost), BARE_LOCK).at
    assert at is not None
    assert timedelta(0) < at - (lost + hours(4)) < hours(0.1)


def test_a_fetch_without_acknowledgement_starts_the_countdown_again() -> None:
    fetched = replace(ordered(EMPTY_PROGRAM), fetched_at=EIGHT + hours(3))
    at = bound_of(key(proven(OPENS), fetched, state=ProgrammingState.FETCHED), BARE_LOCK).at
    assert at is not None
    assert at > EIGHT + hours(7)


@pytest.mark.parametrize(
    "state",
    [
        ProgrammingState.PLANNING,
        ProgrammingState.CANCELLED,
        ProgrammingState.OBSOLETE,
        ProgrammingState.ERROR,
        ProgrammingState.UNKNOWN,
    ],
)
def test_an_order_that_no_longer_stands_gives_no_countdown(state: ProgrammingState) -> None:
    # The reading is newer than the order and does not show it waiting.
    record = replace(key(proven(OPENS), ordered(EMPTY_PROGRAM), state=state), as_of=EIGHT + hours(2))
    assert bound_of(record, BARE_LOCK).kind is ExposureKind.NO_BOUND


def test_a_plan_that_was_not_ordered_gives_no_countdown() -> None:
    record = key(proven(OPENS), planned(EMPTY_PROGRAM), state=ProgrammingState.PLANNING)
    assert bound_of(record, BARE_LOCK).kind is ExposureKind.NO_BOUND
    assert bound_of(record, GOOD_LOCK).kind is ExposureKind.BOUND


def test_an_order_alone_never_ends_exposure_at_once() -> None:
    exposure = bound_of(key(proven(OPENS), ordered(EMPTY_PROGRAM)))
    assert exposure.kind is not ExposureKind.PROVEN_END


def test_ordering_a_block_list_changes_nothing() -> None:
    record = key(proven(OPENS), ordered(EMPTY_PROGRAM), kind=KeyKind.METAL)
    blocked = replace(record, blocked_at=EIGHT + hours(1))
    assert bound_of(blocked) == bound_of(record)


def test_a_block_list_that_reached_the_lock_ends_exposure_there() -> None:
    record = key(proven(OPENS), kind=KeyKind.METAL)
    exposure = expose(record, [True], BARE_LOCK, block_list_at=EIGHT + hours(3))
    assert exposure.kind is ExposureKind.PROVEN_END
    assert exposure.at == EIGHT + hours(3)


def test_a_key_that_was_never_read_as_programmed_has_no_bound() -> None:
    record = key(ordered(EMPTY_PROGRAM))
    assert bound_of(record).kind is ExposureKind.NO_BOUND
    assert bound_of(replace(record, was_empty_before=True)).kind is ExposureKind.PROVEN_END


def test_a_vendor_scheduler_moves_the_bound_to_its_own_end() -> None:
    renewed = replace(OPENS, offline_expires_after=None, renews_until=EIGHT + hours(48))
    record = key(proven(renewed), ordered(EMPTY_PROGRAM), kind=KeyKind.METAL)
    at = bound_of(record).at
    assert at is not None
    assert at > EIGHT + hours(48)
    for_ever = key(
        proven(replace(renewed, renews_until=UNLIMITED)), ordered(EMPTY_PROGRAM), kind=KeyKind.METAL
    )
    assert bound_of(for_ever).kind is ExposureKind.NO_BOUND


def test_another_grant_is_named_and_the_bound_stays_visible() -> None:
    exposure = expose(key(proven(OPENS)), [True], GOOD_LOCK, allowed_by="grant-7")
    assert exposure.kind is ExposureKind.STILL_ALLOWED
    assert exposure.terms[0].value == "grant-7"
    assert exposure.at is not None


def test_an_online_lock_counts_only_where_the_site_trusts_it() -> None:
    online = replace(BARE_LOCK, online_required="yes")
    record = key(proven(replace(OPENS, offline_expires_after=UNLIMITED)), ordered(EMPTY_PROGRAM))
    assert bound_of(record, online).kind is ExposureKind.NO_BOUND
    trusted = expose(record, [True, False], online, settings=ExposureSettings(online_locks_refuse=True))
    assert trusted.kind is ExposureKind.BOUND
    assert AssumptionId.ONLINE_LOCK_ASKS in trusted.assumptions


def test_an_old_lock_clock_gets_a_wider_margin() -> None:
    record = key(proven(OPENS), kind=KeyKind.METAL)
    fresh, old = (
        bound_of(record, replace(GOOD_LOCK, clock_set_on=day)).at
        for day in (EIGHT.date(), EIGHT.date() - timedelta(days=1000))
    )
    assert fresh is not None
    assert old is not None
    assert old - fresh == timedelta(seconds=2000)


# --- properties -------------------------------------------------------------------------------------------

programs = st.builds(
    Program,
    rights=st.frozensets(st.sampled_from("ab")),
    starts_at=st.none(),
    ends_at=st.one_of(st.none(), st.integers(0, 30).map(lambda n: EIGHT + hours(n))),
    offline_expires_after=st.one_of(st.none(), st.just(UNLIMITED), st.integers(1, 30).map(hours)),
    renews_until=st.one_of(st.none(), st.just(UNLIMITED), st.integers(0, 60).map(lambda n: EIGHT + hours(n))),
)
lock_classes = st.builds(
    LockClass,
    has_clock=st.sampled_from(["yes", "no", "unknown"]),
    honours_limits=st.sampled_from(["yes", "no", "unknown"]),
    online_required=st.sampled_from(["yes", "no", "unknown"]),
    clock_set_on=st.one_of(st.none(), st.just(EIGHT.date())),
)
MANY = hypothesis_settings(
    max_examples=200
)  # pure and fast; the interesting programs are rare among random ones
kinds = st.sampled_from([KeyKind.PHONE, KeyKind.FOB, KeyKind.METAL, KeyKind.UNKNOWN])


@st.composite
def records(draw: st.DrawFn) -> KeyOnRecord:
    """A key whose first program is proven and whose others came later, in order, some only planned."""
    history = [proven(draw(programs))]
    for step in range(draw(st.integers(0, 3))):
        make = draw(st.sampled_from([ordered, ordered, planned]))
        history.append(make(draw(programs), 1 + step))
    contact = draw(st.one_of(st.none(), st.integers(0, 6).map(lambda n: EIGHT + hours(n))))
    as_of = EIGHT + hours(draw(st.integers(0, 5)))
    state = draw(st.sampled_from(list(ProgrammingState)))
    made = key(*history, kind=draw(kinds), state=state, out_of_contact_since=contact)
    return replace(made, as_of=as_of)


def not_earlier(one: Exposure, other: Exposure) -> bool:
    """Whether `one` promises no earlier an end than `other`."""
    if other.kind is ExposureKind.PROVEN_END:
        return True
    if one.at is None or other.at is None:
        return one.at is None
    return one.at >= other.at


@MANY
@given(records(), lock_classes)
def test_a_bound_is_never_before_the_end_of_a_single_possible_program(
    record: KeyOnRecord, lock: LockClass
) -> None:
    whole = bound_of(record, lock)
    for index, item in enumerate(record.programs):
        alone = [False] * len(record.programs)
        alone[index] = "a" in item.program.rights
        assert not_earlier(whole, expose(record, alone, lock))


@MANY
@given(records(), lock_classes, st.data())
def test_one_more_possible_program_never_makes_the_bound_earlier(
    record: KeyOnRecord, lock: LockClass, data: st.DataObject
) -> None:
    more = planned(data.draw(programs), 0.5)
    for place in range(1, len(record.programs)):
        longer = replace(record, programs=(*record.programs[:place], more, *record.programs[place:]))
        assert not_earlier(bound_of(longer, lock), bound_of(record, lock))


@MANY
@given(records(), lock_classes)
def test_a_proven_narrowing_ends_exposure(record: KeyOnRecord, lock: LockClass) -> None:
    done = proven(EMPTY_PROGRAM, 5)
    after = replace(record, programs=possible_programs((*record.programs, done)))
    exposure = bound_of(after, lock)
    assert exposure.kind is ExposureKind.PROVEN_END
    assert exposure.at == done.proven_at


@given(records(), lock_classes)
def test_every_answer_names_known_assumptions_and_says_why(record: KeyOnRecord, lock: LockClass) -> None:
    exposure = bound_of(record, lock)
    assert exposure.terms
    assert set(exposure.assumptions) <= set(ASSUMPTIONS)
    assert (exposure.at is None) == (exposure.kind is ExposureKind.NO_BOUND)


@MANY
@given(records(), lock_classes)
def test_an_ordered_narrowing_of_a_key_with_offline_time_always_has_a_bound(
    record: KeyOnRecord, lock: LockClass
) -> None:
    """Liveness: a phone or fob whose every program counts down is bounded as soon as the order is accepted."""
    limited = tuple(
        replace(item, program=replace(item.program, offline_expires_after=hours(4)))
        for item in record.programs
    )
    revoked = replace(
        record,
        kind=KeyKind.FOB,
        programs=(*limited, ordered(EMPTY_PROGRAM, 9)),
        programming_state=ProgrammingState.ORDERED,
    )
    assert bound_of(revoked, lock).kind in {ExposureKind.BOUND, ExposureKind.PROVEN_END}


@MANY
@given(records(), lock_classes)
def test_a_key_never_surely_works_longer_than_it_could_possibly_open(
    record: KeyOnRecord, lock: LockClass
) -> None:
    opening = ["a" in item.program.rights for item in record.programs]
    latest = expose(record, opening, lock)
    surely = works_until(record, opening)
    if latest.kind is ExposureKind.BOUND:
        assert surely.at is not None
        assert latest.at is not None
        assert surely.at <= latest.at


# --- the twin number ---------------------------------------------------------------------------------------


def test_a_key_works_at_least_until_its_offline_time_after_the_last_known_contact() -> None:
    record = replace(key(proven(OPENS), state=ProgrammingState.PROGRAMMED), last_contact_at=EIGHT + hours(1))
    answer = works_until(record, [True])
    assert answer.at is not None
    assert EIGHT + hours(4.9) < answer.at < EIGHT + hours(5)


def test_a_key_with_a_narrower_program_on_its_way_may_stop_at_any_time() -> None:
    answer = works_until(key(proven(OPENS), ordered(EMPTY_PROGRAM)), [True, False])
    assert answer.at == EIGHT + hours(1)


def test_a_key_without_any_limit_keeps_working() -> None:
    endless = Program(rights=frozenset("a"), offline_expires_after=UNLIMITED)
    assert works_until(key(proven(endless), state=ProgrammingState.PROGRAMMED), [True]).at is None


def test_a_blocked_key_may_stop_as_soon_as_the_list_was_ordered() -> None:
    record = replace(key(proven(OPENS)), blocked_at=EIGHT + hours(0.5))
    assert works_until(record, [True]).at == EIGHT + hours(0.5)


# --- many keys ---------------------------------------------------------------------------------------------


def lock(name: str, rights: str, group: LockClass, *, hidden: bool = False) -> VendorLock:
    return VendorLock(
        name,
        name,
        rights=frozenset(rights),
        has_clock=group.has_clock,
        clock_set_at=EIGHT if group.clock_set_on else None,
        honours_limits=group.honours_limits,
        online_required=group.online_required,
        hidden_rights=hidden,
    )


@st.composite
def catalogues(draw: st.DrawFn) -> list[VendorLock]:
    return [
        lock(
            f"lock-{n}",
            "".join(draw(st.sets(st.sampled_from("ab")))),
            draw(lock_classes),
            hidden=draw(st.booleans()),
        )
        for n in range(draw(st.integers(1, 8)))
    ]


@hypothesis_settings(max_examples=60)
@given(catalogues(), records(), st.booleans(), st.data())
def test_a_map_gives_for_every_lock_what_the_pair_alone_gives(
    locks: list[VendorLock], record: KeyOnRecord, hidden: bool, data: st.DataObject
) -> None:
    names = [item.vendor_lock for item in locks]
    reached = data.draw(st.dictionaries(st.sampled_from(names), st.just(EIGHT + hours(2))))
    allowed = data.draw(st.dictionaries(st.sampled_from(names), st.sampled_from(["g1", "g2"])))
    record = replace(record, hidden_rights=hidden, block_list_reached=reached)
    index = ExposureMap(locks)
    seen: dict[str, Exposure] = {}
    for group in index.of_key(record, allowed=allowed, also=names):
        assert group.count == len(group.locks)
        for name in group.locks:
            assert name not in seen
            seen[name] = group.exposure
    assert seen == {name: index.of_pair(record, name, allowed_by=allowed.get(name)) for name in names}


def test_a_key_with_hidden_rights_is_never_proven_at_a_lock_with_hidden_rights() -> None:
    index = ExposureMap([lock("seen", "a", BARE_LOCK), lock("veiled", "a", BARE_LOCK, hidden=True)])
    record = replace(key(proven(EMPTY_PROGRAM), kind=KeyKind.METAL), hidden_rights=True)
    assert index.of_pair(record, "seen").kind is ExposureKind.PROVEN_END
    assert index.of_pair(record, "veiled").kind is ExposureKind.NO_BOUND
