"""*Will still work until* for roles on duty, and the warnings that come while there is time to act."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from key2xs.core.clock import ManualClock
from key2xs.core.runner import Runner
from key2xs.incidents.outage import Outage, RoleLasts, read_outage
from key2xs.incidents.warnings import open_warnings
from key2xs.keys.exposure_types import KeyOnRecord
from key2xs.keys.port import KeyKind, ProgrammingState
from key2xs.keys.program import Program, ProgramOnDevice, ProgramState
from key2xs.keys.works_until import works_until
from key2xs_twin.outages import Outage as Gone, OutageDrill
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import MARKINGS, UNIT, twin_id

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
async def spine(databases: DatabaseServer) -> AsyncIterator[Spine]:
    """u1 leads the shift and u2 is a second leader; u3 is on duty without a key."""
    async with open_stage(databases, START) as stage:
        await _duty(stage.spine, "u1", "shift_leader")
        await _duty(stage.spine, "u3", "field_operator")
        await stage.spine.hand_out("K001", "u1")
        await stage.spine.advance(2 * MINUTE)
        yield stage.spine


async def test_a_role_lasts_as_long_as_its_last_key(spine: Spine) -> None:
    calm = _roles(await _outage(spine))
    assert calm["shift_leader"].until == START + 8 * HOUR  # the end of the shift
    assert calm["field_operator"].sure == 0
    first = _roles(await _outage(spine, "keys:iloq"))["shift_leader"]
    assert first.until is not None
    assert first.sure == first.cylinders > 0
    # A second leader gets his key later: every lock of the role opens as long as one of the two keys does.
    await spine.advance(30 * MINUTE, every=5 * MINUTE)
    await _duty(spine, "u2", "shift_leader")
    await spine.hand_out("K002", "u2")
    await spine.advance(2 * MINUTE)
    both = _roles(await _outage(spine, "keys:iloq"))["shift_leader"]
    assert both.people == 2
    assert both.until is not None
    assert both.until >= first.until + 29 * MINUTE
    for number in (1, 2):
        spine.world.cut_network(twin_id(f"key {number}"))
    spine.world.advance_to(both.until - timedelta(seconds=1))
    opened = [m for m in MARKINGS if any(spine.try_open(stamp, m) for stamp in ("K001", "K002"))]
    assert len(opened) == both.sure


async def test_the_warning_comes_in_time_and_goes_again(spine: Spine) -> None:
    down_at = spine.now + 2 * MINUTE
    drill = OutageDrill(spine.world, [Gone("vendor", down_at, down_at + 90 * MINUTE)])
    until = _roles(await _outage(spine, "keys:iloq"))["shift_leader"].until
    assert until is not None
    await _pass(spine, drill, down_at + 5 * MINUTE)
    assert await _warned(spine) == {"dependency_down"}  # more than an hour is left
    await _pass(spine, drill, until - 58 * MINUTE)
    assert "role_runs_out" in await _warned(spine)
    [told] = [each for each in await _warnings(spine) if each.kind == "role_runs_out"]
    assert told.due_at == until
    assert told.text == f"shift leader in {UNIT} loses the last key that surely works (iloq down)"
    await _pass(spine, drill, down_at + 94 * MINUTE)
    assert await _warned(spine) == set()
    kinds = [
        row["kind"] for row in await spine.fetch("SELECT kind FROM log_body WHERE kind LIKE 'incidents:%'")
    ]
    assert sorted(set(kinds)) == ["incidents:warning:clear", "incidents:warning:raise"]
    assert kinds.count("incidents:warning:raise") == 2, "told once"


async def test_a_loop_that_cannot_do_its_work_says_so(clock: ManualClock) -> None:
    """`.problem` of loops that handle a failed call themselves reaches every page that lists problems."""

    class Loop:
        name = "inventory:iloq"
        problem: str | None = "the vendor is down; try again in 30 s"

        async def step(self, now: datetime) -> datetime | None:
            return None

    loop = Loop()
    runner = Runner([loop], clock)
    assert runner.problems() == {"inventory:iloq": "the vendor is down; try again in 30 s"}
    loop.problem = None
    assert runner.problems() == {}


async def _duty(spine: Spine, ref: str, role: str) -> None:
    row = {
        "person_scheme": "iam", "person_ref": ref, "role": role, "unit": UNIT,
        "from": spine.now.isoformat(), "to": (START + 8 * HOUR).isoformat(),
    }  # fmt: skip
    async with spine.services.database.transaction() as tx:
        report = await spine.services.identity.import_csv(
            tx, "duties", [row], at=spine.now, actor="user:setup"
        )
    assert not report.errors, report.errors
    await spine.settle()


async def _outage(spine: Spine, *assume: str) -> Outage:
    async with spine.services.database.read() as tx:
        return await read_outage(tx, spine.services.settings, spine.now, problems={}, assume=assume)


def _roles(outage: Outage) -> dict[str, RoleLasts]:
    return {each.role: each for each in outage.roles}


async def _pass(spine: Spine, drill: OutageDrill, to: datetime) -> None:
    while spine.now < to:
        step = min(spine.now + 6 * MINUTE, to)
        drill.advance_to(step)
        spine.clock.advance_to(step)
        await spine.settle()


async def _warnings(spine: Spine) -> list[Any]:
    async with spine.services.database.read() as tx:
        return await open_warnings(tx)


async def _warned(spine: Spine) -> set[str]:
    return {each.kind for each in await _warnings(spine)}


def test_what_no_key_has_acknowledged_is_no_promise() -> None:
    opening = ProgramOnDevice(
        Program(rights=frozenset({"r"}), ends_at=START + 8 * HOUR), ProgramState.POSSIBLE, START, START
    )
    key = KeyOnRecord("k", KeyKind.PHONE, (opening,), ProgrammingState.ORDERED, START, was_empty_before=True)
    assert works_until(key, [True]).at == START
    proven = replace(opening, state=ProgramState.PROVEN, proven_at=START)
    at = works_until(replace(key, programs=(proven,)), [True]).at
    assert at is not None
    assert START + 7 * HOUR < at < START + 8 * HOUR
