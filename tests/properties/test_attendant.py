"""S6: whoever is watched over: check-ins that are missed, attendants who leave."""

from datetime import timedelta
from typing import Any

import pytest

from key2xs_twin.clients.permits import Member
from tests.support.stage import Stage
from tests.support.tiny import AREA, UNIT, asset_of

from .bounds import opens
from .safety_shift import STAMPS, Shift

MINUTE = timedelta(minutes=1)


async def test_a_missed_check_in_alarms_once_and_takes_nothing_away(shift: Shift) -> None:
    spine = shift.spine
    services = spine.services
    async with services.database.transaction() as tx:
        watch = await services.watches.start(
            tx, spine.persons["u1"], every_minutes=15, place="AP-C1", actor="user:leader", at=spine.now
        )
    before = await spine.states()
    await shift.go_on(timedelta(minutes=20), timedelta(minutes=4))
    told = await spine.fetch("SELECT actor FROM log_body WHERE kind = 'incidents:checkin:miss'")
    assert len(told) == 1
    assert await spine.states() == before
    assert opens(spine, STAMPS["u1"], "C1")
    async with services.database.transaction() as tx:
        seen = await services.watches.seen(tx, watch.id, actor="user:leader", at=spine.now)
    assert seen.missed_at is None
    assert seen.due_at == spine.now + timedelta(minutes=15)


@pytest.mark.parametrize("how", ["signs off", "is disabled", "was never there"])
async def test_losing_the_attendant_suspends_the_confined_space(stage: Stage, how: str) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    permit = await _confined(spine, attended=how != "was never there")
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C1") is (how != "was never there")
    if how == "signs off":
        spine.ptw.sign_off(permit, "u2", at=spine.now)
    elif how == "is disabled":
        await spine.scim.disable(spine.scim_ids["u2"])
    await spine.send()
    await spine.advance(2 * MINUTE)
    assert not opens(spine, "K001", "C1")
    if how != "signs off":  # the permit system says that one itself
        rows = await spine.fetch("SELECT reasons FROM grant_refusal")
        told = [*(row["reasons"][0]["text"] for row in rows), *await _ends(spine)]
        assert any("nobody attends" in text for text in told), told


async def test_an_attended_confined_space_opens_and_an_attendant_who_returns_gives_nothing_back(
    stage: Stage,
) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await _confined(spine, attended=True)
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C1")
    await spine.scim.disable(spine.scim_ids["u2"])
    await spine.advance(2 * MINUTE)
    await spine.scim.enable(spine.scim_ids["u2"])
    await spine.advance(2 * MINUTE)
    assert not opens(spine, "K001", "C1"), "P7: somebody has to sign again"


async def _confined(spine: Any, *, attended: bool) -> str:
    at, ptw = spine.now, spine.ptw
    crew = [Member(ref="u1", role="performing_authority", company="v017")]
    crew += [Member(ref="u2", role="confined_space_attendant", company="v017")] if attended else []
    permit = ptw.create(
        type_="confined_space", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=at,
        valid_to=at + timedelta(hours=2), at=at, people=crew,
    )  # fmt: skip
    ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
    ptw.isolate(permit.id, certificate="IC-1", points=["V-1"], at=at)
    ptw.prove_isolation(permit.id, by="u00413", at=at)
    ptw.gas_test(permit.id, safe=True, by="u00412", at=at)
    ptw.go_live(permit.id, by="u00411", at=at)
    for member in crew:
        ptw.sign_on(permit.id, member.ref, at=at)
    await spine.send()
    await spine.settle()
    return str(permit.id)


async def _ends(spine: Any) -> list[str]:
    rows = await spine.fetch("SELECT body FROM log_body WHERE kind = 'grants:lease:end'")
    return [str(row["body"]["text"]) for row in rows]
