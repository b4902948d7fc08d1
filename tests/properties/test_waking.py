"""Loops sleep through what does not concern them: no history may bring work that a sleeping loop slept over."""

from dataclasses import dataclass

import pytest
from hypothesis import Phase, given, settings

from key2xs.core.crash import SimulatedCrash, declared
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import open_stage, run

from .acts import ACTS, Act, play
from .crashes import KEY, at_work
from .history import History
from .test_histories import SCENE, histories


@dataclass
class Distrusting(History):
    """Asks every loop after each act and each step of time whether it had something to do."""

    async def check(self) -> None:
        """Fail when stepping everybody brings entries that waking the right ones did not."""
        slept_over = await self.spine.settle_distrusting()
        assert not slept_over, "\n".join([*slept_over, f"at {self.spine.now}", *self.told])


@settings(max_examples=3 * settings().max_examples // 25 or 1, phases=(Phase.explicit, Phase.generate))
@given(acts=histories(frozenset(ACTS) - {"crash"}))
def test_nobody_sleeps_through_work(databases: DatabaseServer, acts: list[Act]) -> None:
    async def history() -> None:
        async with open_stage(databases, START) as stage:
            await play(Distrusting(stage), [*SCENE, *acts])

    run(history())


async def test_a_loop_that_heeds_too_little_is_caught(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        await stage.spine.settle()
        timer = next(loop for loop in stage.spine.installation.loops if loop.name == "lease-timer")
        timer.heeds = ("nothing:of-the-kind",)  # type: ignore[attr-defined]
        await at_work(stage)
        assert any(each.startswith("lease-timer ") for each in await stage.spine.settle_distrusting())


async def test_what_a_worker_broke_off_it_takes_up_again_at_once(databases: DatabaseServer) -> None:
    """Its own lease tells a worker that its step broke off: a revocation need not wait until the lease runs out."""
    async with open_stage(databases, START) as stage:
        permit = await at_work(stage)
        assert stage.spine.try_open("K001", "C1")
        stage.spine.ptw.suspend(permit, code="weather", at=stage.spine.now)
        await stage.spine.send()
        with declared()["keys.reconcile.after_read"].armed(), pytest.raises(SimulatedCrash):
            await stage.spine.settle()  # the step breaks off, the process goes on
        assert await stage.spine.fetch("SELECT FROM key_work WHERE leased_until IS NOT NULL")
        await stage.spine.settle()
        assert not await stage.spine.fetch("SELECT FROM key_work WHERE leased_until IS NOT NULL")
        assert not stage.world.iloq.state.keys[KEY].plan.right_ids
