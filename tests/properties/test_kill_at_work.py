"""S5: a kill on somebody at work waits until the shift leader was told, and not a second longer."""

from datetime import timedelta
from typing import Any

import pytest

from key2xs.core.crash import declared
from key2xs.core.errors import Conflict, NotAllowed
from key2xs.incidents.kill_types import By
from key2xs.incidents.notices import notices

from .bounds import opens
from .safety_shift import SOC, STAMPS, WAIT, Shift

MINUTE = timedelta(minutes=1)


async def test_a_kill_on_somebody_at_work_waits_two_minutes_and_not_a_second_longer(shift: Shift) -> None:
    spine = shift.spine
    await shift.act_kill_person(1, 0)
    await shift.go_on(WAIT - timedelta(seconds=1), timedelta(seconds=119))
    assert opens(spine, STAMPS["u2"], "C1")
    await shift.go_on(timedelta(seconds=1))
    rows = await spine.fetch("SELECT state, ended_at - asked_at AS took FROM incident_kill")
    assert [(row["state"], row["took"]) for row in rows] == [("done", WAIT)]
    await shift.go_on(MINUTE)
    assert not opens(spine, STAMPS["u2"], "C1")


async def test_a_kill_on_somebody_who_is_not_at_work_goes_at_once(shift: Shift) -> None:
    await shift.act_kill_person(2, 0)
    assert await shift.spine.fetch("SELECT id FROM incident_kill") == []


async def test_the_shift_leader_says_go_and_whoever_asked_does_not(shift: Shift) -> None:
    services, asker = shift.spine.services, By("user:x", shift.spine.persons["u3"])
    async with services.database.transaction() as tx:
        asked = await services.kills.ask(
            tx, f"person:{shift.spine.persons['u2']}", reason="test", by=asker, at=shift.spine.now
        )
    assert asked.waiting is not None
    kill = asked.waiting.id
    with pytest.raises(NotAllowed):
        async with services.database.transaction() as tx:
            await services.kills.proceed_now(tx, kill, by=asker, at=shift.spine.now, is_shift_leader=False)
    leader = By("user:leader", shift.spine.persons["u4"])
    async with services.database.transaction() as tx:
        await services.kills.proceed_now(tx, kill, by=leader, at=shift.spine.now, is_shift_leader=True)
    await shift.go_on(MINUTE)
    assert not opens(shift.spine, STAMPS["u2"], "C1")


async def test_only_whoever_asked_takes_a_kill_back_and_then_nothing_ends(shift: Shift) -> None:
    services, asker = shift.spine.services, By("user:x", shift.spine.persons["u3"])
    async with services.database.transaction() as tx:
        asked = await services.kills.ask(
            tx, f"person:{shift.spine.persons['u2']}", reason="test", by=asker, at=shift.spine.now
        )
    assert asked.waiting is not None
    with pytest.raises(NotAllowed):
        async with services.database.transaction() as tx:
            await services.kills.withdraw(tx, asked.waiting.id, by=SOC, at=shift.spine.now)
    async with services.database.transaction() as tx:
        await services.kills.withdraw(tx, asked.waiting.id, by=asker, at=shift.spine.now)
    await shift.go_on(WAIT + MINUTE, MINUTE)
    assert opens(shift.spine, STAMPS["u2"], "C1")


async def test_a_kill_proceeds_though_the_product_died_over_it(shift: Shift) -> None:
    await shift.act_kill_person(1, 0)
    with declared()["incidents.kill.after_carry_out"].armed():
        await shift.go_on(WAIT + MINUTE, MINUTE)
    assert shift.stage.crashes == ["incidents.kill.after_carry_out"]
    await shift.go_on(MINUTE)
    assert not opens(shift.spine, STAMPS["u2"], "C1")


async def test_the_shift_leader_is_told_at_once_that_somebody_at_work_lost_their_identity(
    shift: Shift,
) -> None:
    spine = shift.spine

    async def told() -> list[str]:
        async with spine.services.database.read() as tx:
            return [each.subject for each in await notices(tx, spine.now)]

    await shift.act_disable(2, 0)  # u3 is not at work
    await shift.go_on(MINUTE)
    assert await told() == []
    await shift.act_disable(0, 0)
    await shift.go_on(timedelta(seconds=1))
    assert await told() == [f"person:{spine.persons['u1']}"]
    entries = await spine.fetch("SELECT subjects FROM log_body WHERE kind = 'incidents:kill:notice'")
    assert [row["subjects"] for row in entries] == [[f"person:{spine.persons['u1']}"]]
    await shift.go_on(MINUTE)
    assert not opens(spine, STAMPS["u1"], "C1"), "told, not held"
    await shift.act_sign_off(0, 0)
    await shift.go_on(MINUTE)
    assert await told() == []


async def test_a_stop_asked_for_again_says_what_is_still_to_come_and_no_time_that_is_past(
    shift: Shift,
) -> None:
    await shift.act_kill_key(0, 0)
    with pytest.raises(Conflict, match="it proceeds at "):
        await shift.act_kill_key(0, 0)
    await shift.go_on(WAIT + MINUTE, MINUTE)
    with pytest.raises(Conflict, match="what a safety rule holds, and the key is blocked when that is over"):
        await shift.act_kill_key(0, 0)


async def test_somebody_at_work_is_not_ended_before_the_shift_leader_was_told(shift: Shift) -> None:
    spine, services = shift.spine, shift.spine.services

    async def end(ref: str, ending: Any, **more: Any) -> Any:
        async with services.database.transaction() as tx:
            return await services.kills.end_person(
                tx, spine.persons[ref], ending, reason="test", by=SOC, at=spine.now, **more
            )

    assert await end("u3", "person") is None, "not at work: at once"
    assert await end("u2", "contract", contract_ends_at=spine.now + timedelta(days=1)) is None, "planned"
    waiting = await end("u2", "contract", contract_ends_at=spine.now)
    assert waiting.proceeds_at == spine.now + WAIT
    with pytest.raises(Conflict, match="a stop of this person was asked for already"):
        await end("u2", "person")
    await shift.go_on(WAIT - timedelta(seconds=1), timedelta(seconds=119))
    assert opens(spine, STAMPS["u2"], "C1")
    await shift.go_on(2 * MINUTE, MINUTE)
    assert not opens(spine, STAMPS["u2"], "C1")
    assert await end("u1", "person") is not None
    await shift.go_on(WAIT + MINUTE, MINUTE)
    assert not opens(spine, STAMPS["u1"], "C1")
    assert opens(spine, STAMPS["u1"], "C6"), "S3 holds it as for every other ending"
    async with services.database.read() as tx:
        assert await notices(tx, spine.now) == [], "told before, so not told again as a surprise"
    with pytest.raises(Conflict, match="ended already"):
        await end("u1", "person")
