"""Facts that are wrong, strange or contradict each other: a precise error or a held state; the rest goes on."""

import asyncio
from datetime import timedelta
from typing import Any

from key2xs.core.errors import Conflict
from key2xs.core.ids import UserId, new_id
from key2xs.grants.bundles import activate_bundle, propose_bundle
from key2xs.policy.bundle import shipped_policies, shipped_site_data
from key2xs.work.facts import permit_facts
from key2xs_twin.clients.permits import Member
from tests.properties.bounds import opens
from tests.support.spine import Spine
from tests.support.stage import Stage
from tests.support.tiny import AREA, UNIT, asset_of, twin_id

MINUTE = timedelta(minutes=1)
ERRS = """
@id("site.overflow")
@reason("Errs whenever it is asked about a permit.")
forbid (principal, action, resource) when { resource.criticality * 9223372036854775807 < 0 };
"""


async def _issue(spine: Spine, assets: list[str], refs: list[str], hours: float = 8) -> Any:
    permit = spine.ptw.create(
        type_="cold_work", area=AREA, unit=UNIT, assets=assets, valid_from=spine.now,
        valid_to=spine.now + timedelta(hours=hours), at=spine.now,
        people=[Member(ref=ref, role="performing_authority", company="v017") for ref in refs],
    )  # fmt: skip
    spine.ptw.approve(permit.id, by="u00411", at=spine.now, role="issuing_authority")
    spine.ptw.go_live(permit.id, by="u00411", at=spine.now)
    for ref in refs:
        spine.ptw.sign_on(permit.id, ref, at=spine.now)
    assert set(await spine.send()) <= {202, 204}
    await spine.settle()
    return permit


