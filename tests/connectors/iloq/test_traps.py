"""The vendor's traps, one test or more each: every test fails if the connector falls into its trap."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import pytest

from key2xs.connectors.iloq import IloqConnector
from key2xs.core.errors import Refused
from key2xs.keys.exposure import ExposureKind, KeyOnRecord, possible_programs
from key2xs.keys.exposure_map import ExposureMap
from key2xs.keys.port import KeyKind, KeyReading
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program, ProgramOnDevice, ProgramState
from key2xs_twin import iloq
from key2xs_twin.iloq.state import TimeSlot
from key2xs_twin.world import World
from tests.connectors.iloq.connection import KeptSession, WorldClock, make_config, make_connector
from tests.twin.iloq.factory import (
    FOB,
    GATE,
    LOCK_GATE,
    METAL,
    PHONE,
    PUMP,
    VALVE,
    make_key,
    make_lock,
    make_world,
)

KEY = str(PHONE)
UNTIL_SIX = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)  # 06:00 in Amsterdam
NIGHT = Program(rights=frozenset({str(VALVE)}), ends_at=UNTIL_SIX, offline_expires_after=timedelta(hours=8))


class Wire(httpx2.AsyncBaseTransport):
    """Keeps every request on its way to the vendor."""

    def __init__(self, world: World) -> None:
        self._inner = iloq.transport(world)
        self.seen: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        return await self._inner.handle_async_request(request)

    def bodies(self, method: str, ending: str) -> list[dict[str, Any]]:
        """Return the bodies of requests of a method whose path ends like this."""
        return [
            msgspec.json.decode(request.content)
            for request in self.seen
            if request.method == method and request.url.path.endswith(ending)
        ]


def wired(world: World) -> tuple[IloqConnector, Wire]:
    """A connector and everything that it sends."""
    wire = Wire(world)
    config, clock = make_config(world), WorldClock(world)
    return IloqConnector(config, store=KeptSession(), clock=clock, transport=wire), wire


def on_record(reading: KeyReading, at: datetime) -> KeyOnRecord:
    """Return what is known of a key whose plan was proven and that was emptied, without contact, afterwards."""
    assert reading.on_device is not None
    programs = [
        ProgramOnDevice(reading.on_device, ProgramState.PROVEN, written_at=at, ordered_at=at, proven_at=at),
        ProgramOnDevice(EMPTY_PROGRAM, ProgramState.POSSIBLE, written_at=at, ordered_at=at),
    ]
    return KeyOnRecord(
        reading.vendor_key, reading.kind, possible_programs(programs), reading.programming_state, as_of=at
    )


# --- OfflineExpirationSeconds = 0 and an empty scheduler at each write ----------------------------------------


@pytest.mark.parametrize("key", [PHONE, FOB])
@pytest.mark.parametrize("program", [NIGHT, EMPTY_PROGRAM, replace(NIGHT, rights=frozenset())])
async def test_trap_zero_offline_seconds_no_write_makes_a_key_work_offline_for_ever(
    key: UUID, program: Program
) -> None:
    world = make_world()
    connector, wire = wired(world)
    await connector.write_program(str(key), program, await connector.read_key(str(key)))
    (body,) = wire.bodies("PUT", "/SecurityAccesses")
    assert body["OfflineExpirationSeconds"] > 0, "zero, or nothing at all, means unlimited"
    assert world.iloq.state.keys[key].plan.offline_expiration_seconds > 0


async def test_trap_zero_offline_seconds_a_stored_zero_is_read_as_unlimited_and_never_as_no_time() -> None:
    world = make_world()
    reading = await make_connector(world).read_key(KEY)
    assert world.iloq.state.keys[PHONE].plan.offline_expiration_seconds == 0
    assert reading.planned is not None
    assert reading.planned.offline_expires_after is UNLIMITED


async def test_trap_empty_scheduler_a_renewal_that_somebody_wants_is_not_switched_off_by_a_write() -> None:
    world = make_world()
    record = world.iloq.state.keys[PHONE]
    record.plan = replace(record.plan, scheduler=(1, 1, 120, UNTIL_SIX))
    connector = make_connector(world)
    reading = await connector.read_key(KEY)
    assert reading.planned is not None
    kept = replace(NIGHT, renews_until=reading.planned.renews_until)
    await connector.write_program(KEY, kept, reading)
    assert world.iloq.state.keys[PHONE].plan.scheduler == (1, 1, 120, UNTIL_SIX)


# --- Key.ExpireDate --------------------------------------------------------------------------------------


async def test_trap_expire_date_the_planned_return_date_is_no_end_of_access() -> None:
    world = make_world()
    world.iloq.state.keys[PHONE].expire_date = world.now + timedelta(hours=1)
    connector = make_connector(world)
    reading = await connector.read_key(KEY)
    assert reading.on_device is not None
    assert reading.on_device.ends_at is None
    locks = (await connector.inventory()).locks
    pump = next(lock for lock in locks if str(PUMP) in lock.rights)
    found = ExposureMap(locks).of_pair(on_record(reading, world.now), pump.vendor_lock)
    assert found.kind is ExposureKind.NO_BOUND, "only slots 0 and 1 end anything"


async def test_trap_expire_date_an_end_goes_into_slot_one_and_nowhere_else() -> None:
    world = make_world()
    connector, wire = wired(world)
    await connector.write_program(KEY, NIGHT, await connector.read_key(KEY))
    (body,) = wire.bodies("PUT", "/SecurityAccesses")
    assert body["TimeLimitSlots"] == [{"SlotNo": 1, "LimitDateLg": "2026-11-24T06:00:00"}]
    assert all(b"ExpireDate" not in request.content for request in wire.seen)
    assert world.iloq.state.keys[PHONE].expire_date is None


# --- locks that do not honour limits, and locks without a clock -----------------------------------------------


@pytest.mark.parametrize(
    ("lock", "flag_shown", "verified", "is_bound"),
    [
        ({"clock_installed": True, "respects_time_limits": True}, True, {}, True),
        ({"clock_installed": True, "respects_time_limits": False}, True, {}, False),
        ({"clock_installed": True, "respects_time_limits": True}, False, {}, False),
        ({"clock_installed": True, "respects_time_limits": True}, False, {str(LOCK_GATE): True}, True),
        ({"clock_installed": True, "respects_time_limits": True}, True, {str(LOCK_GATE): False}, False),
        ({"clock_installed": False, "respects_time_limits": True}, True, {}, False),
    ],
    ids=[
        "honours_and_has_a_clock",
        "ignores_limits",
        "does_not_say",
        "verified_by_a_person",
        "a_person_found_that_it_ignores_them",
        "has_no_clock",
    ],
)
async def test_trap_lock_ignores_limits_and_trap_no_clock_an_end_date_counts_only_where_both_are_proven(
    lock: dict[str, bool], flag_shown: bool, verified: dict[str, bool], is_bound: bool
) -> None:
    six = datetime(2026, 11, 24, 6)  # noqa: DTZ001 - local to the locking system
    metal = make_key(METAL, "0404", kind=iloq.KeyKind.METAL, rights=(GATE,), ends_lg=six)
    world = make_world(keys=(metal,), locks=(make_lock(LOCK_GATE, "L203", GATE, **lock),))
    world.iloq.settings.lock_flags_in_answer = flag_shown
    connector = make_connector(world, honours_limits=verified)
    reading = await connector.read_key(str(METAL))
    assert reading.on_device is not None
    assert reading.on_device.ends_at == UNTIL_SIX
    locks = (await connector.inventory()).locks
    found = ExposureMap(locks).of_pair(on_record(reading, world.now), str(LOCK_GATE))
    assert found.kind is (ExposureKind.BOUND if is_bound else ExposureKind.NO_BOUND)


# --- mode 0 ----------------------------------------------------------------------------------------------


async def test_trap_mode_zero_every_view_is_asked_for_as_planned_or_as_programmed() -> None:
    world = make_world()
    connector, wire = wired(world)
    await connector.inventory()
    written = await connector.write_program(KEY, NIGHT, await connector.read_key(KEY))
    await connector.order(KEY)
    await connector.read_key(written.vendor_key)
    views = [
        request.url.params.get_list("mode")
        for request in wire.seen
        if request.method == "GET"
        and request.url.path.endswith(("/SecurityAccesses", "/TimeLimitTitles"))
        and request.url.path.count("/") > "/iloqws/api/v2/SecurityAccesses".count("/")
    ]
    assert views
    assert {mode for (mode,) in views} == {"1", "2"}


async def test_trap_mode_zero_the_plan_is_not_taken_for_what_is_in_the_key() -> None:
    world = make_world()
    world.out_of_band.change_rights(PHONE, [VALVE])
    reading = await make_connector(world).read_key(KEY)
    assert reading.planned is not None
    assert reading.on_device is not None
    assert reading.planned.rights == {str(VALVE)}
    assert reading.on_device.rights == {str(PUMP)}


# --- OutsideUserZone counters --------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [NIGHT, EMPTY_PROGRAM])
async def test_trap_outside_zones_slots_that_cannot_be_seen_are_repeated_and_not_deleted(
    program: Program,
) -> None:
    world = make_world()
    record = world.iloq.state.keys[PHONE]
    record.plan = replace(record.plan, outside_slots=(4, 7))
    connector, wire = wired(world)
    written = await connector.write_program(KEY, program, await connector.read_key(KEY))
    (body,) = wire.bodies("PUT", "/SecurityAccesses")
    assert body["OutsideUserZoneTimeLimitTitleSlots"] == [4, 7]
    assert world.iloq.state.keys[PHONE].plan.outside_slots == (4, 7)
    assert not written.outside_visible, "never: no access left"


async def test_trap_outside_zones_a_count_alone_already_means_that_not_all_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = make_world()
    connector = make_connector(world)
    answer = world.iloq.answer

    def counts(request: Any) -> Any:
        found = answer(request)
        content = found.body.replace(b'"OutsideUserZonesCount":0', b'"OutsideUserZonesCount":2')
        return replace(
            found, body=content.replace(b'"OutsideUserZoneKeyCount":0', b'"OutsideUserZoneKeyCount":1')
        )

    monkeypatch.setattr(world.iloq, "answer", counts)  # the vendor's side, not ours
    assert not (await connector.read_key(KEY)).outside_visible
    inventory = await connector.inventory()
    assert not inventory.visibility_complete
    assert all(lock.hidden_rights for lock in inventory.locks)


# --- deleting and returning ----------------------------------------------------------------------------------


async def test_trap_delete_or_return_ending_access_never_deletes_or_returns_a_key() -> None:
    world = make_world()
    for key in (PHONE, FOB, METAL):
        connector, wire = wired(world)
        await connector.write_program(str(key), EMPTY_PROGRAM, await connector.read_key(str(key)))
        await connector.order(str(key))
        sent = [(request.method, request.url.path) for request in wire.seen]
        assert not [path for method, path in sent if path.endswith("/Return") or method == "DELETE"]
        assert world.iloq.state.keys[key].state not in {3, 4}


def test_trap_delete_or_return_only_phones_and_tags_count_as_returnable() -> None:
    connector = make_connector(make_world())
    able = {kind for kind in KeyKind if connector.capabilities(kind).can_return}
    assert able == {KeyKind.PHONE, KeyKind.TAG}


# --- longest offline expiry ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "longest"), [(FOB, 16_761_540), (PHONE, 8_726_340)])
async def test_trap_longest_offline_expiry_the_longest_is_stored_and_a_second_more_is_refused_unsent(
    key: UUID, longest: int
) -> None:
    world = make_world()
    connector = make_connector(world)
    base = await connector.read_key(str(key))
    too_long = replace(NIGHT, offline_expires_after=timedelta(seconds=longest + 1))
    with pytest.raises(Refused, match="offline"):
        await connector.write_program(str(key), too_long, base)
    assert not world.iloq.calls["PUT Keys/*/SecurityAccesses"]
    longest_one = replace(NIGHT, offline_expires_after=timedelta(seconds=longest))
    await connector.write_program(str(key), longest_one, base)
    assert world.iloq.state.keys[key].plan.offline_expiration_seconds == longest


# --- local time without offset ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end", [datetime(2027, 10, 31, 0, 30, tzinfo=UTC), datetime(2027, 10, 31, 1, 30, tzinfo=UTC)]
)
async def test_trap_local_time_an_end_in_the_repeated_hour_is_refused_and_not_stored_an_hour_off(
    end: datetime,
) -> None:
    world = make_world()
    connector = make_connector(world)
    with pytest.raises(Refused):
        await connector.write_program(KEY, replace(NIGHT, ends_at=end), await connector.read_key(KEY))
    assert not world.iloq.calls["PUT Keys/*/SecurityAccesses"]


@pytest.mark.parametrize(
    ("local", "latest"),
    [
        (datetime(2027, 10, 31, 2, 30), datetime(2027, 10, 31, 1, 30, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2027, 3, 28, 2, 30), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2027, 7, 1, 12), datetime(2027, 7, 1, 10, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2027, 1, 1, 12), datetime(2027, 1, 1, 11, tzinfo=UTC)),  # noqa: DTZ001
    ],
    ids=["repeated_hour", "missing_hour", "summer", "winter"],
)
async def test_trap_local_time_a_foreign_end_is_read_as_the_latest_it_can_mean(
    local: datetime, latest: datetime
) -> None:
    world = make_world()
    record = world.iloq.state.keys[PHONE]
    record.plan = replace(record.plan, slots=(TimeSlot(slot_no=1, limit_date_lg=local),))
    reading = await make_connector(world).read_key(KEY)
    assert reading.planned is not None
    assert reading.planned.ends_at == latest
