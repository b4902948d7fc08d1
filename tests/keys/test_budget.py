"""Several processes share what a key system takes; what can wait waits, visibly, and a kill does not."""

from datetime import datetime, timedelta

import httpx2
import pytest

from key2xs.connectors.paced import PacedTransport
from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.vault import Vault
from key2xs.incidents.dependencies import read_dependencies
from key2xs.keys.budget import Budget, OutOfCalls, calling_for
from key2xs.keys.call_limits import CallLimits
from key2xs.keys.lanes import WorkLane
from key2xs.keys.reconciler import Reconciler
from key2xs.keys.registry import Registry
from key2xs.ledger import Ledger
from key2xs_twin.faults import Fault
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage


class Site:
    """A key system and the processes that work on it; who sleeps moves the clock."""

    def __init__(self, db: Database, ledger: Ledger, clock: ManualClock) -> None:
        self.db, self.ledger, self.clock = db, ledger, clock
        self.slept: list[float] = []

    async def process(self, limits: CallLimits) -> Budget:
        system = await self.db.transact(
            lambda tx: Registry(self.ledger).ensure_system(tx, "iloq", "iloq", self.clock.now())
        )
        return Budget(self.db, self.ledger, system.id, "iloq", limits, self.clock, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance_to(self.clock.now() + timedelta(seconds=seconds))

    async def used(self) -> int:
        async with self.db.read() as tx:
            return await tx.fetchval("SELECT used FROM key_pace") or 0

    async def told(self) -> list[str]:
        async with self.db.read() as tx:
            rows = await tx.fetch("SELECT body FROM log_body WHERE kind = 'keys:system:quota' ORDER BY seq")
        return [row["body"]["standing"] for row in rows]


@pytest.fixture
async def site(db: Database, vault: Vault, clock: ManualClock) -> Site:
    return Site(db, Ledger(vault), clock)


async def test_without_limits_nothing_is_counted(site: Site) -> None:
    budget = await site.process(CallLimits())
    await budget.spend()
    await budget.before_turn()
    assert await budget.open_to() == (WorkLane.GRANT, None)
    assert await site.used() == 0


async def _until_used_up(lane: WorkLane, *processes: Budget) -> int:
    for made in range(1000):
        with calling_for(lane):
            try:
                await processes[made % len(processes)].spend()
            except OutOfCalls:
                return made
    raise AssertionError("it is never used up")


async def test_two_processes_share_one_day(site: Site) -> None:
    limits = CallLimits(a_day=200)
    one, other = await site.process(limits), await site.process(limits)
    made = await _until_used_up(WorkLane.GRANT, one, other) + await _until_used_up(WorkLane.REVOKE, other)
    assert 180 <= made <= 200, "blocks in the hand of one process are small when little is left"
    assert await site.used() == 200
    with calling_for(WorkLane.KILL):
        await one.spend()
        await other.spend()


async def test_a_quota_that_runs_out_is_told_once_a_step(site: Site) -> None:
    budget = await site.process(CallLimits(a_day=200))
    with calling_for(WorkLane.KILL):
        for _ in range(230):
            await budget.spend()
    assert await site.told() == ["reserve", "gone"]
    lane, wait = await budget.open_to()
    assert lane is WorkLane.STOP
    assert wait == timedelta(hours=7), "17:00 to midnight UTC"
    assert "only kills and stops" in str(budget.problem)
    site.clock.advance_to(START + timedelta(hours=7))
    assert await budget.open_to() == (WorkLane.GRANT, None)
    assert budget.problem is None
    with calling_for(WorkLane.GRANT):
        await budget.spend()
    assert await site.told() == ["reserve", "gone", "plenty"]


async def test_calls_wait_for_the_pace_of_all_processes(site: Site) -> None:
    limits = CallLimits(a_second=4, burst=2)
    one, other = await site.process(limits), await site.process(limits)
    with calling_for(WorkLane.KILL):
        for number in range(42):
            await (one if number % 2 else other).spend()
    assert site.clock.now() - START >= timedelta(seconds=10), "40 calls behind the first two, at 4 a second"
    assert site.clock.now() - START <= timedelta(seconds=12)


async def test_reading_waits_for_its_share_before_it_takes_a_turn(site: Site) -> None:
    budget = await site.process(CallLimits(a_second=10, burst=4, background=0.5))
    for _ in range(30):
        await budget.before_turn()
        await budget.spend()
    assert site.clock.now() - START >= timedelta(seconds=5.5), "half of ten a second"
    with calling_for(WorkLane.KILL):
        slept = len(site.slept)
        await budget.spend()
    assert len(site.slept) == slept, "a kill finds calls at once"


async def test_a_vendor_that_says_not_now_is_left_alone_and_asked_for_a_stop_after_half_a_minute(
    site: Site,
) -> None:
    budget = await site.process(CallLimits())
    answers = iter([httpx2.Response(429, headers={"retry-after": "600"}), httpx2.Response(200)])
    async with httpx2.AsyncClient(
        transport=PacedTransport(httpx2.MockTransport(lambda _request: next(answers)), budget)
    ) as client:
        await client.get("http://vendor.test/")
    assert await budget.open_to() == (None, timedelta(seconds=30))
    assert "takes no calls until" in str(budget.problem)
    with pytest.raises(OutOfCalls):
        await budget.before_turn()
    site.clock.advance_to(START + timedelta(seconds=30))
    assert await budget.open_to() == (WorkLane.STOP, timedelta(seconds=570))
    site.clock.advance_to(START + timedelta(seconds=600))
    assert await budget.open_to() == (WorkLane.GRANT, None)


def _reconciler(spine: Spine) -> Reconciler:
    return next(loop for loop in spine.installation.loops if isinstance(loop, Reconciler))


async def _use_up(spine: Spine, calls: int) -> None:
    async with spine.services.database.transaction() as tx:
        await tx.execute("UPDATE key_pace SET used = $1", calls)


async def test_with_the_quota_gone_a_grant_waits_in_sight_and_a_stop_is_carried_out(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START, iloq={"calls": {"a_day": 5000}}) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        await spine.hand_out("K002", "u2")
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        assert spine.try_open("K001", "C1")
        await _use_up(spine, 5000)
        await spine.live_permit("C1", crew=("u2",))
        await spine.advance(timedelta(minutes=3))
        assert not spine.try_open("K002", "C1"), "a grant waits for the next day"
        assert "only kills and stops" in str(_reconciler(spine).problem)
        async with spine.services.database.read() as tx:
            problems = {loop.name: str(getattr(loop, "problem", "")) for loop in spine.installation.loops}
            (iloq,) = [
                each
                for each in await read_dependencies(tx, spine.services.settings, problems, spine.now)
                if each.name == "keys:iloq"
            ]
        assert "calls" in iloq.why
        failed = await spine.fetch("SELECT 1 FROM key_work WHERE failures > 0")
        assert not failed, "nothing failed: it waits"
        spine.ptw.suspend(permit.id, code="weather", at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=1))
        assert not spine.try_open("K001", "C1")
        await spine.advance_to(datetime(2026, 3, 3, 0, 1, tzinfo=START.tzinfo), every=timedelta(minutes=30))
        await spine.advance(timedelta(minutes=1))
        assert _reconciler(spine).problem is None
        assert spine.try_open("K002", "C1")


async def test_near_the_end_of_a_quota_a_revocation_still_goes_out(databases: DatabaseServer) -> None:
    async with open_stage(databases, START, iloq={"calls": {"a_day": 5000}}) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        await _use_up(spine, 4000)
        async with spine.services.database.transaction() as tx:
            key = await spine.services.registry.get_key(tx, "K001")
            await spine.services.custody.take_back(tx, key.id, actor="user:desk", at=spine.now)
        await spine.advance(timedelta(minutes=1))
        assert not spine.try_open("K001", "C1")


async def test_a_stop_goes_on_while_the_vendor_asks_for_ten_minutes_of_rest(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        stage.world.faults.add(Fault(operation="GET Keys/*", effect="status:429", times=1, retry_after=600))
        spine.ptw.suspend(permit.id, code="weather", at=spine.now)
        await spine.send()
        await spine.settle()
        before = sum(stage.world.iloq.calls.values())
        await spine.advance(timedelta(seconds=20))
        assert sum(stage.world.iloq.calls.values()) == before, "nobody asks at once"
        await spine.advance(timedelta(seconds=40))
        assert not spine.try_open("K001", "C1")
