"""The words of the simulated wire in ours, and back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, strategies as st

from key2xs.connectors.cliq import mapping, payloads as wire
from key2xs.core.errors import Refused
from key2xs.keys.port import LockEventOutcome, MemoryReading, ProgrammingState, TimeQuality
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program, WeeklyWindow

AT = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
EIGHT = timedelta(hours=8)
PLAN = wire.Plan(
    access=[wire.Entry(cylinder="c1"), wire.Entry(group="g1")],
    validity=wire.Validity("always"),
    schedule=None,
    revalidation_minutes=480,
    online_opening=False,
)
windows = st.builds(
    lambda day, start, length: WeeklyWindow(day, start, min(start + length, 1440)),
    st.integers(0, 6), st.integers(0, 1438), st.integers(1, 600),
)  # fmt: skip
programs = st.builds(
    Program,
    rights=st.frozensets(st.sampled_from(["cyl:a", "cyl:b", "grp:c"]), min_size=1),
    ends_at=st.one_of(st.none(), st.integers(0, 10_000).map(lambda n: AT + timedelta(minutes=n))),
    offline_expires_after=st.one_of(
        st.just(UNLIMITED), st.integers(60, 9000).map(lambda n: timedelta(minutes=n))
    ),
    schedule=st.one_of(st.none(), st.frozensets(windows, min_size=1, max_size=4)),
)


@given(programs)
def test_a_program_survives_the_way_to_the_wire_and_back(program: Program) -> None:
    plan = mapping.plan_of(program, PLAN, emptied=EIGHT)
    assert mapping.program_of(plan) == program
    assert mapping.is_same_plan(plan, msgspec.json.decode(msgspec.json.encode(plan), type=wire.Plan))


def test_never_opens_nothing_whatever_the_list_says() -> None:
    never = mapping.program_of(msgspec.structs.replace(PLAN, validity=wire.Validity("never")))
    assert never.opens_nothing
    assert mapping.program_of(PLAN).rights == {"cyl:c1", "grp:g1"}


def test_an_empty_program_is_never_and_keeps_an_interval() -> None:
    for base, minutes in (
        (PLAN, 480),
        (msgspec.structs.replace(PLAN, revalidation_minutes=60), 60),
        (None, 480),
    ):
        plan = mapping.plan_of(EMPTY_PROGRAM, base, emptied=EIGHT)
        assert (plan.access, plan.validity.kind, plan.revalidation_minutes) == ([], "never", minutes)
    unlimited = msgspec.structs.replace(PLAN, revalidation_minutes=None)
    assert mapping.plan_of(EMPTY_PROGRAM, unlimited, emptied=EIGHT).revalidation_minutes == 480


def test_whether_a_key_asks_online_stays_as_it_was() -> None:
    asking = msgspec.structs.replace(PLAN, online_opening=True)
    program = mapping.program_of(PLAN)
    assert mapping.plan_of(program, asking, emptied=EIGHT).online_opening
    assert not mapping.plan_of(program, PLAN, emptied=EIGHT).online_opening


@pytest.mark.parametrize(
    "program",
    [
        # an iLOQ right
        Program(frozenset({"0b3d"}), offline_expires_after=EIGHT),
        # a start needs an end on this wire
        Program(frozenset({"cyl:a"}), starts_at=AT, offline_expires_after=EIGHT),
        # silence about the interval
        Program(frozenset({"cyl:a"})),
        Program(frozenset({"cyl:a"}), offline_expires_after=timedelta(seconds=90)),
        Program(frozenset({"cyl:a"}), ends_at=AT, offline_expires_after=EIGHT, renews_until=AT),
    ],
)
def test_what_the_wire_cannot_say_is_refused(program: Program) -> None:
    with pytest.raises(Refused):
        mapping.plan_of(program, PLAN, emptied=EIGHT)


@pytest.mark.parametrize(
    "plan",
    [
        msgspec.structs.replace(PLAN, validity=wire.Validity("sometimes")),
        msgspec.structs.replace(PLAN, validity=wire.Validity("between")),
        msgspec.structs.replace(PLAN, access=[wire.Entry()]),
        msgspec.structs.replace(PLAN, schedule=[wire.Window(8, "08:00", "09:00")]),
        msgspec.structs.replace(PLAN, schedule=[wire.Window(1, "08:00", "07:00")]),
    ],
)
def test_a_plan_that_cannot_be_read_is_never_guessed(plan: wire.Plan) -> None:
    with pytest.raises(ValueError):
        mapping.program_of(plan)


KEY = wire.Key(id="k", serial="1", marking="", kind="dynamic", revision=4, planned=PLAN, sent_revision=4)
OTHER = msgspec.structs.replace(PLAN, revalidation_minutes=60)


@pytest.mark.parametrize(
    ("update", "sent", "confirmed", "state"),
    [
        ("none", 4, None, ProgrammingState.PLANNING),
        ("waiting", 4, OTHER, ProgrammingState.ORDERED),
        ("taken", 4, OTHER, ProgrammingState.FETCHED),
        ("done", 4, PLAN, ProgrammingState.PROGRAMMED),
        # nobody sent it, but the key holds the same
        ("none", 3, PLAN, ProgrammingState.PROGRAMMED),
        # another plan is on its way: the present one was not sent
        ("waiting", 3, OTHER, ProgrammingState.PLANNING),
        ("done", 3, OTHER, ProgrammingState.PLANNING),
        # the same program is in the key, but another one waits for it
        ("waiting", 3, PLAN, ProgrammingState.PLANNING),
        # pulled out early: it waits on
        ("failed", 4, OTHER, ProgrammingState.ORDERED),
        ("what is this", 4, OTHER, ProgrammingState.UNKNOWN),
    ],
)
def test_how_far_a_plan_is(
    update: str, sent: int, confirmed: wire.Plan | None, state: ProgrammingState
) -> None:
    key = msgspec.structs.replace(KEY, update=wire.Update(update), sent_revision=sent, confirmed=confirmed)
    assert mapping.programming_state(key) is state


def test_a_version_changes_with_the_plan_and_with_the_holder() -> None:
    versions = {
        mapping.version_of(KEY),
        mapping.version_of(msgspec.structs.replace(KEY, revision=5)),
        mapping.version_of(msgspec.structs.replace(KEY, holder="c-17")),
    }
    assert len(versions) == 3


def test_a_cylinder_counts_as_member_if_either_side_says_so() -> None:
    cylinders = [wire.Cylinder("a", "A", []), wire.Cylinder("b", "B", ["g"])]
    groups = [wire.Group("g", "G", ["a"], writable=True), wire.Group("old", "Old", [], writable=False)]
    rights = {right.right: right for right in mapping.vendor_rights(cylinders, groups)}
    assert rights["grp:g"].locks == {"a", "b"}
    assert not rights["grp:old"].writable
    locks = {lock.vendor_lock: lock for lock in mapping.vendor_locks(cylinders, groups)}
    assert locks["a"].rights == {"cyl:a", "grp:g"}
    assert (locks["a"].has_clock, locks["a"].honours_limits) == ("no", "yes")


EVENT = wire.Event(
    id="e1", read_at=AT, arrived_at=AT, kind="opened", occurred_at=AT - EIGHT, cylinder="a", key="k"
)


def test_the_same_opening_from_two_memories_has_one_id() -> None:
    one, two = mapping.lock_event(EVENT), mapping.lock_event(msgspec.structs.replace(EVENT, id="e2"))
    assert one is not None
    assert two is not None
    assert one.vendor_event_id == two.vendor_event_id
    later = mapping.lock_event(msgspec.structs.replace(EVENT, occurred_at=AT))
    assert later is not None
    assert later.vendor_event_id != one.vendor_event_id


def test_a_row_without_time_or_key_is_told_as_such() -> None:
    foreign = mapping.lock_event(
        msgspec.structs.replace(EVENT, kind="refused", key=None, occurred_at=None, reason="foreign")
    )
    assert foreign is not None
    assert foreign.outcome is LockEventOutcome.REFUSED
    assert foreign.time_quality is TimeQuality.NONE
    assert not foreign.person_certain
    assert foreign.vendor_event_id == "e1"
    assert mapping.lock_event(msgspec.structs.replace(EVENT, cylinder=None, kind="key_updated")) is None


def test_only_whole_memories_count_as_read() -> None:
    def told(
        kind: str, *, cylinder: str | None = None, key: str | None = None, source: str = "key"
    ) -> object:
        row = msgspec.structs.replace(EVENT, kind=kind, cylinder=cylinder, key=key, source=source)
        return mapping.memory_reading(row, key_rows=100)

    assert told("list_read", cylinder="a", source="cylinder") == MemoryReading("a", None, AT, AT, 1000)
    assert told("key_updated", key="k") == MemoryReading(None, "k", AT, AT, 100)
    assert told("key_updated", key="k", source="system") is None, (
        "the system says so, not the key's own memory"
    )
    assert told("key_updated_offline", key="k") is None, "nothing came up with it"
    assert told("opened", cylinder="a", key="k") is None
    assert told("cylinder_programmed", cylinder="a", source="cylinder") is None


def test_codes_of_the_log_are_never_renumbered() -> None:
    codes = {
        (kind, reason): mapping.lock_event(msgspec.structs.replace(EVENT, kind=kind, reason=reason))
        for kind, reason in (
            ("opened", None),
            ("refused", "low_battery"),
            ("list_read", None),
            ("new", "new"),
        )
    }
    assert [event.raw_type for event in codes.values() if event is not None] == [1, 702, 6, 0]


def test_a_schedule_only_narrows() -> None:
    always = Program(frozenset({"cyl:a"}), offline_expires_after=EIGHT)
    days = replace(always, schedule=frozenset({WeeklyWindow(0, 480, 960)}))
    mornings = replace(always, schedule=frozenset({WeeklyWindow(0, 480, 600), WeeklyWindow(0, 600, 720)}))
    nights = replace(always, schedule=frozenset({WeeklyWindow(0, 1200, 1440)}))
    assert days.narrower_than(always)
    assert always.wider_than(days)
    assert mornings.narrower_than(days)
    assert nights.wider_than(days)
    assert days.wider_than(nights)


def test_a_block_that_was_taken_out_again_proves_nothing() -> None:
    def job(name: str, kind: str, state: str, hour: int) -> wire.Job:
        at = AT + timedelta(hours=hour)
        done = at if state == "done" else None
        return wire.Job(
            id=name,
            programming_key="p1",
            made_at=AT,
            tasks=[wire.Task(1, kind, "c1", "k1", state, done, done)],
        )

    def states(*jobs: wire.Job) -> list[str]:
        return [str(visit.state) for visit in mapping.block_visits(jobs, "k1")]

    block = job("a", "block", "done", 1)
    assert states(block) == ["done"]
    assert states(block, job("b", "unblock", "done", 2)) == ["failed"]
    assert states(block, job("b", "unblock", "waiting", 2)) == ["loaded"]
    assert states(block, job("b", "unblock", "failed", 2)) == ["done"]
    again = job("c", "block", "done", 3)
    assert states(again, job("b", "unblock", "done", 2), block) == ["done", "failed"]


@pytest.mark.parametrize(
    ("overwritten", "state"),
    [
        (None, "done"),
        (("waiting", None), "loaded"),
        (("loaded", None), "loaded"),
        (("failed", None), "done"),
        (("done", timedelta(minutes=-5)), "done"),
        (("done", timedelta(minutes=5)), "failed"),
    ],
)
def test_a_block_counts_as_gone_once_its_cylinder_was_overwritten_after_it(
    overwritten: tuple[str, timedelta | None] | None, state: str
) -> None:
    """Nobody knows whether the vendor writes the block again: the cylinder is visited once more."""
    done_at = datetime(2026, 6, 1, 8, tzinfo=UTC)
    tasks = [wire.Task(1, "block", "c", "k", "done", done_at)]
    if overwritten is not None:
        word, after = overwritten
        tasks.append(wire.Task(2, "reprogram", "c", None, word, None if after is None else done_at + after))
    (visit,) = mapping.block_visits([wire.Job("j", "p", done_at, tasks)], "k")
    assert visit.state == state


def test_bringing_a_list_takes_no_block_away() -> None:
    done_at = datetime(2026, 6, 1, 8, tzinfo=UTC)
    tasks = [
        wire.Task(1, "block", "c", "k", "done", done_at),
        wire.Task(2, "list", "c", "k", "done", done_at),
    ]
    job = wire.Job("j", "p", done_at, tasks)
    assert [visit.state for visit in mapping.block_visits([job], "k")] == ["done"]
    assert [visit.state for visit in mapping.unblock_visits([job], "k")] == ["failed"], (
        "nothing takes it away yet"
    )
