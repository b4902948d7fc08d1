"""A vendor that is down, slow, answers wrongly or loses an answer: held with a reason, the rest goes on, nothing widens."""

from datetime import timedelta

import pytest

from key2xs.keys.reads import edited_elsewhere
from key2xs_twin.faults import Fault
from tests.properties.bounds import Bounds, opens
from tests.support.spine import Spine
from tests.support.stage import Stage
from tests.support.tiny import twin_id

KEY = twin_id("key 1")
PUT, ORDER, ALL = "PUT Keys/*/SecurityAccesses", "POST Keys/*/Order", "* **"
TROUBLE = [
    (ALL, "down"),
    (ALL, "slow:200"),
    (ALL, "status:500"),
    (ALL, "status:429"),
    (ALL, "garbage"),
    (ALL, "unauthorised"),
    (PUT, "lose_response_after_commit"),
    (PUT, "lose_request"),
    (PUT, "garbage"),
    (ORDER, "lose_response_after_commit"),
    (ORDER, "lose_request"),
    (ORDER, "status:500"),
]
SHORT, LONG = timedelta(minutes=2), timedelta(minutes=10)
STEP = timedelta(seconds=60)


async def _go_on(spine: Spine, by: timedelta, bounds: Bounds | None = None) -> None:
    end = spine.now + by
    while spine.now < end:
        await spine.advance(STEP, every=STEP)
        if bounds is not None:
            assert await bounds.check(spine) == []


@pytest.mark.parametrize(("operation", "effect"), TROUBLE)
async def test_a_grant_arrives_and_a_revocation_is_pursued_through_any_trouble(
    stage: Stage, operation: str, effect: str
) -> None:
    spine, bounds = stage.spine, Bounds()
    await spine.hand_out("K001", "u1")
    faults = spine.world.faults
    until = spine.now + timedelta(minutes=3)
    faults.add(Fault(operation=operation, effect=effect, until_at=until))
    permit = await spine.live_permit("C1", crew=("u1",))
    assert await spine.states() == ["active"], "a decision needs no vendor"
    await _go_on(spine, timedelta(minutes=3), bounds)
    await _go_on(spine, LONG, bounds)
    faults.assert_all_fired()
    assert opens(spine, "K001", "C1")

    faults.clear()
    faults.add(Fault(operation=operation, effect=effect, until_at=spine.now + timedelta(minutes=3)))
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await spine.send()
    await spine.settle()
    assert await spine.states() == ["ended"]
    wish = await spine.fetch("SELECT 1 FROM key_target WHERE generation > 1 AND grants = '{}'")
    assert wish, "what is wanted is on record, whatever the vendor does"
    await _go_on(spine, timedelta(minutes=3), bounds)
    await _go_on(spine, LONG, bounds)
    faults.assert_all_fired()
    assert not opens(spine, "K001", "C1")
    assert await spine.fetch("SELECT 1 FROM key_target WHERE problem IS NOT NULL") == []


@pytest.mark.parametrize("effect", ["down", "status:500", "garbage", "unauthorised", "slow:200"])
async def test_trouble_that_lasts_is_shown_with_its_reason_and_the_rest_goes_on(
    stage: Stage, effect: str
) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.settle()
    spine.world.faults.add(Fault(operation=ALL, effect=effect))
    await spine.live_permit("C1", crew=("u1",))
    await _go_on(spine, timedelta(minutes=5))
    rows = await spine.fetch("SELECT problem FROM key_target WHERE problem IS NOT NULL")
    assert rows
    assert rows[0]["problem"].strip()
    assert not opens(spine, "K001", "C1")
    # People still come and go: facts, decisions and the log need no vendor.
    await spine.scim.disable(spine.scim_ids["u1"])
    await spine.settle()
    assert await spine.states() == ["ended"]


async def test_a_vendor_that_asks_to_wait_is_not_asked_again_before(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.settle()
    spine.world.faults.add(
        Fault(
            operation="GET Keys/*",
            effect="status:429",
            retry_after=120,
            until_at=spine.now + timedelta(minutes=6),
        )
    )
    await spine.live_permit("C1", crew=("u1",))
    rule = spine.world.faults.rules[0]
    before = rule.fired
    await _go_on(spine, timedelta(seconds=60))
    assert rule.fired == before
    await _go_on(spine, timedelta(minutes=10))
    assert opens(spine, "K001", "C1")


async def test_a_lost_answer_to_a_write_is_read_again_soon_and_not_written_twice(stage: Stage) -> None:
    """P6: unknown is neither success nor failure; the key is read before anything else is done to it."""
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.settle()
    rule = spine.world.faults.add(Fault(operation=PUT, effect="lose_response_after_commit", nth=1))
    await spine.live_permit("C1", crew=("u1",))
    await _go_on(spine, SHORT)
    assert opens(spine, "K001", "C1")
    assert rule.seen == 1, "the plan was there already: only the order was missing"


async def test_two_administrators_on_one_key_are_told_apart(stage: Stage) -> None:
    """Somebody gives the key another lock in the vendor's own tool: it is found, noted, and taken back."""
    spine, bounds = stage.spine, Bounds()
    await spine.hand_out("K001", "u1")
    await spine.live_permit("C1", crew=("u1",))
    await _go_on(spine, SHORT, bounds)
    spine.world.out_of_band.change_rights(KEY, [twin_id("right C2"), twin_id("right C1")])
    spine.world.out_of_band.order(KEY)
    bounds.edited("K001", spine.now)
    await _go_on(spine, timedelta(minutes=18), bounds)
    found = await spine.fetch(
        "SELECT 1 FROM key_program WHERE origin = 'found' AND jsonb_array_length(program->'rights') = 2"
    )
    assert found, "a program that somebody else put there is on record as long as it may be in the key"
    assert opens(spine, "K001", "C1")
    assert not opens(spine, "K001", "C2")


async def test_an_edit_elsewhere_is_listed_until_it_is_proven_gone(stage: Stage) -> None:
    """The key takes the edit and is out of reach: it is shown as changed elsewhere until it comes back."""
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.live_permit("C1", crew=("u1",))
    await _go_on(spine, SHORT)
    assert await _edited(spine) == []
    spine.world.out_of_band.change_rights(KEY, [twin_id("right C2"), twin_id("right C1")])
    spine.world.out_of_band.order(KEY)
    await _go_on(spine, timedelta(minutes=1))
    assert opens(spine, "K001", "C2")
    spine.world.cut_network(KEY)
    await _go_on(spine, timedelta(minutes=18))
    assert await _edited(spine) == ["K001"]
    spine.world.restore_network(KEY)
    await _go_on(spine, timedelta(minutes=5))
    assert await _edited(spine) == []
    assert not opens(spine, "K001", "C2")


async def _edited(spine: Spine) -> list[str]:
    async with spine.services.database.read() as tx:
        return [each.stamp for each in await edited_elsewhere(tx)]
