"""What the clock brings about."""

from key2xs.work import SILENT_AFTER, BoundaryLoop, SilenceLoop, feed_ok, source_status
from tests.work.worlds import SOURCE, World, after


async def test_a_permit_expires_by_the_clock_and_is_told_once(world: World) -> None:
    permit = await world.live_permit(valid_to=after(120))
    loop = BoundaryLoop(world.db, world.desk)
    assert await loop.step(after(60)) == after(120)
    assert "work:permit:expire" not in await world.kinds()
    facts = await world.facts(permit, after(120))
    assert (facts.state, facts.cause, facts.live) == ("expired", "clock", "no")
    assert await loop.step(after(121)) is None
    assert await loop.step(after(200)) is None
    assert (await world.kinds()).count("work:permit:expire") == 1
    async with world.db.read() as tx:
        row = await tx.fetchrow(
            "SELECT body.occurred_at, body.heads, head.entry, body.seq FROM log_body AS body "
            "JOIN log_subject_head AS head ON head.subject = body.heads[1] WHERE kind = 'work:permit:expire'"
        )
    assert row
    assert row["occurred_at"] == after(120)
    assert row["entry"] == row["seq"]


async def test_a_revalidation_in_time_takes_the_expiry_back(world: World) -> None:
    permit = await world.live_permit(valid_to=after(120))
    world.ptw.revalidate(permit.id, by="ia", valid_to=after(300), at=after(110))
    await world.take_all()
    assert await BoundaryLoop(world.db, world.desk).step(after(121)) == after(300)
    assert "work:permit:expire" not in await world.kinds()


async def test_a_gas_test_that_runs_out_moves_the_permits_head(world: World) -> None:
    permit = await world.live_permit(type_="hot_work")
    world.ptw.gas_test(permit.id, safe=True, by="gt", at=after(10))
    await world.take_all()
    loop = BoundaryLoop(world.db, world.desk)
    assert await loop.step(after(129)) == after(130)
    await loop.step(after(131))
    assert (await world.kinds())[-1] == "work:permit:gas_lapse"


async def test_a_missed_check_in_alarms_and_takes_nothing_away(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.expect_checkin(permit.id, "u1", due_at=after(60), at=after(10))
    world.ptw.expect_checkin(permit.id, "u1", due_at=after(90), at=after(11))
    world.ptw.check_in(permit.id, "u1", at=after(50))
    await world.take_all()
    await BoundaryLoop(world.db, world.desk).step(after(95))
    assert (await world.kinds()).count("work:checkin:miss") == 1
    assert (await world.facts(permit, after(96))).live == "yes"


async def test_a_silent_source_is_told_once_and_takes_nothing_away(world: World) -> None:
    permit = await world.live_permit()
    loop = SilenceLoop(world.db, world.desk)
    assert await loop.step(after(3)) == after(2) + SILENT_AFTER
    facts = await world.facts(permit, after(10))
    assert (facts.live, facts.feed_ok) == ("yes", "no")
    assert await loop.step(after(10)) is None
    assert await loop.step(after(20)) is None
    assert (await world.kinds()).count("work:source:silence") == 1
    beat = world.ptw.heartbeat(at=after(30))
    assert (await world.take(beat)).kind == "heard"
    assert (await world.kinds())[-1] == "work:source:resume"
    assert (await world.facts(permit, after(30))).feed_ok == "yes"
    async with world.db.read() as tx:
        (status,) = await source_status(tx, after(30))
        assert (status.live_there, status.live_here) == (1, 1)
        assert await feed_ok(tx, "never heard", after(30)) == ("unknown", None)
    assert status.name == SOURCE


async def test_a_heartbeat_every_minute_writes_no_entries(world: World) -> None:
    await world.live_permit()
    before = await world.kinds()
    for minute in range(3, 8):
        await world.take(world.ptw.heartbeat(at=after(minute)))
    assert await world.kinds() == before
