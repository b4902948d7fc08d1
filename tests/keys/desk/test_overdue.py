"""A key that does not come back is told step by step, once each; one that comes back in time is not."""

from datetime import timedelta

from key2xs.core.settings import DeskSettings
from key2xs.keys.desk.due import STEPS, OverdueLoop, move_due
from key2xs.keys.desk.lists import overdue
from key2xs.keys.desk.mishaps import report_lost

from .site import HOUR, MINUTE, Desk


def ladder(desk: Desk, *, batch: int = 200) -> OverdueLoop:
    return OverdueLoop(desk.spine.services.database, desk.spine.services.ledger, DeskSettings(), batch=batch)


async def test_an_unreturned_key_climbs_the_ladder_one_entry_a_step(desk: Desk) -> None:
    await desk.hand_out("K001", "u1", due_at=desk.now + HOUR)
    loop, due = ladder(desk), desk.now + HOUR
    assert await loop.step(desk.now) == due
    told: list[str] = []
    upcoming = None
    for after, step in zip((0, 15, 30, 60, 120), STEPS, strict=True):
        desk.pass_time(due + after * MINUTE - desk.now)
        upcoming = await loop.step(desk.now)
        told.append(f"keys:overdue:{step}")
        assert await desk.kinds("keys:overdue:") == told
        assert await loop.step(desk.now) == upcoming
        assert await desk.kinds("keys:overdue:") == told, "each step is told once"
    assert upcoming is None
    async with desk.spine.services.database.read() as tx:
        line = (await overdue(tx, desk.now))[0]
    assert (line.key.stamp, line.step) == ("K001", "security")
    assert await desk.holder("K001") == "u1", "nothing is taken away by a clock"


async def test_a_key_back_in_time_is_never_asked_back(desk: Desk) -> None:
    await desk.hand_out("K001", "u1", due_at=desk.now + HOUR)
    loop = ladder(desk)
    await loop.step(desk.now)
    desk.pass_time(59 * MINUTE)
    await desk.take_back("K001")
    desk.pass_time(5 * HOUR)
    assert await loop.step(desk.now) is None
    assert await desk.kinds("keys:overdue:") == []


async def test_a_key_that_comes_back_late_stops_climbing(desk: Desk) -> None:
    await desk.hand_out("K001", "u1", due_at=desk.now + HOUR)
    loop = ladder(desk)
    desk.pass_time(HOUR + 20 * MINUTE)
    await loop.step(desk.now)
    await desk.take_back("K001")
    desk.pass_time(5 * HOUR)
    assert await loop.step(desk.now) is None
    assert await desk.kinds("keys:overdue:") == ["keys:overdue:due", "keys:overdue:reminder"]


async def test_a_later_due_time_begins_the_ladder_anew(desk: Desk) -> None:
    await desk.hand_out("K001", "u1", due_at=desk.now + HOUR)
    loop, key = ladder(desk), await desk.key("K001")
    desk.pass_time(HOUR)
    await loop.step(desk.now)
    until = desk.now + 2 * HOUR
    await desk.do(
        lambda tx: move_due(
            tx, desk.parts, key, until, reason="job runs on", actor="user:leader", at=desk.now
        )
    )
    desk.pass_time(HOUR)
    assert await loop.step(desk.now) == until
    desk.pass_time(HOUR)
    await loop.step(desk.now)
    assert await desk.kinds("keys:overdue:") == ["keys:overdue:due", "keys:overdue:due"]


async def test_after_an_outage_every_step_is_told_in_order_however_many_there_are(desk: Desk) -> None:
    for stamp, ref in (("K001", "u1"), ("K002", "u2")):
        await desk.hand_out(stamp, ref, due_at=desk.now + HOUR)
    loop = ladder(desk, batch=3)
    desk.pass_time(timedelta(days=1))
    steps = 0
    while await loop.step(desk.now) == desk.now:
        steps += 1
    assert steps == 3
    told = await desk.kinds("keys:overdue:")
    assert sorted(told) == sorted([f"keys:overdue:{step}" for step in STEPS] * 2)
    assert [each.rpartition(":")[2] for each in told[::2]] == list(STEPS)


async def test_a_lost_key_is_searched_and_not_asked_back(desk: Desk) -> None:
    await desk.hand_out("K001", "u1", due_at=desk.now + HOUR)
    key = await desk.key("K001")
    await desk.do(
        lambda tx: report_lost(tx, desk.parts, key, reason="in the sump", actor="user:desk", at=desk.now)
    )
    desk.pass_time(5 * HOUR)
    assert await ladder(desk).step(desk.now) is None
    assert await desk.kinds("keys:overdue:") == []
