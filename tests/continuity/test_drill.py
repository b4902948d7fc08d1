"""The outage drill: a night without the permit system and then without the key system, held against the twin's oracle."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from key2xs.core.errors import InvalidInput
from key2xs.incidents.outage import Outage, read_outage
from key2xs.incidents.warnings import OpenWarning, open_warnings
from key2xs_twin.outages import OutageDrill, read_scenario
from tests.conftest import START
from tests.continuity.sheets import issue, sheet
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import UNIT, asset_of, twin_id

MINUTE = timedelta(minutes=1)
SCENARIOS = Path(__file__).parent / "scenarios"


async def test_a_night_without_permits_and_without_the_key_system(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        drill = OutageDrill(spine.world, read_scenario(SCENARIOS / "night.toml", START), spine.ptw.sender)
        await spine.hand_out("K001", "u1")
        await spine.hand_out("K002", "u2")
        await spine.live_permit("C1", crew=("u1",), hours=1.5)
        await _pass(spine, drill, START + 5 * MINUTE)
        assert spine.try_open("K001", "C1")

        # 1. The permit system falls silent: nothing new, nothing lost.
        await _pass(spine, drill, START + 15 * MINUTE)
        assert drill.is_down("eptw")
        late = spine.ptw.create(
            type_="cold_work", area="CDU", unit=UNIT, assets=[asset_of("C1")],
            valid_from=spine.now, valid_to=spine.now + timedelta(hours=8), at=spine.now,
        )  # fmt: skip
        await _pass(spine, drill, START + 17 * MINUTE)
        assert await spine.fetch("SELECT 1 FROM work_permit WHERE external_id = $1", late.id) == []
        assert await spine.states() == ["active"]
        assert (await _outage(spine)).down[0].name == "permits:eptw"

        # 2. Two people write a permit on paper; it opens the lock.
        await issue(spine, await sheet(spine, "C2", performing=spine.persons["u2"]))
        await _pass(spine, drill, START + 20 * MINUTE)
        assert spine.try_open("K002", "C2")
        assert not spine.try_open("K002", "C1")

        # 3. The key system's server goes as well. What is promised is held against the truth.
        await _pass(spine, drill, START + 58 * MINUTE, every=19 * MINUTE)
        await _pass(spine, drill, START + 64 * MINUTE)
        assert {each.name for each in (await _outage(spine)).down} == {"permits:eptw", "keys:iloq"}
        warned = {each.subject for each in await _warnings(spine)}
        assert {"dependency:permits-eptw", "dependency:keys-iloq"} <= warned
        promised = {each.stamp: each for each in (await _outage(spine)).keys}
        for stamp, lock in (("K001", "C1"), ("K002", "C2")):
            until, true_end = promised[stamp].until, _true_end(spine, stamp, lock)
            assert until is not None
            assert true_end is not None
            assert spine.now < until <= true_end, (stamp, until, true_end)
            assert true_end - until < timedelta(hours=2), "a promise worth reading"

        # 4. Leases end at their time; at the promise's last second the keys still open.
        ends = {stamp: promised[stamp].until for stamp in ("K001", "K002")}
        for stamp, lock in sorted((("K001", "C1"), ("K002", "C2")), key=lambda pair: ends[pair[0]] or START):
            end = ends[stamp]
            assert end is not None
            await _pass(spine, drill, end - timedelta(seconds=1), every=30 * MINUTE)
            assert spine.try_open(stamp, lock), f"{stamp} was promised to work until {end}"
        await _pass(spine, drill, START + 95 * MINUTE, every=10 * MINUTE)
        assert sorted(await spine.states()) == ["active", "ended"]

        # 5. Back again: nothing comes back by itself (P7), and the warnings are taken back.
        await _pass(spine, drill, START + 228 * MINUTE, every=45 * MINUTE)
        await _pass(spine, drill, START + 236 * MINUTE)
        await _pass(spine, drill, START + 238 * MINUTE)
        assert not (await _outage(spine)).down
        assert not spine.try_open("K001", "C1")
        assert await spine.fetch("SELECT 1 FROM work_permit WHERE external_id = $1", late.id)
        assert sorted(await spine.states()) == ["active", "ended"]
        kinds = {each.kind for each in await _warnings(spine)}
        assert kinds == {"paper_to_enter"}
        # The paper permit ends by itself, too.
        await _pass(spine, drill, START + 262 * MINUTE, every=8 * MINUTE)
        assert await spine.states() == ["ended", "ended"]
        assert not spine.try_open("K002", "C2")
        spine.world.faults.assert_all_fired()


async def test_what_if_is_asked_beforehand_and_holds(databases: DatabaseServer) -> None:
    """Asked about while everything is up, cut at that very second: the keys work until the promised instant."""
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", "C4", crew=("u1",), hours=8)
        await spine.advance(2 * MINUTE)
        calm = await _outage(spine)
        assert not calm.down
        asked = await _outage(spine, "keys:iloq")
        assert [each.why for each in asked.down] == ["assumed"]
        assert not asked.is_real
        [key] = asked.keys
        [as_it_is] = calm.keys
        assert key.until is not None
        assert as_it_is.until is not None
        assert key.until < as_it_is.until == START + timedelta(hours=8)
        assert (await _outage(spine, "network")).keys == (key,)
        assert (await _outage(spine, "this")).keys == (key,)
        assert (await _outage(spine, "people:entra")).keys == (as_it_is,)
        spine.world.cut_network(twin_id("key 1"))
        true_end = _true_end(spine, "K001", "C1")
        assert true_end is not None
        assert key.until <= true_end
        spine.world.advance_to(key.until - timedelta(seconds=1))
        assert spine.try_open("K001", "C1")
        spine.world.advance_to(true_end + timedelta(seconds=1))
        assert not spine.try_open("K001", "C1")
        with pytest.raises(InvalidInput, match="there is nothing called keys:nothing"):
            await _outage(spine, "keys:nothing")


async def test_a_key_that_never_took_its_program_is_not_promised(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        spine.world.cut_network(twin_id("key 1"))
        await spine.live_permit("C1", crew=("u1",))
        await spine.advance(MINUTE)
        [key] = (await _outage(spine, "keys:iloq")).keys
        assert (key.until, key.unsure) == (None, 1)
        assert not spine.try_open("K001", "C1")
        spine.world.restore_network(twin_id("key 1"))
        await spine.advance(2 * MINUTE)
        [key] = (await _outage(spine, "keys:iloq")).keys
        assert key.until is not None
        assert spine.try_open("K001", "C1")


def test_a_scenario_that_is_wrong_is_refused_by_its_field(tmp_path: Path) -> None:
    for text, why in (
        ('[[outage]]\nwhat = "moon"\nfor_minutes = 5', "what is none of"),
        ('[[outage]]\nwhat = "iam"', "for_minutes must be more than 0"),
        ('[[outage]]\nwhat = "iam"\nfor_minuts = 5', "no such field: for_minuts"),
    ):
        file = tmp_path / "scenario.toml"
        file.write_text(text)
        with pytest.raises(ValueError, match=why):
            read_scenario(file, START)


async def _pass(spine: Spine, drill: OutageDrill, to: datetime, *, every: timedelta = 2 * MINUTE) -> None:
    """Move time; the permit system beats and sends while it is there."""
    while spine.now < to:
        step = min(spine.now + every, to)
        drill.advance_to(step)
        spine.clock.advance_to(step)
        if drill.may_send():
            spine.ptw.heartbeat(at=spine.now)
            await spine.send()
        await spine.settle()


async def _outage(spine: Spine, *assume: str) -> Outage:
    async with spine.services.database.read() as tx:
        return await read_outage(tx, spine.services.settings, spine.now, problems={}, assume=assume)


async def _warnings(spine: Spine) -> list[OpenWarning]:
    async with spine.services.database.read() as tx:
        return await open_warnings(tx)


def _true_end(spine: Spine, stamp: str, lock: str) -> datetime | None:
    key = twin_id(f"key {int(stamp[1:])}")
    return spine.world.oracle.latest_opening(key, twin_id(lock), spine.now)
