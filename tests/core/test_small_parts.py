"""Clocks, ids, crash points, named SQL, the runner and elections."""

import asyncio
from datetime import datetime, timedelta

import pytest

from key2xs.core import crash
from key2xs.core.clock import ManualClock, StoredClock, require_utc
from key2xs.core.database import Database
from key2xs.core.election import Leadership
from key2xs.core.ids import new_id, parse_id
from key2xs.core.runner import Runner
from key2xs.core.sql import _parse
from tests.conftest import START


def test_a_clock_never_goes_back() -> None:
    clock = ManualClock(START)
    clock.advance_to(START + timedelta(seconds=5))
    assert clock.monotonic() == 5
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance_to(START)


def test_a_late_notification_does_not_turn_a_stored_clock_back() -> None:
    clock = StoredClock(START)
    clock.follow(START + timedelta(hours=1))
    clock.follow(START)
    assert clock.now() == START + timedelta(hours=1)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        require_utc(datetime(2026, 3, 2))  # noqa: DTZ001 - the point of the test


def test_ids_are_version_7_and_differ() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {one.version for one in made} == {7}
    assert parse_id(str(made[0])) == made[0]
    assert parse_id("K-1042") is None


def test_a_crash_point_dies_at_the_asked_visit_and_counts() -> None:
    point = crash.declare("test.small.point")
    point.reach()
    with point.armed(visit=2):
        point.reach()
        with pytest.raises(crash.SimulatedCrash):
            point.reach()
    point.reach()
    assert point.reached == 4
    assert crash.declared("test.small") == {"test.small.point": point}
    with pytest.raises(ValueError, match="twice"):
        crash.declare("test.small.point")


def test_a_simulated_crash_is_not_caught_as_an_error() -> None:
    assert not issubclass(crash.SimulatedCrash, Exception)


def test_two_statements_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two statements"):
        _parse("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n", source="x.sql")


class _Counting:
    """A loop with three steps of work, whose second step fails once."""

    name = "counting"

    def __init__(self) -> None:
        self.steps = 0
        self.done = asyncio.Event()

    async def step(self, now: datetime) -> datetime | None:
        self.steps += 1
        if self.steps == 2:
            message = "planted"
            raise RuntimeError(message)
        if self.steps >= 4:
            self.done.set()
            return None
        return now


async def test_a_failing_step_is_tried_again_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    loop = _Counting()
    runner = Runner([loop], ManualClock(START), polls={"counting": 0.01})
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(loop.done.wait(), 10)
    runner.stop()
    await running
    assert "loop step failed" in caplog.text
    assert runner.problems() == {}


async def test_a_loop_is_not_busy_when_its_time_has_not_come() -> None:
    clock = ManualClock(START)

    class Later:
        name = "later"

        async def step(self, now: datetime) -> datetime | None:
            return now + timedelta(hours=1)

    runner = Runner([Later()], clock, polls={"later": 0.01})
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        while runner.busy():  # noqa: ASYNC110 - the runner's own tasks are what is waited for
            await asyncio.sleep(0)
    assert runner.next_due() == START + timedelta(hours=1)
    clock.advance_to(START + timedelta(hours=1))
    assert runner.busy() == ["later"]
    runner.stop()
    await running


async def test_one_office_has_one_holder(db: Database) -> None:
    first, second = Leadership(db, "test.office"), Leadership(db, "test.office")
    assert await first.hold()
    assert await first.hold()
    assert not await second.hold()
    await first.resign()
    assert await second.hold()
    with pytest.raises(RuntimeError, match="not the holder"):
        _ = first.connection
    await second.resign()


async def test_a_dead_holder_is_followed(db: Database) -> None:
    first, second = Leadership(db, "test.office"), Leadership(db, "test.office")
    await first.hold()
    first.connection.terminate()
    async with asyncio.timeout(10):
        while not await second.hold():  # noqa: ASYNC110 - the server notices a lost connection by itself
            await asyncio.sleep(0)
    await second.resign()
