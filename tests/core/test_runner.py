"""Loops are woken when there may be work, and a runner that is quiet truly is."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Self

from key2xs.core.clock import StoredClock
from key2xs.core.runner import Runner
from key2xs.ledger.sequencer import kinds_told

NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
NEVER_POLL = 600.0  # seconds: what happens within a test is no poll


async def test_a_loop_is_stepped_after_the_one_that_makes_its_work() -> None:
    reader, worker, other = _Loop("reader"), _Loop("worker"), _Loop("other")
    async with _Running(
        reader, worker, other, followers={"reader": ["worker", "not running here"]}
    ) as running:
        running.runner.wake()
        await running.is_quiet()
        before = worker.steps, other.steps
        reader.work = True
        running.runner._wakes["reader"].set()
        await running.is_quiet()
        assert worker.steps > before[0]
        assert other.steps == before[1]


async def test_a_moved_clock_wakes_only_who_is_due() -> None:
    soon, late, never = _Loop("soon", due=5), _Loop("late", due=50), _Loop("never")
    async with _Running(soon, late, never) as running:
        await running.is_quiet()
        before = [soon.steps, late.steps, never.steps]
        running.clock.advance_to(NOW + timedelta(seconds=10))
        running.runner.wake_due()
        await running.is_quiet()
        assert [soon.steps, late.steps, never.steps] == [before[0] + 1, before[1], before[2]]


async def test_between_a_step_and_its_follower_nobody_counts_as_idle() -> None:
    seen: list[list[str]] = []
    reader, worker = _Loop("reader"), _Loop("worker")
    async with _Running(reader, worker, followers={"reader": ["worker"]}) as running:
        await running.is_quiet()
        worker.on_step = lambda: seen.append(running.runner.busy())
        running.runner._wakes["reader"].set()
        await running.is_quiet()
    assert seen
    assert all("worker" in busy for busy in seen)


async def test_an_entry_wakes_whom_it_concerns_and_whoever_does_not_say() -> None:
    timer, other, anybody = _Loop("timer"), _Loop("other"), _Loop("anybody")
    timer.heeds, other.heeds = ("grants:",), ("identity:", "plant:")
    async with _Running(timer, other, anybody) as running:
        await running.is_quiet()
        before = [timer.steps, other.steps, anybody.steps]
        running.runner.hear(["grants:lease", "work:permit"])
        await running.is_quiet()
        assert [timer.steps, other.steps, anybody.steps] == [before[0] + 1, before[1], before[2] + 1]


async def test_who_found_nothing_to_do_wakes_no_follower() -> None:
    reader, worker = _Loop("reader"), _Loop("worker")
    async with _Running(reader, worker, followers={"reader": ["worker"]}) as running:
        await running.is_quiet()
        before = worker.steps
        reader.idle = True
        running.runner._wakes["reader"].set()
        await running.is_quiet()
        assert worker.steps == before


def test_a_notification_that_names_no_kinds_wakes_everybody() -> None:
    assert kinds_told("42 grants:lease keys:target") == ("grants:lease", "keys:target")
    assert kinds_told("42") == ()


class _Loop:
    """Counts its steps; is due so many seconds after the beginning, then after twice as many."""

    def __init__(self, name: str, *, due: float | None = None) -> None:
        self.name, self._due = name, due
        self.steps = 0
        self.work = False
        self.idle = False
        self.heeds: tuple[str, ...] | None = None
        self.on_step: Callable[[], None] = lambda: None

    async def step(self, now: datetime) -> datetime | None:
        self.steps += 1
        self.on_step()
        await asyncio.sleep(0)
        if self._due is None:
            return None
        at = NOW + timedelta(seconds=self._due)
        return at if at > now else at + timedelta(seconds=100)


class _Running:
    """A runner under way, with a clock that stands still."""

    def __init__(self, *loops: _Loop, followers: dict[str, list[str]] | None = None) -> None:
        self.clock = StoredClock(NOW)
        polls = {loop.name: NEVER_POLL for loop in loops}
        self.runner = Runner(loops, self.clock, polls=polls, followers=followers)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.runner.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.runner.stop()
        await self._task

    async def is_quiet(self) -> None:
        async with asyncio.timeout(10):
            while self.runner.busy():  # noqa: ASYNC110 - the runner's own tasks are what is waited for
                await asyncio.sleep(0)
