"""P5 and P6 under the chaos schedule: every scene of chaos.toml, for every make, through the product's own reconciler.

A few scenes are played in `make test`, all of them in `make test-long`.
"""

import pytest

from key2xs.core.crash import declared
from tests.conftest import START
from tests.connectors.contract.harness import MAKES as HARNESSES
from tests.connectors.contract.schedule import MAKES, Scene, read_schedule, scenes
from tests.connectors.contract.story import GRANTED, PEOPLE, STAMP, Story
from tests.properties.bounds import opens
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage


def _param(scene: Scene) -> object:
    return pytest.param(scene, id=scene.id, marks=() if scene.quick else (pytest.mark.long,))


@pytest.mark.parametrize("scene", [_param(scene) for scene in scenes()])
async def test_a_scene_of_the_schedule(databases: DatabaseServer, scene: Scene) -> None:
    async with open_stage(databases, START, site=PEOPLE[scene.make].site) as stage:
        point = declared().get(scene.kill)
        before = point.reached if point else 0
        story = Story(stage, scene)
        await story.play()
        assert story.wrong == []
        assert story.bounds.seen, "no bound was ever published: nothing was proved"
        assert story.opened == 1, "it never opened: nothing was taken away"
        stage.world.faults.assert_all_fired()
        if point is not None:
            assert point.reached > before, f"{scene.kill} was never reached"
            assert stage.crashes or point.reached - before < scene.visit, "it never died"
        if scene.limit:
            assert story.people.gateway(stage).turned_away, "the limit was never met"
        await _revoked_and_proven(story)
        await _log_is_whole(stage)
        seen = await stage.spine.classes()  # "other": what updaters and programming keys did
        assert {name: n for name, n in seen.items() if name != "other"} == {"expected": 1}, (
            "the opening was seen once, and explained"
        )


async def _revoked_and_proven(story: Story) -> None:
    stage = story.stage
    assert await stage.spine.states() == ["ended"]
    assert not opens(stage.spine, STAMP, GRANTED)
    assert not story.people.planned(stage) or story.scene.story == "loss"
    target = await stage.spine.fetch(
        "SELECT target.delivered_at FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id "
        "WHERE stamp = $1",
        STAMP,
    )
    assert target[0]["delivered_at"] or story.scene.story == "loss", "pursued until the device proves it"


async def _log_is_whole(stage: Stage) -> None:
    rows = await stage.spine.fetch(
        "SELECT (SELECT size FROM log_head) AS size, (SELECT count(*) FROM log_leaf) AS leaves, "
        "(SELECT count(*) FROM log_body) AS bodies, (SELECT count(DISTINCT seq) FROM log_leaf) AS numbers"
    )
    assert len(set(rows[0].values())) == 1, dict(rows[0])


def test_every_crash_point_on_the_way_to_a_key_is_in_the_schedule() -> None:
    kill = read_schedule()["kill"]
    listed = {*kill["points"], *kill["stories"], *kill["after"]}
    assert {name for name in declared() if name.startswith("keys.")} - listed == set()
    assert listed - set(declared()) == set(), "points that are gone"


def test_every_kind_of_trouble_is_played_for_every_make_some_of_it_every_time() -> None:
    assert set(MAKES) == {make.name for make in HARNESSES} == set(PEOPLE)
    played = {
        make: {kind for scene in scenes() if scene.make == make for kind in scene.kinds} for make in MAKES
    }
    often = {make: {k for s in scenes() if s.make == make and s.quick for k in s.kinds} for make in MAKES}
    assert played["iloq"] == played["cliq"]
    assert often["iloq"] == often["cliq"] == played["iloq"]
