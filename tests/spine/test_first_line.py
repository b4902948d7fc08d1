"""The one line through the whole product: from a contractor in the IAM to the bound after a suspension."""

from datetime import timedelta
from pathlib import Path

from key2xs.core.postgres import RoleDsns
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import twin_id


async def test_a_key_follows_identity_permit_and_policy(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))

        assert spine.try_open("K001", "C1")
        assert not spine.try_open("K001", "C2")
        answer = (await spine.who_can_open("C1"))["K001"]
        assert answer.person_id == spine.persons["u1"]
        assert answer.allowed_until == permit.valid_to
        assert answer.kind == "still_allowed"

        await spine.advance(timedelta(minutes=2))
        assert await spine.classes() == {"expected": 1, "refused": 1}

        spine.ptw.suspend(permit.id, code="shift_end", at=spine.now)
        assert await spine.send() == [202]
        await spine.settle()
        assert await spine.states() == ["ended"]
        await spine.advance(timedelta(minutes=1))
        assert not spine.try_open("K001", "C1")
        assert await spine.who_can_open("C1") == {}


async def test_an_unreachable_phone_gets_an_honest_bound(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", "C4", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        spine.world.cut_network(twin_id("key 1"))
        spine.ptw.suspend(permit.id, code="shift_end", at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=1))

        bound = (await spine.who_can_open("C1"))["K001"]
        assert bound.kind == "bound"
        truth = spine.world.oracle.latest_opening(twin_id("key 1"), twin_id("C1"), spine.now)
        assert truth is not None
        assert bound.exposed_until is not None
        assert truth <= bound.exposed_until <= spine.now + timedelta(hours=3)
        assert spine.try_open("K001", "C1")
        await spine.advance_to(bound.exposed_until + timedelta(seconds=1), every=timedelta(minutes=5))
        assert not spine.try_open("K001", "C1")
        assert await spine.who_can_open("C1") == {}


async def test_a_contract_that_ends_takes_the_key_with_it(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        # START is 18:00 at the site: a contract that ends today ends at midnight, six hours on.
        await spine.person("u1", contract_end=START.date())
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        answer = (await spine.who_can_open("C1"))["K001"]
        assert answer.allowed_until == START + timedelta(hours=6)
        assert spine.try_open("K001", "C1")
        await spine.advance_to(START + timedelta(hours=6, minutes=1), every=timedelta(minutes=10))
        assert await spine.states() == ["ended"]
        assert not spine.try_open("K001", "C1")


async def test_nothing_comes_back_by_itself(db_dsns: RoleDsns, tmp_path: Path) -> None:
    """P7: re-enabling a person gives no key back; a new sign-on does."""
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        await spine.scim.disable(spine.scim_ids["u1"])
        await spine.advance(timedelta(minutes=1))
        assert await spine.states() == ["ended"]
        assert not spine.try_open("K001", "C1")
        await spine.scim.enable(spine.scim_ids["u1"])
        await spine.advance(timedelta(minutes=7))
        assert await spine.states() == ["ended"]
        await _sign_on_again(spine, permit.id)
        assert sorted(await spine.states()) == ["active", "ended"]
        assert spine.try_open("K001", "C1")


async def test_a_person_without_identity_gets_no_key(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.live_permit("C1", crew=("u1",))
        assert await spine.states() == []
        # The identity arrives later: the crew member is resolved and gets the lease then.
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        await spine.advance(timedelta(minutes=1))
        assert await spine.states() == ["active"]
        assert spine.try_open("K001", "C1")


async def _sign_on_again(spine: Spine, permit_id: str) -> None:
    spine.ptw.sign_off(permit_id, "u1", at=spine.now)
    spine.ptw.sign_on(permit_id, "u1", at=spine.now)
    await spine.send()
    await spine.advance(timedelta(minutes=1))


async def test_a_clock_locks_nobody_in(db_dsns: RoleDsns, tmp_path: Path) -> None:
    """S3: a lock-box key lives on past its window while a personal lock is on the box, and ends when it is off."""
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", "C6", crew=("u1",), hours=1)
        spine.ptw.lock_on(permit.id, "C6", "u1", at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=61), every=timedelta(minutes=2))
        assert await spine.states() == ["held"]
        assert spine.try_open("K001", "C6")
        assert not spine.try_open("K001", "C1")
        await spine.advance(timedelta(minutes=70), every=timedelta(minutes=5))
        assert await spine.states() == ["held"]
        assert spine.try_open("K001", "C6")
        spine.ptw.lock_off(permit.id, "C6", "u1", at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=2))
        assert await spine.states() == ["ended"]
        assert not spine.try_open("K001", "C6")
