"""Every broken assumption that can be noticed is noticed and opens the bound again; nothing else does.

Against the simulated site, through the real connectors: keys with bad clocks, edits made in the vendor's own tool, a key
system that cannot be read, and a key that opens although its bound was over.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from key2xs.keys.exposure_types import DEFAULT_SETTINGS
from key2xs.keys.openers import KeyExposure
from key2xs.keys.reopening.loops import UnreadLoop
from key2xs.keys.reopening.reads import StoredBroken, list_broken
from key2xs.keys.reopening.rules import Cause
from key2xs_twin.cliq.out_of_band import CliqOutOfBand
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import Stage, open_stage
from tests.support.tiny import twin_id
from tests.support.tiny_cliq import GATEHOUSE, tiny_cliq_site

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
KEY = twin_id("key 1")


@pytest.fixture
async def cliq(databases: DatabaseServer) -> AsyncIterator[Spine]:
    async with open_stage(databases, START, site=tiny_cliq_site) as opened:
        yield opened.spine


@pytest.fixture
async def iloq(databases: DatabaseServer) -> AsyncIterator[Stage]:
    async with open_stage(databases, START) as opened:
        yield opened


async def at_work(spine: Spine) -> Any:
    await spine.hand_out("K001", "u1")
    await spine.settle()
    permit = await spine.live_permit("C1", crew=["u1"])
    if spine.world.cliq_field.keys:
        spine.world.present_at_updater(KEY, GATEHOUSE)
    await spine.advance(MINUTE)
    assert spine.try_open("K001", "C1")
    return permit


async def stop(spine: Spine, permit: Any) -> None:
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await spine.send()
    await spine.advance(2 * MINUTE, every=MINUTE)


async def broken(spine: Spine, *, also_closed: bool = False) -> list[StoredBroken]:
    async with spine.services.database.read() as tx:
        return await list_broken(tx, also_closed=also_closed)


async def answer(spine: Spine) -> KeyExposure:
    async with spine.services.database.read() as tx:
        key = await spine.services.registry.get_key(tx, "K001")
        return await spine.services.openers.exposure_of(tx, key, spine.now)


def update(spine: Spine, *, off: timedelta) -> None:
    """The key's clock is off, and what waits for it is taken without the server hearing of it."""
    key = spine.world.cliq_field.keys[KEY]
    key.clock.offset = off - (key.clock.reading(spine.now) - spine.now - key.clock.offset)
    spine.world.cliq_field.update(KEY, GATEHOUSE, ack_lost=True)


@pytest.mark.parametrize("sign", [1, -1])
async def test_a_key_clock_off_by_more_than_the_margin_is_noticed_at_the_next_update(
    cliq: Spine, sign: int
) -> None:
    permit = await at_work(cliq)
    margin = DEFAULT_SETTINGS.margin(HOUR)
    await cliq.advance(HOUR, every=10 * MINUTE)
    update(cliq, off=sign * (margin - timedelta(seconds=10)))
    await cliq.advance(MINUTE)
    assert await broken(cliq, also_closed=True) == [], "within the margin nothing is opened again"
    await stop(cliq, permit)
    assert (await answer(cliq)).kind == "bound"

    await cliq.advance(HOUR, every=10 * MINUTE)
    update(cliq, off=sign * (margin + 30 * MINUTE))
    await cliq.advance(MINUTE)
    (found,) = await broken(cliq)
    assert (found.cause, found.before_kind, found.after_kind) == (Cause.CLOCK, "bound", "no_bound")
    assert "was off by 32 minutes when it was updated" in found.because
    said = await answer(cliq)
    assert said.kind == "no_bound"
    assert said.pairs[0].exposure.terms[0].name == "re-opened because"
    assert (await cliq.who_can_open("C1"))["K001"].kind == "no_bound"

    async with cliq.services.database.transaction() as tx:
        await cliq.services.reopenings.close(
            tx, found.id, reason="new battery, clock checked", actor="user:leader", at=cliq.now
        )
    assert await broken(cliq) == []
    assert (await answer(cliq)).kind != "no_bound"
    told = {
        row["kind"] for row in await cliq.fetch("SELECT kind FROM log_body WHERE kind LIKE 'keys:exposure:%'")
    }
    assert {"keys:exposure:reopen", "keys:exposure:settle"} <= told


async def test_an_edit_made_elsewhere_opens_a_bound_again_until_the_key_acknowledges(cliq: Spine) -> None:
    permit = await at_work(cliq)
    await stop(cliq, permit)
    assert (await answer(cliq)).kind == "bound"
    CliqOutOfBand(cliq.world.cliq).change_plan(
        KEY, [twin_id("C2")], ends_at=cliq.now + 30 * HOUR, revalidation_minutes=480
    )
    await cliq.advance(20 * MINUTE, every=5 * MINUTE)
    (found,) = await broken(cliq)
    assert (found.cause, found.before_kind, found.after_kind) == (Cause.EDIT, "bound", "no_bound")
    assert (await answer(cliq)).kind == "no_bound"
    cliq.world.present_at_updater(KEY, GATEHOUSE)
    await cliq.advance(5 * MINUTE, every=MINUTE)
    assert await broken(cliq) == []
    (closed,) = await broken(cliq, also_closed=True)
    assert closed.closed_by == "proof"
    assert (await answer(cliq)).kind == "proven_end"


async def test_a_key_that_was_not_read_for_too_long_counts_as_unbounded_until_it_is(iloq: Stage) -> None:
    spine = iloq.spine
    permit = await at_work(spine)
    spine.world.cut_network(KEY)
    await stop(spine, permit)
    assert (await answer(spine)).kind == "bound"
    loop = next(each for each in spine.installation.loops if isinstance(each, UnreadLoop))
    await loop.step(spine.now + 23 * HOUR)
    assert await broken(spine) == []
    await loop.step(spine.now + 25 * HOUR)  # nothing else ran: the key system was not read
    (found,) = await broken(spine)
    assert (found.cause, found.before_kind) == (Cause.NOT_READ, "bound")
    assert (await answer(spine)).kind == "no_bound"
    await spine.advance(26 * HOUR, every=HOUR)
    assert await broken(spine) == []
    assert (await answer(spine)).kind == "bound", "it was read again; its time has run out meanwhile"


async def test_an_opening_after_the_published_bound_opens_it_again(iloq: Stage) -> None:
    spine = iloq.spine
    permit = await at_work(spine)
    spine.world.cut_network(KEY)
    await stop(spine, permit)
    bound = (await answer(spine)).at
    assert bound is not None
    await spine.advance_to(bound + HOUR, every=10 * MINUTE)
    assert not spine.try_open("K001", "C1"), "as published"
    spine.world.programmer_visit(twin_id("C1"))
    await spine.advance(5 * MINUTE, every=MINUTE)
    assert await broken(spine) == []
    spine.world.keys[
        KEY
    ].contact_at = spine.now  # the countdown began again by itself: an assumption is wrong
    opening = spine.world.present(KEY, twin_id("C1"))
    assert opening.ok
    spine.world.programmer_visit(twin_id("C1"))
    await spine.advance(5 * MINUTE, every=MINUTE)
    (found,) = await broken(spine)
    assert (found.cause, found.lock) == (Cause.OPENING, str(twin_id("C1")))
    assert (await answer(spine)).kind == "no_bound"
