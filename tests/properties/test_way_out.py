"""S2: whoever may be behind a lock that bars the way out is asked after; access itself is never prolonged for it."""

import asyncio
from datetime import timedelta
from typing import Any

from key2xs.core.ids import AccessPointId
from key2xs.grants.live import open_of_people
from key2xs.incidents.inside import everybody_inside
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import open_stage
from tests.support.tiny import AREA

from .safety_shift import Shift

MINUTE = timedelta(minutes=1)


async def test_whoever_may_be_inside_is_asked_after_before_the_end_and_nothing_is_prolonged(
    databases: DatabaseServer,
) -> None:
    """Bad input: the plant's list says nothing about the way out of C3, which counts as not free."""
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin(egress="")
        spine = shift.spine
        await spine.live_permit("C3", crew=("u3",), hours=1)
        assert await _questions(shift) == []
        await spine.advance(timedelta(minutes=46), every=timedelta(minutes=2))
        asked = await _questions(shift)
        assert [(q.because, q.egress_free, q.cause) for q in asked] == [("signed_on", "unknown", "expiry")]
        async with spine.services.database.transaction() as tx:
            await spine.services.ways_out.answer(tx, asked[0].id, "inside", actor="user:leader", at=spine.now)
        async with spine.services.database.transaction() as tx:
            await spine.services.ways_out.answer(tx, asked[0].id, "inside", actor="user:leader", at=spine.now)
        told = await spine.fetch("SELECT 1 FROM log_body WHERE kind = 'incidents:inside:answer'")
        assert len(told) == 1, "said twice, it is on the log once"
        assert len(await _questions(shift)) == 1, "somebody is still inside: it stays until they are out"
        await spine.advance(timedelta(minutes=20), every=timedelta(minutes=2))
        rows = await spine.fetch(
            "SELECT state FROM grant_lease WHERE basis_ref LIKE 'permit:%' AND person_id = $1",
            spine.persons["u3"],
        )
        assert [row["state"] for row in rows] == ["ended"], "a question prolongs nothing"
        async with spine.services.database.transaction() as tx:
            await spine.services.ways_out.answer(tx, asked[0].id, "out", actor="user:leader", at=spine.now)
        assert await _questions(shift) == []


async def test_the_watch_and_a_stop_that_ask_at_once_ask_once(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin(egress="n")
        spine, ways_out = stage.spine, stage.spine.services.ways_out
        await spine.live_permit("C3", crew=("u3",))
        async with spine.services.database.read() as tx:
            leases = await open_of_people(tx, [spine.persons["u3"]])

        async def ask(tx: Any, cause: Any) -> int:
            return await ways_out.ask(tx, leases, cause=cause, at=spine.now, ends_at=spine.now)

        async def second() -> int:
            async with spine.services.database.transaction() as tx:
                return await ask(tx, "expiry")

        async with spine.services.database.transaction() as tx:
            assert await ask(tx, "kill") == 1
            other = asyncio.create_task(second())
            while not await spine.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):
                assert not other.done()
        assert await other == 0
        assert len(await spine.fetch("SELECT 1 FROM log_body WHERE kind = 'incidents:inside:ask'")) == 1


async def test_an_area_stop_asks_after_everybody_behind_a_lock_that_may_bar_the_way(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin(egress="n")
        spine = shift.spine
        await spine.live_permit("C3", crew=("u3",))
        await spine.advance(MINUTE)
        assert spine.try_open("K003", "C3")
        await spine.advance(MINUTE)
        spine.ptw.area_stop(AREA, code="gas_alarm", at=spine.now)
        await spine.send()
        await spine.advance(MINUTE)
        asked = [q for q in await _questions(shift) if q.person_id == spine.persons["u3"]]
        assert [q.cause for q in asked] == ["ended"]
        async with spine.services.database.read() as tx:
            point = AccessPointId(asked[0].access_point_id)
            assert set(await everybody_inside(tx, point, spine.now)) == {spine.persons["u3"]}


async def test_nobody_is_asked_after_where_the_way_out_is_free(shift: Shift) -> None:
    await shift.spine.live_permit("C3", crew=("u3",), hours=0.5)
    await shift.spine.advance(timedelta(minutes=40), every=timedelta(minutes=2))
    assert await _questions(shift) == []


async def _questions(shift: Shift) -> list[Any]:
    async with shift.spine.services.database.read() as tx:
        return await shift.spine.services.ways_out.open(tx, shift.spine.now)
