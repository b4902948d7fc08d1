"""CLIQ things: what a key opens, how an update reaches it, and what its memory tells later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from key2xs_twin.cliq import (
    NEVER_VALID,
    KeyPlan,
    Validity,
    ValidityKind,
    WeeklyRow,
)
from key2xs_twin.cliq.things import CliqReason
from key2xs_twin.devices.things import Reason
from key2xs_twin.physics import Physics
from key2xs_twin.world import World
from tests.twin.cliq_factory import (
    ASKING,
    CARRIER,
    CONNECT,
    DYNAMIC,
    GATE,
    NORMAL,
    PHONE,
    SPARE,
    START,
    TANK,
    TANKS,
    VALVE,
    WALL,
    make_plan,
    make_site,
    make_world,
    minutes,
    signed_in,
)
from tests.twin.iloq import factory as iloq

HOUR = timedelta(hours=1)


def with_plan(plan: KeyPlan, **more: object) -> World:
    return make_world(site=make_site(plan=plan), **more)  # type: ignore[arg-type]  # keywords by name


def reason(world: World, key: object = DYNAMIC, lock: object = GATE, at: datetime | None = None) -> object:
    return world.present(key, lock, at).reason  # type: ignore[arg-type]  # ids


def test_a_key_opens_what_it_lists_by_cylinder_or_by_group() -> None:
    world = with_plan(KeyPlan(cylinder_ids=frozenset({GATE}), group_ids=frozenset({TANKS})))
    assert [reason(world, lock=lock) for lock in (GATE, TANK, VALVE)] == [CliqReason.OK] * 3
    assert reason(world, SPARE) is CliqReason.NOT_AUTHORISED, "never programmed"
    assert reason(make_world(), lock=TANK) is CliqReason.NOT_AUTHORISED
    assert reason(world, NORMAL) is CliqReason.OK, "the cylinder lists it"
    assert reason(world, NORMAL, TANK) is CliqReason.NOT_AUTHORISED


def test_validity_and_schedule_are_judged_on_the_clock_in_the_key() -> None:
    late = Validity(kind=ValidityKind.BETWEEN, starts_at=START + HOUR, ends_at=START + 2 * HOUR)
    world = with_plan(make_plan(validity=late))
    world.set_clock(DYNAMIC, minutes(10))
    assert reason(world) is CliqReason.NOT_VALID
    assert reason(world, at=START + minutes(49)) is CliqReason.NOT_VALID
    assert reason(world, at=START + minutes(50)) is CliqReason.OK
    assert reason(world, at=START + minutes(110)) is CliqReason.NOT_VALID
    assert reason(with_plan(make_plan(validity=NEVER_VALID))) is CliqReason.NOT_VALID
    # Monday 18:00 to 19:00 in Amsterdam.
    world = with_plan(make_plan(schedule=(WeeklyRow(0, 18 * 60, 19 * 60),)))
    assert reason(world) is CliqReason.OK
    assert reason(world, at=START + HOUR) is CliqReason.OUTSIDE_SCHEDULE


def test_a_row_until_midnight_ends_at_midnight() -> None:
    world = with_plan(make_plan(schedule=(WeeklyRow(0, 18 * 60, 24 * 60),)))
    midnight = START + 6 * HOUR
    assert reason(world, at=midnight - timedelta(seconds=1)) is CliqReason.OK
    assert reason(world, at=midnight) is CliqReason.OUTSIDE_SCHEDULE


def test_revalidation_counts_from_the_last_update_on_the_drifting_clock() -> None:
    world = make_world()
    assert reason(world, at=START + 8 * HOUR - timedelta(seconds=1)) is CliqReason.OK
    assert reason(world, at=START + 8 * HOUR) is CliqReason.REVALIDATION_LAPSED
    assert world.present_at_updater(DYNAMIC, WALL), "nothing waits, and yet it counts anew"
    assert reason(world, at=START + 16 * HOUR - timedelta(seconds=1)) is CliqReason.OK
    slow = make_world(physics=replace(Physics.exact(), drift_s_per_day=3600.0))
    drift = slow.cliq_field.keys[DYNAMIC].clock.drift
    assert drift
    lapses_at = START + 8 * HOUR / (1 + drift)
    assert slow.present(DYNAMIC, GATE, lapses_at - timedelta(seconds=1)).ok
    assert not slow.present(DYNAMIC, GATE, lapses_at + timedelta(seconds=1)).ok


def test_no_revalidation_never_lapses() -> None:
    assert with_plan(make_plan(revalidation_minutes=None)).present(DYNAMIC, GATE, START + 1000 * HOUR).ok


async def test_a_plan_reaches_the_key_only_at_an_updater() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.plan(DYNAMIC, access=[{"cylinder": str(TANK)}])
    assert world.present_at_updater(DYNAMIC, WALL), "planned, not sent"
    assert reason(world) is CliqReason.OK
    await api.post(f"keys/{DYNAMIC}/send")
    assert reason(world) is CliqReason.OK
    assert world.present_at_updater(DYNAMIC, WALL)
    assert reason(world) is CliqReason.NOT_AUTHORISED
    assert reason(world, lock=TANK) is CliqReason.OK


async def test_sending_what_waits_or_what_is_in_the_key_changes_nothing() -> None:
    world = make_world()
    api = await signed_in(world)
    assert (await api.post(f"keys/{DYNAMIC}/send"))["update"]["state"] == "done", "delivered programmed"
    await api.plan(DYNAMIC, access=[])
    for _ in range(2):
        assert (await api.post(f"keys/{DYNAMIC}/send"))["update"]["state"] == "waiting"
        world.advance_to(world.now + minutes(5))
    assert (await api.get(f"keys/{DYNAMIC}"))["update"]["at"] == "2026-11-23T17:00:00.000000Z"
    assert world.present_at_updater(DYNAMIC, WALL)
    assert (await api.post(f"keys/{DYNAMIC}/send"))["update"]["state"] == "done"


async def test_what_waits_goes_on_waiting_while_a_new_plan_is_not_sent() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.plan(DYNAMIC, access=[{"cylinder": str(TANK)}])
    await api.post(f"keys/{DYNAMIC}/send")
    await api.plan(DYNAMIC, access=[])
    assert world.present_at_updater(DYNAMIC, WALL)
    key = await api.get(f"keys/{DYNAMIC}")
    assert (key["revision"], key["confirmed_revision"], key["update"]["state"]) == (3, 2, "done")
    assert world.present(DYNAMIC, TANK).ok


async def test_pulled_early_nothing_is_written_and_it_waits_on() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.plan(DYNAMIC, access=[])
    await api.post(f"keys/{DYNAMIC}/send")
    world.advance_to(START + HOUR)
    assert not world.present_at_updater(DYNAMIC, WALL, pulled_early=True)
    key = await api.get(f"keys/{DYNAMIC}")
    assert (key["update"]["state"], key["confirmed_revision"], key["last_update"]) == ("failed", 1, None)
    assert reason(world) is CliqReason.OK
    assert reason(world, at=START + 8 * HOUR) is CliqReason.REVALIDATION_LAPSED
    assert world.present_at_updater(DYNAMIC, WALL)
    assert (await api.get(f"keys/{DYNAMIC}"))["confirmed"]["access"] == []


async def test_a_lost_acknowledgement_leaves_the_server_unsure_until_the_next_contact() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.plan(DYNAMIC, access=[{"cylinder": str(TANK)}])
    await api.post(f"keys/{DYNAMIC}/send")
    assert world.present_at_updater(DYNAMIC, WALL, ack_lost=True)
    key = await api.get(f"keys/{DYNAMIC}")
    assert (key["update"]["state"], key["confirmed_revision"]) == ("taken", 1)
    assert key["last_update"]["at"] == "2026-11-23T17:00:00.000000Z", (
        "the countdown began anew: the server knows"
    )
    assert world.present(DYNAMIC, TANK).ok, "the key has it all the same"
    await api.plan(DYNAMIC, access=[])
    await api.post(f"keys/{DYNAMIC}/send")
    assert world.present_at_updater(DYNAMIC, WALL, ack_lost=True)
    assert (await api.get(f"keys/{DYNAMIC}"))["confirmed_revision"] == 2, "the older one is told on the way"
    assert world.present_at_updater(DYNAMIC, WALL)
    assert (await api.get(f"keys/{DYNAMIC}"))["confirmed_revision"] == 3


def test_a_phone_updates_connect_keys_only_and_a_dead_key_is_updated_nowhere() -> None:
    world = make_world()
    assert not world.present_at_updater(DYNAMIC, PHONE)
    assert world.present_at_updater(CONNECT, PHONE)
    assert world.sync(CONNECT)
    with pytest.raises(ValueError, match="has no phone"):
        world.sync(DYNAMIC)
    world.cliq_field.keys[DYNAMIC].battery_low = True
    assert not world.present_at_updater(DYNAMIC, WALL)
    assert reason(world) is CliqReason.LOW_BATTERY
    world.cliq_out_of_band.change_plan(CONNECT, [ASKING])
    world.cliq_out_of_band.send(CONNECT)
    assert world.sync(CONNECT)
    assert asking(world) is CliqReason.OK
    world.cliq_out_of_band.retire(CONNECT)
    assert not world.sync(CONNECT), "nobody updates a retired key"
    assert asking(world) is CliqReason.SERVER_REFUSED
    assert not world.oracle.openable(CONNECT, ASKING)


def test_an_update_sets_the_clock_of_the_key() -> None:
    world = make_world()
    world.set_clock(DYNAMIC, 3 * HOUR)
    assert world.present_at_updater(DYNAMIC, WALL)
    key = world.cliq_field.keys[DYNAMIC]
    assert key.clock.reading(world.now) == world.now
    assert [record.row.kind for record in world.cliq.state.events] == ["clock_set", "key_updated"]


def asking(world: World) -> object:
    return reason(world, CONNECT, ASKING)


async def test_a_connect_key_that_must_ask_is_answered_by_the_plan_at_once() -> None:
    both = frozenset({GATE, ASKING})
    world = make_world(site=make_site(connect_plan=make_plan(cylinder_ids=both, online_opening=True)))
    api = await signed_in(world)
    assert asking(world) is CliqReason.OK
    await api.plan(CONNECT, access=[{"cylinder": str(GATE)}], online_opening=True)
    assert asking(world) is CliqReason.SERVER_REFUSED, "not sent, and yet the server says no"
    assert reason(world, CONNECT, GATE) is CliqReason.OK
    await api.plan(CONNECT, validity={"kind": "never"}, online_opening=True)
    assert reason(world, CONNECT, GATE) is CliqReason.SERVER_REFUSED
    await api.plan(CONNECT, online_opening=True)
    assert reason(world, CONNECT, GATE) is CliqReason.OK
    await api.post(f"keys/{CONNECT}/report", {"what": "lost"})
    assert not world.oracle.openable(CONNECT, GATE)
    assert reason(world, CONNECT, GATE) is CliqReason.SERVER_REFUSED, (
        "a lost key that asks is stopped at once"
    )
    kinds = [(event["kind"], event["reason"]) for event in (await api.get("events"))["items"]]
    assert kinds == [
        ("opened", None),
        ("refused", "not_authorised"),
        ("opened", None),
        ("refused", "not_authorised"),
        ("opened", None),
        ("reported_lost", None),
        ("refused", "not_authorised"),
    ]


@pytest.mark.parametrize(("opens", "expected"), [(False, CliqReason.NO_NETWORK), (True, CliqReason.OK)])
def test_without_network_an_asking_key_does_what_the_physics_say(opens: bool, expected: CliqReason) -> None:
    plan = make_plan(cylinder_ids=frozenset({GATE, ASKING}), online_opening=True)
    physics = replace(Physics.exact(), connect_opens_without_network=opens)
    world = make_world(
        physics=physics, site=make_site(plan=make_plan(cylinder_ids=frozenset({ASKING})), connect_plan=plan)
    )
    world.cut_network(CONNECT)
    assert not world.cliq.state.updaters[PHONE].online
    assert asking(world) is expected
    assert reason(world, DYNAMIC, ASKING) is CliqReason.NO_NETWORK, "a dynamic key can never ask"
    world.restore_network(PHONE)
    assert asking(world) is CliqReason.OK


async def test_the_memory_of_a_key_arrives_at_its_update_late_and_once() -> None:
    world = make_world()
    api = await signed_in(world)
    world.set_clock(DYNAMIC, minutes(3))
    opened = world.present(DYNAMIC, GATE)
    refused = world.present(DYNAMIC, TANK, START + minutes(1))
    assert (await api.get("events"))["items"] == []
    world.advance_to(START + HOUR)
    for _ in range(2):
        assert world.present_at_updater(DYNAMIC, WALL)
    page = await api.get("events", limit=2)
    assert page["more"]
    assert page["items"][0] == {
        "id": str(opened.log_id),
        "seq": 1,
        "occurred_at": "2026-11-23T17:03:00.000000Z",
        "read_at": "2026-11-23T18:00:00.000000Z",
        "arrived_at": "2026-11-23T18:00:00.000000Z",
        "kind": "opened",
        "reason": None,
        "cylinder": str(GATE),
        "key": str(DYNAMIC),
        "foreign_key": None,
        "source": "key",
    }
    assert (page["items"][1]["id"], page["items"][1]["reason"]) == (str(refused.log_id), "not_authorised")
    rest = await api.get("events", after=page["cursor"])
    assert [event["kind"] for event in rest["items"]] == ["clock_set", "key_updated", "key_updated"]
    assert not rest["more"]
    assert await api.get("events", after=rest["cursor"]) == {
        "items": [],
        "cursor": rest["cursor"],
        "more": False,
    }


async def test_the_memory_of_a_cylinder_arrives_by_a_programming_key_and_forgets_the_oldest() -> None:
    world = make_world()
    api = await signed_in(world)
    for number in range(1_003):
        world.present(DYNAMIC, GATE, START + timedelta(seconds=number))
    for number in range(102):
        world.present_foreign_key(GATE, f"9{number:08d}")
    assert world.insert_programming_key(CARRIER, GATE), "nothing to do there, but it reads"
    assert (await api.get("events"))["items"] == []
    assert world.return_programming_key(CARRIER, WALL)
    rows = [record.row for record in world.cliq.state.events]
    own = [row for row in rows if row.kind == "opened"]
    foreign = [row.foreign_key for row in rows if row.reason is CliqReason.FOREIGN]
    assert len(own) == 1_000
    assert own[0].happened_at == START + timedelta(seconds=3)
    assert (len(foreign), foreign[0]) == (100, "900000002")
    assert rows[-1].kind == "list_read"
    assert all(row.recorded_at is None for row in rows if row.reason is CliqReason.FOREIGN)
    assert world.insert_programming_key(CARRIER, GATE)
    before = len(rows)
    world.return_programming_key(CARRIER, WALL)
    assert len(world.cliq.state.events) == before + 1, "only the second reading itself is new"


def test_a_key_of_one_maker_opens_no_lock_of_the_other() -> None:
    world = World(7, START, physics=Physics.exact(), site=iloq.make_site(), cliq=make_site())
    opening = world.present(DYNAMIC, iloq.LOCK_PUMP)
    assert (opening.ok, opening.reason, opening.log_id) == (False, Reason.OTHER_SYSTEM, None)
    assert world.present(iloq.PHONE, GATE).reason is Reason.OTHER_SYSTEM
    assert world.oracle.openable(DYNAMIC, iloq.LOCK_PUMP) == []
    assert world.present(iloq.PHONE, iloq.LOCK_PUMP).ok
    assert world.present(DYNAMIC, GATE).ok
    assert set(world.oracle.who_can_open(GATE, START)) == {DYNAMIC, CONNECT, NORMAL}
    with pytest.raises(KeyError):
        world.present(DYNAMIC, iloq.uid(0x999))
    with pytest.raises(ValueError, match="no CLIQ cylinder"):
        world.open_with_unknown_key(GATE)
    assert world.open_mechanically(GATE).ok


def test_a_group_change_reaches_a_cylinder_at_a_programming_visit() -> None:
    world = with_plan(KeyPlan(group_ids=frozenset({TANKS})))
    world.cliq_out_of_band.change_group(TANKS, [VALVE, GATE])
    assert (reason(world), reason(world, lock=TANK)) == (CliqReason.NOT_AUTHORISED, CliqReason.OK)
    world.programmer_visit(GATE)
    world.programmer_visit(TANK)
    assert (reason(world), reason(world, lock=TANK)) == (CliqReason.OK, CliqReason.NOT_AUTHORISED)


def test_another_administrator_works_behind_the_back() -> None:
    world = make_world()
    admin, record = world.cliq_out_of_band, world.cliq.state.keys[DYNAMIC]
    admin.change_plan(DYNAMIC, [TANK], ends_at=datetime(2026, 12, 1, tzinfo=UTC), revalidation_minutes=60)
    assert record.revision == 2
    admin.send(DYNAMIC)
    assert world.present_at_updater(DYNAMIC, WALL)
    assert world.present(DYNAMIC, TANK).ok
    admin.hand_to(DYNAMIC, "c-99")
    assert (record.holder, record.handed_out) == ("c-99", True)
    admin.report_lost(DYNAMIC)
    assert (record.reported, record.revision) == ("lost", 3)
