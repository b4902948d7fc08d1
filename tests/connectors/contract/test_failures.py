"""What every connector owes the port when the vendor, the network or the session fails: four outcomes, never a guess."""

from datetime import timedelta

import pytest

from key2xs.core.errors import CallFailed, NeedsPerson, Retry, Unknown
from key2xs.keys.port import KeySystemPort
from key2xs_twin.faults import Fault
from tests.connectors.contract.harness import Act, Harness
from tests.connectors.iloq.connection import KeptSession

WRITING: tuple[Act, ...] = ("write", "order", "block", "block_list")
ACTS: tuple[Act, ...] = (*WRITING, "read", "events", "inventory")


async def prepared(vendor: Harness, act: Act) -> KeySystemPort:
    """Bring the world to where the act sends something."""
    connector = vendor.connect()
    vendor.hold_back()
    if act == "order":
        await connector.write_program(vendor.key, vendor.night, await connector.read_key(vendor.key))
    if act == "block_list":
        await connector.block(vendor.key)
    return connector


async def do(vendor: Harness, connector: KeySystemPort, act: Act) -> None:
    match act:
        case "write":
            await connector.write_program(vendor.key, vendor.night, await connector.read_key(vendor.key))
        case "order":
            await connector.order(vendor.key)
        case "block":
            await connector.block(vendor.key)
        case "block_list":
            await connector.order_block_list(vendor.key, [vendor.held])
        case "read":
            await connector.read_key(vendor.key)
        case "events":
            await connector.read_events(None)
        case _:
            await connector.inventory()


@pytest.mark.parametrize("act", WRITING)
@pytest.mark.parametrize(
    "effect", ["lose_request", "lose_response_after_commit", "garbage", "status:500", "status:502", "slow:9"]
)
async def test_a_write_without_a_clean_answer_is_unknown_and_doing_it_again_is_safe(
    vendor: Harness, act: Act, effect: str
) -> None:
    connector = await prepared(vendor, act)
    vendor.fault(act, effect, times=1)
    with pytest.raises(Unknown):
        await do(vendor, connector, act)
    vendor.world.faults.assert_all_fired()
    await do(vendor, connector, act)
    if act == "write":
        assert (await connector.read_key(vendor.key)).planned == vendor.night
    if act == "block_list":
        visits = await connector.read_block_visits(vendor.key)
        assert len({visit.lock for visit in visits}) == len(visits), "nothing is sent twice"


@pytest.mark.parametrize("act", ["read", "events", "inventory"])
@pytest.mark.parametrize(
    "effect", ["lose_request", "lose_response_after_commit", "garbage", "status:500", "down"]
)
async def test_a_reading_that_fails_changes_nothing_and_is_tried_again(
    vendor: Harness, act: Act, effect: str
) -> None:
    connector = vendor.connect()
    vendor.fault(act, effect, times=1)
    with pytest.raises(Retry):
        await do(vendor, connector, act)
    vendor.world.faults.assert_all_fired()
    await do(vendor, connector, act)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("status", "asked", "waited"), [(429, 17, 17), (503, 90, 90), (429, 86_400, 3600)])
async def test_a_busy_vendor_is_obeyed_within_reason(
    vendor: Harness, act: Act, status: int, asked: int, waited: int
) -> None:
    connector = await prepared(vendor, act)
    before = vendor.planned()
    vendor.fault(act, f"status:{status}", retry_after=asked, times=1)
    with pytest.raises(Retry) as caught:
        await do(vendor, connector, act)
    assert caught.value.after == timedelta(seconds=waited)
    assert vendor.planned() == before


@pytest.mark.parametrize("act", WRITING)
async def test_a_connection_that_was_refused_changed_nothing(vendor: Harness, act: Act) -> None:
    connector = await prepared(vendor, act)
    vendor.fault(act, "down", times=1)
    with pytest.raises(Retry):
        await do(vendor, connector, act)


async def test_a_write_whose_reading_back_fails_is_unknown_and_never_a_clean_retry(vendor: Harness) -> None:
    connector = vendor.connect()
    base = await connector.read_key(vendor.key)
    vendor.fault("read", "status:503", nth=2)  # the first is the comparison before the write
    with pytest.raises(Unknown):
        await connector.write_program(vendor.key, vendor.night, base)
    vendor.world.faults.assert_all_fired()


async def test_a_silent_network_ends_in_time(vendor: Harness) -> None:
    with pytest.raises(Retry):
        await vendor.without_network().read_key(vendor.key)


# --- sessions ----------------------------------------------------------------------------------------------


async def test_a_wrong_password_asks_for_a_person_and_is_not_tried_again(vendor: Harness) -> None:
    connector = vendor.wrong_password()
    with pytest.raises(NeedsPerson):
        await connector.read_key(vendor.key)
    assert vendor.calls("sign_in") == 1


async def test_a_session_that_ended_is_opened_again_and_the_call_repeated_once(vendor: Harness) -> None:
    connector = vendor.connect()
    base = await connector.read_key(vendor.key)
    vendor.expire_sessions()
    written = await connector.write_program(vendor.key, vendor.night, base)
    assert written.planned == vendor.night
    assert vendor.calls("sign_in") == 2
    assert vendor.calls("write") == 1


async def test_sessions_that_always_end_are_not_chased_for_ever(vendor: Harness) -> None:
    connector = vendor.connect()
    await connector.open()
    vendor.fault("read", "unauthorised")
    with pytest.raises(Retry):
        await connector.read_key(vendor.key)
    assert vendor.calls("sign_in") == 2


async def test_a_successor_ends_the_session_of_its_predecessor_which_then_writes_nothing(
    vendor: Harness,
) -> None:
    store = KeptSession()
    stalled = vendor.connect(store)
    base = await stalled.read_key(vendor.key)
    successor = vendor.connect(store)
    await successor.end_sessions()
    assert store.session is None
    await successor.open()
    with pytest.raises(Retry, match="took this connection over"):
        await stalled.write_program(vendor.key, vendor.night, base)
    assert vendor.calls("write") == 0
    assert (await successor.write_program(vendor.key, vendor.night, base)).planned == vendor.night


async def test_a_session_is_stored_before_it_is_used_and_does_not_print(vendor: Harness) -> None:
    store = KeptSession()
    await vendor.connect(store).read_key(vendor.key)
    assert store.saved
    assert store.saved[0].secret not in repr(store.saved[0])


async def test_leaving_ends_the_session_and_does_not_fail_when_the_vendor_is_down(vendor: Harness) -> None:
    store = KeptSession()
    connector = vendor.connect(store)
    await connector.open()
    await connector.close()
    assert store.session is None
    left = vendor.connect(store)
    await left.open()
    vendor.world.faults.add(Fault(operation="* **", effect="down"))
    await left.close()
    assert store.session is not None  # the next worker ends it


async def test_every_failure_is_one_of_the_four(vendor: Harness) -> None:
    for effect in (
        "lose_request",
        "garbage",
        "status:400",
        "status:403",
        "status:404",
        "status:409",
        "status:418",
    ):
        connector = vendor.connect()
        await connector.open()
        vendor.fault("read", effect, times=1)
        with pytest.raises(CallFailed):
            await connector.read_key(vendor.key)
        vendor.world.faults.clear()
