"""A worker keeps its target through a step of slow calls and loses it when it stalls."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from key2xs.core.clock import ManualClock
from key2xs.core.errors import Retry
from key2xs.keys.calls import LEASE
from key2xs.keys.reconciler import Reconciler
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage

SLOW = timedelta(seconds=90)  # the longest that a call of a connector takes


class SlowPort:
    """The port, with real time passing in each call; `meanwhile` happens after each."""

    def __init__(self, port: Any, wall: ManualClock, took: timedelta, meanwhile: Any = None) -> None:
        self._port, self._wall, self._took, self._meanwhile = port, wall, took, meanwhile
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name == "capabilities":
            return found

        async def slow(*given: Any, **named: Any) -> Any:
            answer = await found(*given, **named)
            self.calls.append(name)
            self._wall.advance_to(self._wall.now() + self._took)
            if self._meanwhile is not None:
                await self._meanwhile()
            return answer

        return slow


def worker(spine: Spine, wall: ManualClock, name: str, port: Any = None) -> Reconciler:
    """Another process of the product, with its own idea of real time only because a test moves that."""
    services, (system, *_) = spine.services, spine.installation.connected
    connected = replace(system, port=port) if port is not None else system
    return Reconciler(
        services.database,
        connected,
        registry=services.registry,
        custody=services.custody,
        targets=services.targets,
        planner=services.planner,
        openers=services.openers,
        visits=services.visits,
        grants=services.evaluator,
        drift=services.drift,
        clock=services.clock,
        wall=wall,
        worker=name,
    )


async def _one_due(spine: Spine) -> None:
    """Have exactly one key to write: everything else has been seen to."""
    await spine.hand_out("K001", "u1")
    await spine.settle()
    spine.installation.loops = [loop for loop in spine.installation.loops if not isinstance(loop, Reconciler)]
    await spine.live_permit("C1", crew=("u1",))
    async with spine.services.database.transaction() as tx:
        await tx.execute(
            "UPDATE key_work SET next_at = 'infinity' WHERE target_id NOT IN (SELECT target.id FROM key_target AS target "
            "JOIN key_key AS key ON key.id = target.key_id WHERE key.stamp = 'K001')"
        )


async def test_a_step_of_three_slow_calls_keeps_its_target(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine, wall = stage.spine, ManualClock(START)
        await _one_due(spine)
        other = worker(spine, wall, "other")
        taken: list[bool] = []

        async def look() -> None:
            await other.step(spine.now)
            taken.append(not other.idle)

        port = SlowPort(spine.installation.connected[0].port, wall, SLOW)
        slow = worker(spine, wall, "slow", port)
        port._meanwhile = look
        await slow.step(spine.now)
        assert port.calls == ["read_key", "write_program", "order"]
        assert wall.now() - START > LEASE, "together they take longer than one lease"
        assert taken == [False, False, False]
        rows = await spine.fetch("SELECT 1 FROM key_work WHERE failures > 0 OR leased_until IS NOT NULL")
        assert not rows
        fences = await spine.fetch(
            "SELECT count(*) AS n FROM key_call AS call JOIN key_work AS work USING (target_id) "
            "WHERE call.fence = work.fence AND call.outcome = 'ok' AND work.next_at < 'infinity'"
        )
        assert fences[0]["n"] >= 2, "nobody raised the fence meanwhile"


async def test_a_worker_that_stalls_loses_its_target_and_writes_nothing(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine, wall = stage.spine, ManualClock(START)
        await _one_due(spine)
        other = worker(spine, wall, "other")
        port = SlowPort(spine.installation.connected[0].port, wall, LEASE + timedelta(seconds=1), None)
        port._meanwhile = lambda: other.step(spine.now)
        await worker(spine, wall, "stalled", port).step(spine.now)
        assert port.calls == ["read_key"]
        assert not other.idle, "it was taken over"


async def test_a_worker_that_lost_its_target_is_told_so(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine, wall = stage.spine, ManualClock(START)
        await _one_due(spine)
        first = worker(spine, wall, "first")
        claim = await spine.services.database.transact(lambda tx: first._claim(tx, spine.now, 4))  # type: ignore[arg-type]
        assert claim is not None
        wall.advance_to(START + LEASE + timedelta(seconds=1))
        await worker(spine, wall, "second").step(spine.now)
        with pytest.raises(Retry, match="took this target over"):
            await spine.services.database.transact(lambda tx: first._calls.require_mine(tx, claim))


async def test_what_was_planned_before_the_key_was_blocked_is_not_written(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine, wall = stage.spine, ManualClock(START)
        await _one_due(spine)
        (key,) = await spine.fetch("SELECT id FROM key_key WHERE stamp = 'K001'")
        custody = spine.services.custody

        async def lose() -> None:
            async with spine.services.database.transaction() as tx:
                await custody.block(tx, key["id"], reason="lost", actor="user:desk", at=spine.now)

        port = SlowPort(spine.installation.connected[0].port, wall, timedelta(seconds=1), lose)
        await worker(spine, wall, "first", port).step(spine.now)
        assert port.calls == ["read_key"]