async def test_a_site_policy_that_errs_takes_away_and_gives_nothing(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.live_permit("C1", crew=("u1",))
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C1")
    one, two = UserId(new_id()), UserId(new_id())
    async with spine.services.database.transaction() as tx:
        bundle = await propose_bundle(
            tx, spine.services.ledger, version="2", policies=shipped_policies() + ERRS,
            site_data=shipped_site_data(), by=one, at=spine.now, comment="wrong",
        )  # fmt: skip
    async with spine.services.database.transaction() as tx:
        await activate_bundle(tx, spine.services.ledger, bundle, by=two, at=spine.now)
    await spine.settle()
    await spine.advance(MINUTE)
    assert await spine.states() == ["ended"]
    assert not opens(spine, "K001", "C1")
    ended = await spine.fetch("SELECT end_reason FROM grant_lease")
    assert ended[0]["end_reason"] == "denied"
    # Others ask and are refused with the reason; nothing stops.
    await spine.hand_out("K002", "u2")
    await spine.live_permit("C2", crew=("u2",))
    refusals = await spine.fetch("SELECT reasons FROM grant_refusal")
    assert refusals
    assert {reason["policy"] for row in refusals for reason in row["reasons"]} == {"site.overflow"}
    assert await spine.fetch("SELECT 1 FROM grant_mark") == []


async def test_overlapping_windows_of_two_permits_end_each_on_its_own(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await _issue(spine, [asset_of("C1"), asset_of("C2")], ["u1"], hours=1)
    await spine.advance(MINUTE)
    await _issue(spine, [asset_of("C1")], ["u1"], hours=3)
    await spine.advance(timedelta(minutes=70), every=timedelta(minutes=2))
    assert sorted(await spine.states()) == ["active", "ended"]
    assert opens(spine, "K001", "C1"), "the key is renewed as the shorter permit ends"
    assert not opens(spine, "K001", "C2")


async def test_an_unknown_asset_is_left_out_and_named_and_the_rest_is_given(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await _issue(spine, [asset_of("C1"), "NOBODY-KNOWS-THIS"], ["u1"])
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C1")
    permit = (await spine.fetch("SELECT id FROM work_permit"))[0]["id"]
    async with spine.services.database.read() as tx:
        facts = await permit_facts(tx, permit, spine.now)
    assert [gap.code for gap in facts.unmapped] == ["NOBODY-KNOWS-THIS"]


async def test_a_permit_with_only_unknown_assets_gives_nothing(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await _issue(spine, ["NOBODY-KNOWS-THIS"], ["u1"])
    await spine.advance(MINUTE)
    assert await spine.states() == []
    assert await spine.fetch("SELECT 1 FROM grant_mark") == []


async def test_people_whom_the_iam_does_not_know_get_nothing_and_the_others_work(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    permit = await _issue(spine, [asset_of("C1")], ["u1", "stranger"])
    await spine.advance(MINUTE)
    assert await spine.states() == ["active"]
    assert opens(spine, "K001", "C1")
    rows = await spine.fetch("SELECT id FROM work_permit WHERE external_id = $1", permit.id)
    async with spine.services.database.read() as tx:
        facts = await permit_facts(tx, rows[0]["id"], spine.now)
    assert sum(member.person_id is None for member in facts.crew) == 1


async def test_of_two_desks_that_hand_out_one_key_one_is_told_why_not(stage: Stage) -> None:
    spine = stage.spine
    results = await asyncio.gather(
        spine.hand_out("K001", "u1"), spine.hand_out("K001", "u2"), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(refused) == 1
    assert isinstance(refused[0], Conflict)
    assert len(await spine.fetch("SELECT 1 FROM key_custody WHERE upper_inf(known)")) == 1


async def test_of_two_people_who_end_one_grant_both_have_their_way(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.live_permit("C1", crew=("u1",))
    services, person = spine.services, spine.persons["u1"]

    async def end() -> None:
        async with services.database.transaction() as tx:
            affected = await services.mass.look(tx, [person])
            await asyncio.sleep(0)
            await services.mass.end_all(
                tx, affected, subject=f"person:{person}", reason="test", actor="user:soc", at=spine.now
            )

    await asyncio.gather(end(), end(), end())
    await spine.advance(MINUTE)
    assert await spine.states() == ["ended"]
    assert not opens(spine, "K001", "C1")


async def test_two_approvals_at_once_count_once_each(stage: Stage) -> None:
    spine = stage.spine
    services, at = spine.services, spine.now
    async with services.database.transaction() as tx:
        request = await services.requests.ask(
            tx, kind="emergency", person_id=spine.persons["u1"], requester_id=spine.persons["u2"],
            cylinders=[await spine.cylinder("C1")], access_points=1, starts_at=at,
            ends_at=at + timedelta(minutes=30), reason="leak", actor="user:desk", at=at,
        )  # fmt: skip

    async def approve(ref: str) -> None:
        async with services.database.transaction() as tx:
            await services.requests.decide(
                tx, request, approver_id=spine.persons[ref], approve=True, reason="", actor="user:x", at=at
            )

    results = await asyncio.gather(approve("u3"), approve("u3"), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [Conflict]
    await spine.settle()
    assert await spine.states() == [], "one person is not two"
    await approve("u4")
    await spine.settle()
    assert await spine.states() == ["active"]


async def test_a_kill_while_the_key_is_being_read_stops_the_wide_write(stage: Stage) -> None:
    """What was planned is planned again before it is written: the reading took its time."""
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.settle()
    permit = spine.ptw.create(
        type_="cold_work", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=spine.now,
        valid_to=spine.now + timedelta(hours=2), at=spine.now,
        people=[Member(ref="u1", role="performing_authority", company="v017")],
    )  # fmt: skip
    spine.ptw.approve(permit.id, by="u00411", at=spine.now)
    spine.ptw.go_live(permit.id, by="u00411", at=spine.now)
    spine.ptw.sign_on(permit.id, "u1", at=spine.now)
    await spine.send()
    reconciler = next(loop for loop in spine.installation.loops if loop.name.startswith("reconciler"))
    others = [loop for loop in spine.installation.loops if loop is not reconciler]
    for _ in range(12):
        for loop in others:
            await loop.step(spine.now)
    assert await spine.states() == ["active"]
    work = asyncio.ensure_future(reconciler.step(spine.now))
    services, person = spine.services, spine.persons["u1"]
    calls = sum(spine.world.iloq.calls.values())
    # Until the first call of the vendor is under way; every turn of the loop lets the worker go on a little.
    while sum(spine.world.iloq.calls.values()) == calls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    async with services.database.transaction() as tx:
        affected = await services.mass.look(tx, [person])
        await services.mass.end_all(
            tx, affected, subject=f"person:{person}", reason="test", actor="user:soc", at=spine.now
        )
    await work
    assert not spine.world.iloq.state.keys[twin_id("key 1")].plan.right_ids
    assert await spine.fetch("SELECT 1 FROM key_program WHERE cardinality(grants) > 0") == []
