"""Access profiles: a named list that is tied to keys, and reaches them like any other change of their plan."""

from key2xs_twin.cliq import AccessProfileSpec, KeyPlan
from key2xs_twin.world import World
from tests.twin.cliq_factory import DYNAMIC, GATE, SPARE, TANK, TANKS, VALVE, WALL, make_world, signed_in, uid

CREW = uid(0xB01)


def with_profile() -> World:
    world = make_world()
    world.cliq.load(
        profiles=[AccessProfileSpec(profile_id=CREW, name="Tank crew", cylinder_ids=frozenset({TANK}))]
    )
    world.cliq_out_of_band.tie_profiles(DYNAMIC, [CREW])
    world.cliq_out_of_band.send(DYNAMIC)
    world.present_at_updater(DYNAMIC, WALL)
    return world


async def test_a_key_opens_by_its_own_list_and_by_its_profiles() -> None:
    world = with_profile()
    assert world.present(DYNAMIC, GATE).ok
    assert world.present(DYNAMIC, TANK).ok
    api = await signed_in(world)
    key = await api.get(f"keys/{DYNAMIC}")
    assert key["planned"]["profiles"] == [str(CREW)]
    assert key["planned"]["access"] == [{"cylinder": str(GATE)}, {"cylinder": str(TANK)}]
    (listed,) = (await api.get("access-profiles"))["items"]
    assert listed == {"id": str(CREW), "name": "Tank crew", "access": [{"cylinder": str(TANK)}]}


async def test_a_change_of_a_profile_changes_each_key_that_holds_it_at_its_next_update_and_no_other() -> None:
    world = with_profile()
    other = world.cliq.state.keys[SPARE].revision
    before = world.cliq.state.keys[DYNAMIC].revision
    world.cliq_out_of_band.change_profile(CREW, [VALVE, GATE], [TANKS])
    world.cliq_out_of_band.change_profile(CREW, [VALVE])
    assert world.cliq.state.keys[DYNAMIC].revision == before + 2
    assert world.cliq.state.keys[SPARE].revision == other
    assert world.present(DYNAMIC, TANK).ok, "the key was not updated yet"
    world.present_at_updater(DYNAMIC, WALL)
    assert not world.present(DYNAMIC, TANK).ok
    assert world.present(DYNAMIC, VALVE).ok
    assert world.present(DYNAMIC, GATE).ok, "its own entry stays, though the profile had it for a while"


async def test_a_plan_written_whole_unties_the_profiles_of_the_key() -> None:
    world = with_profile()
    api = await signed_in(world)
    await api.plan(DYNAMIC, access=[{"cylinder": str(TANK)}])
    plan = world.cliq.state.keys[DYNAMIC].plan
    assert plan == KeyPlan(cylinder_ids=frozenset({TANK}), revalidation_minutes=480)
    world.cliq_out_of_band.change_profile(CREW, [VALVE])
    assert world.cliq.state.keys[DYNAMIC].plan == plan
