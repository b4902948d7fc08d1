from datetime import timedelta
from tests.properties.test_edges import *
async def test_hot(stage):
    spine=stage.spine
    await spine.hand_out("K001", "u1")
    permit = spine.ptw.create(
        type_="hot_work", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=spine.now,
        valid_to=spine.now + timedelta(hours=8), at=spine.now,
        people=[Member(ref="u1", role="performing_authority", company="v017")],
    )
    spine.ptw.approve(permit.id, by="u00411", at=spine.now)
    spine.ptw.gas_test(permit.id, safe=True, by="u00412", at=spine.now)
    spine.ptw.go_live(permit.id, by="u00411", at=spine.now)
    spine.ptw.sign_on(permit.id, "u1", at=spine.now)
    print(await spine.send()); await spine.settle()
    print(await spine.fetch("select reasons from grant_refusal"))
    print(await spine.fetch("select state,cause from work_permit_state where upper_inf(known)"))
async def test_fail(stage):
    spine = stage.spine
    permit = await at_work(stage)
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    spine.world.cut_network(twin_id("key 1"))
    await spine.send()
    await spine.settle()
    spine.world.out_of_band.fail_programming(twin_id("key 1"))
    await spine.advance(timedelta(minutes=3))
    print(await spine.fetch("SELECT problem, accepted_at, reading->>'state' s, desired FROM key_target"))
    print(await spine.fetch("SELECT * FROM key_work"))
    print(await spine.fetch("SELECT operation,started_at,outcome FROM key_call order by id"))
