"""S4: the last holder on shift keeps isolation and emergency cylinders until somebody else is there."""

from datetime import timedelta

import pytest

from tests.support.stage import Stage

from .bounds import opens
from .safety_shift import STAMPS, WAIT, Shift, hand_out_of_another_maker

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("act", ["disable", "off_duty", "kill_person", "kill_key"])
async def test_the_last_holder_on_shift_stays_until_somebody_else_is_there(shift: Shift, act: str) -> None:
    spine = shift.spine
    # The fire brigade's key would be another holder.
    await spine.scim.disable(spine.scim_ids["u4"])
    await shift.go_on(MINUTE)
    await getattr(shift, f"act_{act}")(0 if act == "off_duty" else 1, 0)
    await shift.go_on(WAIT + MINUTE, MINUTE)
    assert opens(spine, STAMPS["u2"], "C5")
    assert not opens(spine, STAMPS["u2"], "C1"), "only isolation and emergency cylinders are held"
    await shift.act_duty(1, 3)  # u3 comes on duty
    await shift.go_on(7 * MINUTE, MINUTE)
    assert opens(spine, STAMPS["u3"], "C5")
    assert not opens(spine, STAMPS["u2"], "C5")


async def test_with_another_holder_on_shift_nobody_is_held(shift: Shift) -> None:
    await shift.act_duty(1, 3)
    await shift.go_on(MINUTE)
    await shift.act_disable(1, 0)
    await shift.go_on(MINUTE)
    assert not opens(shift.spine, STAMPS["u2"], "C5")
    assert "held" not in await shift.spine.states()


async def test_somebody_with_another_makers_key_only_is_no_other_holder(shift: Shift) -> None:
    spine = shift.spine
    await spine.scim.disable(spine.scim_ids["u4"])
    await shift.act_take_back(2, 0)
    await hand_out_of_another_maker(shift, "u3")
    await shift.act_duty(1, 3)
    await shift.go_on(MINUTE)
    await shift.act_disable(1, 0)
    await shift.go_on(MINUTE)
    assert opens(spine, STAMPS["u2"], "C5")


async def test_the_planned_end_of_the_last_shift_is_never_held(stage: Stage) -> None:
    shift = Shift(stage)
    await stage.spine.hand_out("K002", "u2")
    await shift.duty("u2", "field_operator", 1)
    await stage.spine.settle()
    await stage.spine.advance(timedelta(minutes=62), every=timedelta(minutes=5))
    assert await stage.spine.states() == ["ended"]


async def test_two_last_holders_disabled_at_once_leave_one_of_them(shift: Shift) -> None:
    spine = shift.spine
    await spine.scim.disable(spine.scim_ids["u4"])
    await shift.act_duty(1, 3)
    await shift.go_on(MINUTE)
    await spine.scim.disable(spine.scim_ids["u2"])
    await spine.scim.disable(spine.scim_ids["u3"])
    await shift.go_on(MINUTE)
    assert [opens(spine, STAMPS[ref], "C5") for ref in ("u2", "u3")].count(True) == 1
