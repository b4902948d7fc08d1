"""P5: the product dies at every declared point of its paths. What was revoked stays revoked and is pursued."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
from hypothesis import settings

from key2xs.core.crash import declared
from key2xs_twin.faults import Fault
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage

from .bounds import Bounds, opens
from .crashes import KEY, PATHS, grant_and_revoke, later, work_and_block, work_block_and_unblock
from .history import History

SHORT = 25  # examples of the default profile
POINTS = sorted(name for prefix in PATHS for name in declared(prefix))
# Reached only when a worker takes over from another that died; the scene then needs a first death.
TAKEOVER = "keys.takeover.after_end_sessions"
BLOCKING = "keys.reconcile.after_vendor_block"
UNBLOCKING = "keys.reconcile.after_vendor_unblock"
SCENES = {BLOCKING: work_and_block, UNBLOCKING: work_block_and_unblock}
# Later visits meet later parts of the same scene; `make test-long` dies there, too.
VISITS = (1, 2, 3, 4, 5) if settings().max_examples > SHORT else (1,)


async def _log_is_whole(stage: Stage) -> None:
    rows = await stage.spine.fetch(
        "SELECT (SELECT size FROM log_head) AS size, (SELECT count(*) FROM log_leaf) AS leaves, "
        "(SELECT count(*) FROM log_body) AS bodies, (SELECT count(DISTINCT seq) FROM log_leaf) AS numbers"
    )
    assert len(set(rows[0].values())) == 1, dict(rows[0])


@pytest.mark.parametrize("visit", VISITS)
@pytest.mark.parametrize("name", POINTS)
async def test_what_was_revoked_stays_revoked_wherever_the_product_dies(
    databases: DatabaseServer, name: str, visit: int
) -> None:
    point = declared()[name]
    async with open_stage(databases, START) as stage:
        await stage.spine.settle()
        before = point.reached
        with ExitStack() as armed:
            armed.enter_context(point.armed(visit))
            if name == TAKEOVER:
                armed.enter_context(declared()["keys.reconcile.after_claim"].armed())
            await SCENES.get(name, grant_and_revoke)(stage)
        assert await stage.spine.states() == ["ended"]
        rare = name in {TAKEOVER, *SCENES}
        assert point.reached > before, f"{name} was never reached"
        assert stage.crashes or (visit > 1 and (rare or point.reached - before < visit)), stage.crashes
        await later(stage, timedelta(minutes=4))
        if name != BLOCKING:
            assert not opens(stage.spine, "K001", "C1")
        target = (await stage.spine.fetch(
            "SELECT target.* FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id WHERE stamp = 'K001'"
        ))[0]  # fmt: skip
        assert target["delivered_at"] or name == BLOCKING, "pursued until the device proves it"
        assert await History(stage).bounds.check(stage.spine) == []
        await _log_is_whole(stage)
        # The opening in between was seen once, and explained.
        assert await stage.spine.classes() == {"expected": 1}


async def test_every_declared_point_of_these_paths_is_in_the_sweep() -> None:
    assert {name for name in declared() if name.startswith(PATHS)} == set(POINTS)
    assert len(POINTS) >= 20


async def test_a_late_write_of_a_dead_worker_widens_nothing_unnoticed(databases: DatabaseServer) -> None:
    """The worker stalls in the middle of a wide write and dies; the write arrives long after the revocation."""
    async with open_stage(databases, START) as stage:
        await stage.spine.settle()
        stage.world.faults.add(
            Fault(operation="PUT Keys/*/SecurityAccesses", effect="late_write:400", times=1)
        )
        with declared()["keys.reconcile.after_intent"].armed(2):
            await grant_and_revoke(stage)
        stage.world.faults.assert_all_fired()
        bounds = Bounds()
        for _ in range(30):
            await later(stage, timedelta(minutes=1))
            assert await bounds.check(stage.spine) == []
        assert not opens(stage.spine, "K001", "C1")
        planned = stage.world.iloq.state.keys[KEY].plan
        assert not planned.right_ids, "the late plan was found and taken back"


async def test_whoever_takes_over_ends_the_dead_workers_vendor_session(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        await stage.spine.settle()
        await stage.spine.hand_out("K001", "u1")
        with declared()["keys.reconcile.after_read"].armed():
            await stage.settle()
        dead = await stage.spine.fetch("SELECT opened_at FROM key_session WHERE sealed IS NOT NULL")
        assert dead
        calls = stage.world.iloq.calls
        before = {name: count for name, count in calls.items() if "KillSession" in name}
        await later(stage, timedelta(minutes=4))
        after = {name: count for name, count in calls.items() if "KillSession" in name}
        assert after != before, sorted(calls)
