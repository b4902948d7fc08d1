"""Blocking a key: planned, ordered, spread from device to device."""

from uuid import UUID

from key2xs_twin.devices.things import Reason
from key2xs_twin.iloq import IloqSettings, KeyKind, KeySpec
from tests.twin.iloq.factory import (
    FOB,
    GATE,
    LOCK_GATE,
    LOCK_ONLINE,
    LOCK_PUMP,
    METAL,
    OTHER_PHONE,
    PHONE,
    PUMP,
    VALVE,
    Api,
    make_key,
    make_world,
    signed_in,
)

BOTH = (PUMP, GATE)


def keys_for_both() -> tuple[KeySpec, ...]:
    return (
        make_key(PHONE, "0401", rights=BOTH, person_external_id="c-17", phone_no="+31"),
        make_key(OTHER_PHONE, "0402", rights=BOTH, person_external_id="c-18", phone_no="+31"),
        make_key(FOB, "0403", rights=BOTH, kind=KeyKind.FOB),
        make_key(METAL, "0404", rights=BOTH, kind=KeyKind.METAL),
    )


async def block(api: Api, key_id: UUID) -> None:
    assert await api.get(f"Blacklists/CanAddKey/{key_id}") is True
    await api.post(f"Blacklists/AddKey/{key_id}")
    assert await api.get("Blacklists/CanOrderS40Blacklist") == 0
    await api.post("Blacklists/OrderS40Blacklist")


async def test_a_lock_learns_of_a_blocked_key_from_the_next_phone_only() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.cut_network(PHONE)
    await block(api, METAL)
    assert world.present(METAL, LOCK_PUMP).ok  # nobody told the lock yet
    assert world.present(PHONE, LOCK_PUMP).ok  # this phone has not heard of it either
    assert world.present(METAL, LOCK_PUMP).ok
    assert world.present(OTHER_PHONE, LOCK_PUMP).ok
    assert world.present(METAL, LOCK_PUMP).reason is Reason.BLOCKLISTED
    assert world.present(METAL, LOCK_GATE).ok  # a rarely visited lock goes on accepting it
    assert world.present(PHONE, LOCK_PUMP).ok  # takes the list along from the lock
    assert world.present(PHONE, LOCK_GATE).ok
    assert world.present(METAL, LOCK_GATE).reason is Reason.BLOCKLISTED


async def test_fobs_carry_the_list_and_online_locks_have_it_at_once() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    await block(api, METAL)
    assert world.present(METAL, LOCK_ONLINE).reason is Reason.BLOCKLISTED
    assert world.present(FOB, LOCK_ONLINE).ok
    assert world.present(FOB, LOCK_PUMP).ok
    assert world.present(METAL, LOCK_PUMP).reason is Reason.BLOCKLISTED


async def test_a_blocked_phone_with_network_betrays_itself() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    await block(api, PHONE)
    assert world.present(PHONE, LOCK_PUMP).reason is Reason.BLOCKLISTED


async def test_an_order_is_needed_before_anything_spreads() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    assert await api.get("Blacklists/CanOrderS40Blacklist") == 2
    await api.post(f"Blacklists/AddKey/{METAL}")
    world.present(OTHER_PHONE, LOCK_PUMP)
    assert world.present(METAL, LOCK_PUMP).ok


async def test_a_blocked_key_cannot_be_touched_until_it_is_removed() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    await block(api, PHONE)
    assert await api.get(f"Blacklists/CanAddKey/{PHONE}") is False
    assert await api.get(f"Keys/{PHONE}/CanOrder") == 8
    assert await api.get(f"Keys/{PHONE}/CanReturn") == 4
    assert await api.get(f"Keys/{PHONE}/SecurityAccesses/CanAdd") == 2
    answer = await api.http.put(f"Keys/{PHONE}/SecurityAccesses", json={"SecurityAccessIds": []})
    assert answer.status_code == 400
    items = (await api.get("Blacklists"))["BlacklistItems"]
    assert [(item["FNKey_ID"], item["ChangeType"]) for item in items] == [(str(PHONE), 1)]
    await api.call("DELETE", f"Blacklists/RemoveKey/{PHONE}")
    await api.post("Blacklists/OrderS40Blacklist")
    assert world.present(PHONE, LOCK_PUMP).ok


async def test_a_key_without_rights_cannot_be_blocked_any_more() -> None:
    world = make_world()
    api = await signed_in(world)
    await api.put(f"Keys/{PHONE}/SecurityAccesses", {"SecurityAccessIds": []})
    assert await api.get(f"Blacklists/CanAddKey/{PHONE}") is False
    assert (await api.http.post(f"Blacklists/AddKey/{PHONE}")).status_code == 400
    assert world.present(PHONE, LOCK_PUMP).ok  # and still it opens: the order of acts was wrong


async def test_a_full_list_and_a_token_system_refuse_the_order() -> None:
    world = make_world(keys=keys_for_both(), settings=IloqSettings(max_blocked=1))
    api = await signed_in(world)
    await block(api, PHONE)
    await api.post(f"Blacklists/AddKey/{FOB}")
    assert await api.get("Blacklists/CanOrderS40Blacklist") == 3
    world.iloq.settings.blocklist_needs_token = True
    assert await api.get("Blacklists/CanOrderS40Blacklist") == 1
    assert (await api.http.post("Blacklists/OrderS40Blacklist")).status_code == 400


async def test_vendor_administrator_blocks_behind_our_back() -> None:
    world = make_world(keys=keys_for_both())
    api = await signed_in(world)
    world.out_of_band.block(FOB)
    assert (await api.get("Blacklists"))["BlacklistPacket"]["SoftDataVersion"] == 1
    answer = await api.http.post(f"Keys/{FOB}/SecurityAccesses", json={"SecurityAccess_ID": str(VALVE)})
    assert answer.status_code == 400
