"""A write of a worker that stalled arrives after its successor has read the key: late, but ours, and no edit of anybody."""

from datetime import timedelta
from typing import Any

from key2xs.core.clock import ManualClock
from key2xs.keys.calls import LEASE
from key2xs.keys.drift.findings import list_findings
from key2xs.keys.reconciler import LONGEST_STALL, Reconciler
from key2xs.keys.recovery import read_all_again
from tests.conftest import START
from tests.keys.test_leases import worker
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import twin_id


class StalledPort:
    """The port of a worker that is stopped just before its first write leaves; `meanwhile` happens until it goes on."""

    def __init__(self, port: Any, meanwhile: Any) -> None:
        self._port, self._meanwhile = port, meanwhile
        self.wrote: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def write_program(self, external_id: str, program: Any, reading: Any) -> Any:
        await self._meanwhile()
        self.wrote.append(program)
        return await self._port.write_program(external_id, program, reading)


async def step(spine: Spine, other: Reconciler, times: int = 8) -> None:
    """Let some minutes pass in which only one worker works."""
    for _ in range(times):
        at = spine.now + timedelta(seconds=20)
        spine.world.advance_to(at)
        spine.clock.advance_to(at)
        await spine.settle()
        while await other.step(spine.now) == spine.now:
            pass


async def test_a_late_write_of_ours_is_no_edit(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine, wall = stage.spine, ManualClock(START)
        await spine.hand_out("K001", "u1")
        await spine.advance(timedelta(minutes=1))
        spine.installation.loops = [
            loop for loop in spine.installation.loops if not isinstance(loop, Reconciler)
        ]
        permit = await spine.live_permit("C1", crew=("u1",))
        other = worker(spine, wall, "other")
        plan = spine.world.iloq.state.keys[twin_id("key 1")]

        async def meanwhile() -> None:
            wall.advance_to(wall.now() + LEASE + timedelta(seconds=1))
            spine.clock.advance_to(spine.now + LONGEST_STALL + timedelta(seconds=31))
            spine.ptw.suspend(permit.id, code="shift_end", at=spine.now)
            await spine.send()
            await step(spine, other)
            assert not plan.plan.right_ids, (
                "the successor has read the key, and found it as it was wanted by then"
            )

        port = StalledPort(spine.installation.connected[0].port, meanwhile)
        stalled = worker(spine, wall, "stalled", port)
        while not port.wrote:
            await stalled.step(spine.now)
        assert plan.plan.right_ids, "the late write put back what had ended"
        async with spine.services.database.transaction() as tx:
            await read_all_again(tx, spine.now)
        await step(spine, other)
        assert not plan.plan.right_ids, "and the successor took it off again"
        async with spine.services.database.read() as tx:
            assert [(each.stamp, each.kind) for each in await list_findings(tx)] == []
