"""Seeded histories of both makers: what is intact opens nothing again, and each assumption that breaks is noticed.

Keys lose and find their network, are updated with clocks that drift within the margin, are tried at locks; carriers visit. After
that one thing goes wrong that the product can notice, and exactly that is found.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeAlias

import pytest

from key2xs.keys.drift.watch import HOLDER_FOLLOWS
from key2xs.keys.exposure_types import DEFAULT_SETTINGS
from key2xs.keys.reopening.loops import UnreadLoop
from key2xs.keys.reopening.rules import Cause
from key2xs_twin.cliq.out_of_band import CliqOutOfBand
from tests.conftest import START
from tests.keys.reopening.test_against_twin import HOUR, KEY, MINUTE, answer, at_work, broken, stop, update
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import TinySite, tiny_site, twin_id
from tests.support.tiny_cliq import CARRIERS, GATEHOUSE, tiny_cliq_site

Act: TypeAlias = Callable[[Spine, random.Random], object]
Break: TypeAlias = Callable[[Spine], Awaitable[None]]
INTACT_ACTS: Final = 5
MARGIN: Final = DEFAULT_SETTINGS.margin(timedelta())


def drifts_within(spine: Spine, chance: random.Random) -> None:
    update(spine, off=chance.uniform(-0.9, 0.9) * MARGIN)


def carrier_visits(spine: Spine, chance: random.Random) -> None:
    spine.world.cliq_field.insert(CARRIERS[0], twin_id(chance.choice(("C1", "C3"))))
    spine.world.cliq_field.give_back(CARRIERS[0], GATEHOUSE)


def tries(spine: Spine, chance: random.Random) -> None:
    spine.try_open("K001", chance.choice(("C1", "C2")))


CLIQ_ACTS: Final[Sequence[Act]] = (
    tries,
    carrier_visits,
    drifts_within,
    lambda spine, _: spine.world.present_at_updater(KEY, GATEHOUSE),
)
ILOQ_ACTS: Final[Sequence[Act]] = (
    tries,
    lambda spine, chance: spine.world.programmer_visit(twin_id(chance.choice(("C1", "C2")))),
    lambda spine, _: spine.world.cut_network(KEY),
    lambda spine, _: spine.world.restore_network(KEY),
)
OUT_OF_REACH: Final[Sequence[Act]] = ILOQ_ACTS[:3]
"""The phone stays without network, so that nothing reaches it and its bound stands."""


async def cliq_clock(spine: Spine) -> None:
    update(spine, off=MARGIN + HOUR)


async def cliq_plan(spine: Spine) -> None:
    plan = CliqOutOfBand(spine.world.cliq)
    plan.change_plan(KEY, [twin_id("C2")], ends_at=spine.now + 30 * HOUR, revalidation_minutes=480)


async def shift_passes(spine: Spine) -> None:
    """By then the desk's own hand-over has been booked at the maker."""
    await spine.advance(HOLDER_FOLLOWS + HOUR, every=(HOLDER_FOLLOWS + HOUR) / 3)


async def cliq_holder(spine: Spine) -> None:
    await shift_passes(spine)
    CliqOutOfBand(spine.world.cliq).hand_to(KEY, "somebody else")


async def iloq_holder(spine: Spine) -> None:
    await shift_passes(spine)
    spine.world.out_of_band.hand_to(KEY, twin_id("vendor person 3"))


async def iloq_opening(spine: Spine) -> None:
    bound = (await answer(spine)).at
    assert bound is not None
    await spine.advance_to(max(bound, spine.now) + HOUR, every=20 * MINUTE)
    assert await broken(spine, also_closed=True) == [], "as published"
    spine.world.keys[KEY].contact_at = spine.now  # the countdown began again by itself
    assert spine.world.present(KEY, twin_id("C1")).ok
    spine.world.programmer_visit(twin_id("C1"))


async def iloq_unread(spine: Spine) -> None:
    loop = next(each for each in spine.installation.loops if isinstance(each, UnreadLoop))
    await loop.step(spine.now + 25 * HOUR)


HISTORIES: Final[Mapping[str, tuple[Callable[[], TinySite], Sequence[Act], Break, Cause]]] = {
    "cliq clock": (tiny_cliq_site, CLIQ_ACTS, cliq_clock, Cause.CLOCK),
    "cliq plan": (tiny_cliq_site, CLIQ_ACTS, cliq_plan, Cause.EDIT),
    "cliq holder": (tiny_cliq_site, CLIQ_ACTS[:1], cliq_holder, Cause.EDIT),
    "iloq holder": (tiny_site, OUT_OF_REACH, iloq_holder, Cause.EDIT),
    "iloq opening": (tiny_site, OUT_OF_REACH, iloq_opening, Cause.OPENING),
    "iloq unread": (tiny_site, OUT_OF_REACH, iloq_unread, Cause.NOT_READ),
    "iloq intact": (tiny_site, ILOQ_ACTS, iloq_unread, Cause.NOT_READ),
}


async def history(databases: DatabaseServer, name: str, seed: int) -> None:
    site, acts, goes_wrong, cause = HISTORIES[name]
    chance = random.Random(f"{name} {seed}")
    async with open_stage(databases, START, site=site) as stage:
        spine = stage.spine
        permit = await at_work(spine)
        if acts is OUT_OF_REACH:
            spine.world.cut_network(KEY)
        before_the_end = chance.randrange(INTACT_ACTS)
        for number in range(INTACT_ACTS):
            if number == before_the_end:
                await stop(spine, permit)
            chance.choice(acts)(spine, chance)
            await spine.advance(chance.choice((10, 30)) * MINUTE, every=10 * MINUTE)
            assert await broken(spine, also_closed=True) == [], "nothing was wrong yet"
        was = (await answer(spine)).kind
        await goes_wrong(spine)
        if cause is not Cause.NOT_READ:
            await spine.advance(20 * MINUTE, every=5 * MINUTE)
        found = [each.cause for each in await broken(spine, also_closed=True)]
        if cause is Cause.NOT_READ and was != "bound":
            assert found == [], "what has ended for good needs no reading"
            return
        assert found == [cause]
        if was == "bound":
            assert (await answer(spine)).kind == "no_bound"


@pytest.mark.parametrize("name", ["cliq clock", "iloq holder", "iloq intact"])
async def test_what_breaks_is_noticed_and_what_is_intact_opens_nothing_again(
    databases: DatabaseServer, name: str
) -> None:
    await history(databases, name, 0)


async def test_a_key_taken_off_the_block_list_elsewhere_opens_what_the_list_had_ended(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await at_work(spine)
        spine.world.cut_network(KEY)
        async with spine.services.database.transaction() as tx:
            key = await spine.services.registry.get_key(tx, "K001")
            await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
        await spine.advance(2 * MINUTE, every=MINUTE)
        spine.world.programmer_visit(twin_id("C1"))
        await spine.advance(10 * MINUTE, every=5 * MINUTE)
        assert spine.world.iloq.state.blocks.is_blocked(KEY)
        assert await broken(spine, also_closed=True) == []
        spine.world.out_of_band.unblock(KEY)
        await spine.advance(20 * MINUTE, every=5 * MINUTE)
        assert [each.cause for each in await broken(spine)] == [Cause.UNBLOCKED]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 13))
@pytest.mark.parametrize("name", sorted(HISTORIES))
async def test_many_histories(databases: DatabaseServer, name: str, seed: int) -> None:
    await history(databases, name, seed)
