"""The scenes in which every declared crash point of the grant, revoke, sequencer and takeover paths is reached."""

from datetime import timedelta

from key2xs_twin.clients.permits import Member
from tests.support.stage import Stage
from tests.support.tiny import AREA, UNIT, asset_of, twin_id

PATHS = ("grants.", "keys.", "ledger.")
STALL = timedelta(minutes=3)  # longer than a worker's lease, so that somebody takes over


async def grant_and_revoke(stage: Stage) -> str:
    """A permit goes live, the key opens, the permit is suspended; returns the permit's id."""
    permit = await at_work(stage)
    stage.spine.try_open("K001", "C1")
    await later(stage, timedelta(minutes=1))
    stage.spine.ptw.suspend(permit, code="weather", at=stage.spine.now)
    await later(stage, STALL * 3)
    return permit


async def at_work(stage: Stage) -> str:
    """A permit goes live and the key opens; returns the permit's id."""
    await stage.surely(lambda spine: spine.hand_out("K001", "u1"))
    await stage.settle()
    permit = await _issue(stage)
    # A worker may die, and the one that takes its lease over too.
    await later(stage, STALL * 3)
    return permit


async def work_and_block(stage: Stage) -> None:
    """A permit goes live, the key opens, the key is lost and blocked."""
    await at_work(stage)
    stage.spine.try_open("K001", "C1")
    await later(stage, timedelta(minutes=1))
    async with stage.spine.services.database.transaction() as tx:
        key = await stage.spine.services.registry.get_key(tx, "K001")
        await stage.spine.services.custody.block(
            tx, key.id, reason="lost", actor="user:soc", at=stage.spine.now
        )
    await later(stage, STALL * 2)


async def work_block_and_unblock(stage: Stage) -> None:
    """A permit goes live, the key is lost and blocked, found again, and comes off the block list."""
    await work_and_block(stage)
    services = stage.spine.services
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, "K001")
        await services.custody.take_back(tx, key.id, actor="user:desk", at=stage.spine.now)
        await services.custody.ask_unblock(tx, key.id, reason="found", actor="user:soc", at=stage.spine.now)
    await later(stage, STALL * 3)


async def later(stage: Stage, by: timedelta) -> None:
    """Let time pass in steps that are longer than a worker's lease now and then, whatever dies meanwhile."""
    end = stage.spine.now + by
    while stage.spine.now < end:
        at = min(stage.spine.now + timedelta(seconds=60), end)
        stage.world.advance_to(at)
        stage.spine.clock.advance_to(at)
        stage.spine.ptw.heartbeat(at=at)
        await stage.send()
        await stage.settle()


async def _issue(stage: Stage) -> str:
    ptw, at = stage.spine.ptw, stage.spine.now
    permit = ptw.create(
        type_="cold_work",
        area=AREA,
        unit=UNIT,
        assets=[asset_of("C1")],
        valid_from=at,
        valid_to=at + timedelta(hours=8),
        at=at,
        people=[Member(ref="u1", role="performing_authority", company="v017")],
    )
    ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
    ptw.go_live(permit.id, by="u00411", at=at)
    ptw.sign_on(permit.id, "u1", at=at)
    await stage.send()
    await stage.settle()
    return str(permit.id)


KEY = twin_id("key 1")
