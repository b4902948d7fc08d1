"""The one line through the whole product: from a contractor in the IAM to the bound after a suspension."""

from datetime import timedelta
from pathlib import Path

from key2xs_twin.clients.permits import Member

from key2xs.core.postgres import RoleDsns
from tests.conftest import START
from tests.support.spine import open_spine
from tests.support.tiny import AREA, UNIT, asset_of


async def test_a_key_follows_identity_permit_and_policy(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        await spine.settle()
        permit = spine.ptw.create(
            type_="cold_work",
            area=AREA,
            unit=UNIT,
            assets=[asset_of("C1")],
            valid_from=START,
            valid_to=START + timedelta(hours=8),
            at=spine.now,
            people=[Member(ref="u1", role="performing_authority", company="v017")],
        )
        spine.ptw.approve(permit.id, by="u00411", at=spine.now, role="issuing_authority")
        spine.ptw.go_live(permit.id, by="u00411", at=spine.now)
        spine.ptw.sign_on(permit.id, "u1", at=spine.now)
        print(await spine.send())
        await spine.settle()
        print([dict(r) for r in await spine.fetch("SELECT state, during, reasons, basis_ref FROM grant_lease")])
        print([dict(r) for r in await spine.fetch("SELECT * FROM grant_refusal")])
        print([dict(r) for r in await spine.fetch("SELECT subject, failures, problem FROM grant_mark")])
        await spine.advance(timedelta(minutes=2))
        print([dict(r) for r in await spine.fetch("SELECT * FROM key_target")])
        print([dict(r) for r in await spine.fetch("SELECT * FROM key_program")])
        assert spine.try_open("K001", "C1")
        assert not spine.try_open("K001", "C2")
        print(await spine.who_can_open("C1"))
