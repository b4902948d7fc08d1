"""Area stops."""

import pytest

from tests.work.worlds import World, after, having, without


async def test_a_stop_cancels_the_areas_permits_and_no_others(world: World) -> None:
    first, second = await world.live_permit(), await world.live_permit(assets=["P-2"])
    planned = world.create()
    elsewhere = await world.live_permit(area="TANK", unit="")
    await world.take_all()
    world.ptw.area_stop("CDU", code="gas_alarm", at=after(30))
    stop = world.outbox.events[0]
    outcome = await world.take(stop)
    assert outcome.kind == "accepted"
    assert len(outcome.stopped) == 2
    for permit in (first, second):
        facts = await world.facts(permit, after(31))
        assert (facts.state, facts.cause, facts.live) == ("cancelled", "area_stop", "no")
    assert (await world.facts(elsewhere, after(31))).live == "yes"
    assert (await world.facts(planned, after(31))).state == "requested"
    async with world.db.read() as tx:
        rows = await tx.fetch(
            "SELECT body.kind, pending.lane, pending.xact FROM log_body AS body JOIN log_pending AS pending USING (seq) "
            "WHERE body.kind IN ('work:area:stop', 'work:permit:cancel') ORDER BY seq"
        )
    assert [row["kind"] for row in rows] == ["work:area:stop", "work:permit:cancel", "work:permit:cancel"]
    assert {row["lane"] for row in rows} == {0}
    assert len({row["xact"] for row in rows}) == 1
    assert (await world.take(stop)).kind == "duplicate"


async def test_a_stopped_permit_is_reissued_and_never_resumed(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.area_stop("CDU", code="gas_alarm", at=after(30))
    await world.take_all()
    world.ptw.revalidate(permit.id, by="ia", valid_to=after(720), at=after(60))
    await world.take_all()
    assert (await world.facts(permit, after(61))).state == "cancelled"
    new = world.ptw.reissue(permit.id, valid_from=after(60), valid_to=after(720), at=after(61))
    world.ptw.approve(new.id, by="aa", at=after(62))
    world.ptw.go_live(new.id, by="ia", at=after(63))
    await world.take_all()
    facts = await world.facts(new, after(64))
    assert facts.live == "yes"
    assert facts.reissued_from == permit.id


async def test_a_stop_is_taken_without_scope_and_reason_and_from_a_clock_ahead(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.area_stop("cdu", code="esd", at=after(30))
    stop = having(after(90).isoformat(), "time")(without("data")(world.outbox.events[0]))
    assert (await world.take(stop, at=after(31))).kind == "accepted"
    assert (await world.facts(permit, after(32))).state == "cancelled"


@pytest.mark.parametrize("subject", ["", "area:", "CDU"])
async def test_a_stop_without_an_area_is_refused(world: World, subject: str) -> None:
    world.ptw.area_stop("CDU", code="esd", at=after(30))
    stop = without("data")(world.outbox.events[0])
    outcome = await world.take({**stop, "subject": subject} if subject else without("subject")(stop))
    assert outcome.kind == "refused"
    assert [problem.field for problem in outcome.problems] == ["subject"]


async def test_free_text_of_a_stop_is_not_kept(world: World) -> None:
    world.ptw.area_stop("CDU", code="Jan Jansen fell", at=after(30))
    await world.take(world.outbox.events[0])
    async with world.db.read() as tx:
        assert await tx.fetchval("SELECT reason_code FROM work_area_stop") is None
