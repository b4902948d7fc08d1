"""Several workers of one process for one key system: no key twice, one call at a time, a free hand for stops."""

import asyncio
from datetime import timedelta

from key2xs.keys.beside import SLOW
from key2xs.keys.lanes import WorkLane
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage


async def _make_due(spine: Spine, lane: WorkLane) -> int:
    """Make every key due in a lane; returns how many there are."""
    async with spine.services.database.transaction() as tx:
        done: str = await tx.execute("UPDATE key_work SET next_at = $1, lane = $2", spine.now, lane)
    return int(done.rsplit(maxsplit=1)[-1])


async def test_workers_take_different_keys_and_leave_none(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        first = next(loop for loop in spine.installation.loops if loop.name == "reconciler:iloq")
        workers = [first, *(each for each in spine.installation.beside if each.beside == first.name)]
        assert len(workers) > 2
        keys = await _make_due(spine, WorkLane.STOP)
        before = {row["target_id"]: row["fence"] for row in await spine.fetch("SELECT * FROM key_work")}

        async def work(worker: object) -> None:
            while (await worker.step(spine.now)) == spine.now:  # type: ignore[attr-defined]
                pass

        await asyncio.gather(*(work(worker) for worker in workers))
        rows = await spine.fetch("SELECT * FROM key_work")
        assert len(rows) == keys
        assert all(row["leased_until"] is None and row["next_at"] > spine.now for row in rows)
        assert all(row["fence"] - before[row["target_id"]] <= 2 for row in rows), (
            "no key was worked on by all"
        )


async def test_one_of_them_has_a_free_hand_for_stops_only(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        stops = next(each for each in spine.installation.beside if each.name == "reconciler:iloq/stops")
        await _make_due(spine, WorkLane.REVOKE)
        await stops.step(spine.now)
        assert stops.idle
        await _make_due(spine, WorkLane.KILL)
        await stops.step(spine.now)
        assert not stops.idle


async def test_they_rest_while_the_system_is_slow_or_down(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        first = next(loop for loop in spine.installation.loops if loop.name == "reconciler:iloq")
        more = next(each for each in spine.installation.beside if each.beside == first.name)
        await _make_due(spine, WorkLane.GRANT)
        first.last_read = SLOW + timedelta(seconds=1)  # type: ignore[attr-defined]
        assert await more.step(spine.now) is None
        assert more.idle
        first.last_read = timedelta(0)  # type: ignore[attr-defined]
        await more.step(spine.now)
        assert not more.idle
