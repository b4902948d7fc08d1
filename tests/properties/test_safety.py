"""P8: the safety rules S1 to S6 over histories that try to break them; S1, and the twin: nothing is held for no reason."""

from datetime import timedelta

import pytest
from hypothesis import Phase, given, settings, strategies as st

from key2xs.core.errors import Conflict
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage, run

from .bounds import opens
from .safety_shift import SOC, STAMPS, WAIT, Act, Shift

MINUTE = timedelta(minutes=1)
NAMES = (
    "kill_person", "kill_person", "kill_key", "kill_grant", "take_back", "hand_out", "disable", "enable", "duty",
    "off_duty", "lock", "suspend", "close", "area_stop", "sign_off", "scope", "revalidate", "release", "wait", "wait",
)  # fmt: skip
numbers = st.integers(0, 7)


async def _play(databases: DatabaseServer, acts: list[Act]) -> None:
    async with open_stage(databases, START) as stage:
        shift = Shift(stage)
        await shift.begin()
        await shift.play(acts)
        # Whatever was asked for is done in the end.
        await shift.go_on(WAIT + MINUTE, timedelta(seconds=60))


@settings(max_examples=3 * settings().max_examples // 25, phases=(Phase.explicit, Phase.generate))
@given(acts=st.lists(st.tuples(st.sampled_from(NAMES), numbers, numbers), min_size=6, max_size=14))
def test_no_history_breaks_a_safety_rule(databases: DatabaseServer, acts: list[Act]) -> None:
    run(_play(databases, acts))


async def test_the_emergency_key_is_in_no_mass_action_and_on_no_block_list(shift: Shift) -> None:
    assert opens(shift.spine, STAMPS["u4"], "C5")
    with pytest.raises(Conflict, match="S1"):
        await shift.act_kill_key(3, 0)
    people = list(shift.spine.persons.values())
    async with shift.spine.services.database.transaction() as tx:
        await shift.spine.services.kills.ask(
            tx,
            f"company:{people[0]}",
            reason="breach",
            by=SOC,
            at=shift.spine.now,
            people=people,
            two_people=True,
        )
    await shift.go_on(WAIT + 2 * MINUTE)
    assert opens(shift.spine, STAMPS["u4"], "C5")
    assert not opens(shift.spine, STAMPS["u2"], "C1"), "everybody else's access ended"


async def test_where_no_rule_asks_for_it_nothing_is_held_and_nothing_is_asked(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    permit = await spine.live_permit("C1", "C6", crew=("u1",), hours=2)
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C6")
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await spine.send()
    await spine.advance(2 * MINUTE)
    assert not opens(spine, "K001", "C6")
    assert await spine.states() == ["ended"]
    assert await spine.fetch("SELECT id FROM incident_inside") == []
