"""A SCIM body that speaks of the future is taken for what it says: nothing is given before its time."""

from datetime import timedelta
from pathlib import Path

from key2xs.core.postgres import RoleDsns
from tests.conftest import START
from tests.support.spine import open_spine


async def test_a_contract_that_begins_tomorrow_gives_nothing_today(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        tomorrow = (START + timedelta(days=1)).date()
        await spine.person("u1", contract_start=tomorrow)
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", crew=("u1",), hours=30)
        await spine.advance(timedelta(minutes=2))
        assert "active" not in await spine.states()
        assert not spine.try_open("K001", "C1")
        codes = [
            reason["code"]
            for row in await spine.fetch("SELECT reasons FROM grant_refusal")
            for reason in row["reasons"]
        ]
        assert "contract_not_in_force" in codes
