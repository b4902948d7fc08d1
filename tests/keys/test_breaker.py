"""A key system that fails whoever asks is asked seldom; one key that always fails is no outage."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given, strategies as st

from key2xs.keys.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from key2xs_twin.faults import Fault
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ONE, OTHER = uuid4(), uuid4()


def broken() -> Breaker:
    breaker = Breaker()
    for number in range(FAILURES):
        breaker.failed(ONE if number % 2 else OTHER, AT)
    return breaker


def test_several_keys_that_fail_in_a_row_open_it() -> None:
    breaker = broken()
    assert breaker.wait_until(AT) == AT + FIRST_PAUSE
    assert breaker.wait_until(AT + FIRST_PAUSE) is None, "one call goes through after the pause"


def test_one_key_that_always_fails_stops_nobody_else() -> None:
    breaker = Breaker()
    for _ in range(50):
        breaker.failed(ONE, AT)
    assert not breaker.is_open


def test_one_answer_closes_it() -> None:
    breaker = broken()
    breaker.answered()
    assert not breaker.is_open
    breaker.failed(ONE, AT)
    breaker.failed(OTHER, AT)
    assert not breaker.is_open, "it counts anew"


@given(st.integers(FAILURES, 5_000))
def test_however_long_it_fails_it_is_asked_again_within_half_a_minute(failures: int) -> None:
    breaker = Breaker()
    for number in range(failures):
        breaker.failed(ONE if number % 2 else OTHER, AT)
    waits = breaker.wait_until(AT)
    assert waits is not None
    assert timedelta(0) < waits - AT <= LONGEST_PAUSE


async def test_a_system_that_is_down_is_asked_seldom_and_for_the_stopped_key_first(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        for number, person in enumerate(("u1", "u2", "u3"), start=1):
            await spine.hand_out(f"K00{number}", person)
        permit = await spine.live_permit("C1", crew=("u1", "u2", "u3"))
        await spine.advance(timedelta(minutes=2))
        assert spine.try_open("K001", "C1")
        stage.world.faults.add(Fault(operation="* **", effect="down", times=10_000))
        spine.ptw.suspend(permit.id, code="weather", at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=2))
        async with spine.services.database.transaction() as tx:
            key = await spine.services.registry.get_key(tx, "K002")
            await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
        before = sum(stage.world.iloq.calls.values())
        await spine.advance(timedelta(minutes=5))
        reconciler = next(loop for loop in spine.installation.loops if loop.name == "reconciler:iloq")
        assert "does not answer" in str(reconciler.problem)  # type: ignore[attr-defined]
        rows = await spine.fetch(
            "SELECT key.stamp FROM key_work AS work JOIN key_target AS target ON target.id = work.target_id "
            "JOIN key_key AS key ON key.id = target.key_id ORDER BY work.lane, key.stamp LIMIT 1"
        )
        assert rows[0]["stamp"] == "K002", "it keeps its lane through every failure"
        assert sum(stage.world.iloq.calls.values()) - before < 100
        stage.world.faults.clear()
        await spine.advance(timedelta(minutes=6))
        assert reconciler.problem is None  # type: ignore[attr-defined]
        for number in (1, 2, 3):
            assert not spine.try_open(f"K00{number}", "C1")


async def test_a_kill_waits_half_a_minute_at_most_once_the_system_is_back(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        for number, person in enumerate(("u1", "u2", "u3"), start=1):
            await spine.hand_out(f"K00{number}", person)
        await spine.live_permit("C1", crew=("u1", "u2", "u3"))
        await spine.advance(timedelta(minutes=2))
        stage.world.faults.add(Fault(operation="* **", effect="down", times=10_000))
        await _kill(spine, "K001", "K002")
        await spine.advance(timedelta(minutes=12))
        reconciler = next(loop for loop in spine.installation.loops if loop.name == "reconciler:iloq")
        assert "does not answer" in str(reconciler.problem)  # type: ignore[attr-defined]
        stage.world.faults.clear()
        await _kill(spine, "K003")
        await spine.advance(LONGEST_PAUSE, every=timedelta(seconds=2))
        rows = await spine.fetch(
            "SELECT key.stamp FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id "
            "WHERE target.block AND target.accepted_at IS NOT NULL ORDER BY 1"
        )
        assert [row["stamp"] for row in rows] == ["K001", "K002", "K003"]


async def _kill(spine: Spine, *stamps: str) -> None:
    async with spine.services.database.transaction() as tx:
        for stamp in stamps:
            key = await spine.services.registry.get_key(tx, stamp)
            await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
