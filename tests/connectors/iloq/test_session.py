"""Signing in to iLOQ: every step's failure, and sessions that end under us."""

from datetime import timedelta

import pytest

from key2xs.core.errors import NeedsPerson, Retry
from key2xs.core.secret import Secret
from key2xs.keys.program import Program
from key2xs_twin.faults import Fault
from key2xs_twin.iloq import IloqSettings
from tests.connectors.iloq.connection import KeptSession, make_connector
from tests.twin.iloq.factory import PHONE, make_world

KEY = str(PHONE)


@pytest.mark.parametrize("answer", ["empty", "null"])
async def test_no_new_address_means_stay(answer: str) -> None:
    world = make_world(settings=IloqSettings(get_url=answer))  # type: ignore[arg-type]  # both are literals
    store = KeptSession()
    await make_connector(world, store=store).open()
    assert store.session is not None
    assert store.session.base_url == "https://iloq.test/iloqws"


async def test_a_redirect_is_followed_and_used_for_every_call() -> None:
    world = make_world(
        settings=IloqSettings(get_url="redirect", redirect_base="https://iloq.test/iloqwspool2/")
    )
    connector = make_connector(world)
    reading = await connector.read_key(KEY)
    assert reading.planned is not None


async def test_the_password_is_not_sent_to_a_host_nobody_vouched_for() -> None:
    world = make_world(
        settings=IloqSettings(get_url="redirect", redirect_base="https://elsewhere.example/iloqws/")
    )
    with pytest.raises(NeedsPerson, match=r"elsewhere\.example"):
        await make_connector(world).open()
    assert not world.iloq.calls["POST CreateSession"]
    trusting = make_connector(world, trusted_hosts=frozenset({"elsewhere.example"}))
    await trusting.open()


async def test_an_address_without_tls_is_not_used() -> None:
    world = make_world(settings=IloqSettings(get_url="redirect", redirect_base="http://s5.iloq.com/iloqws/"))
    with pytest.raises(NeedsPerson):
        await make_connector(world).open()


async def test_a_wrong_password_asks_for_a_person_and_is_not_tried_again() -> None:
    world = make_world()
    connector = make_connector(world, password=Secret("wrong"))
    with pytest.raises(NeedsPerson, match="password"):
        await connector.read_key(KEY)
    assert world.iloq.calls["POST CreateSession"] == 1


async def test_a_lockout_asks_for_a_person() -> None:
    world = make_world(settings=IloqSettings(bad_passwords_until_lockout=1))
    with pytest.raises(NeedsPerson, match="locked out"):
        await make_connector(world, password=Secret("wrong")).open()
    with pytest.raises(NeedsPerson, match="locked out"):
        await make_connector(world).open()


async def test_an_expired_password_asks_for_a_person() -> None:
    with pytest.raises(NeedsPerson, match="expired"):
        await make_connector(make_world(settings=IloqSettings(password_expired=True))).open()


async def test_a_database_update_is_waited_for() -> None:
    world = make_world()
    world.iloq.settings.database_update_until = world.now + timedelta(minutes=10)
    with pytest.raises(Retry):
        await make_connector(world).open()


async def test_missing_rights_are_named_in_words() -> None:
    # everything but "order keys"
    world = make_world(settings=IloqSettings(rights_mask=((1 << 55) - 1) & ~34359738368))
    with pytest.raises(NeedsPerson, match="order keys"):
        await make_connector(world).open()


async def test_missing_options_of_the_locking_system_are_named_in_words() -> None:
    world = make_world(settings=IloqSettings(option_mask=2048 | 4096 | 65536))
    with pytest.raises(NeedsPerson, match="api access rights"):
        await make_connector(world).open()


async def test_a_wrong_time_zone_stops_at_the_door() -> None:
    with pytest.raises(NeedsPerson, match="time zone"):
        await make_connector(make_world(), time_zone="Europe/Helsinki").open()


async def test_an_ended_session_is_opened_again_and_the_call_repeated_once() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.open()
    world.faults.add(Fault(operation="PUT Keys/*/SecurityAccesses", effect="unauthorised", nth=1))
    base = await connector.read_key(KEY)
    written = await connector.write_program(KEY, Program(), base)
    assert written.planned is not None
    assert not written.planned.rights
    assert world.iloq.calls["POST CreateSession"] == 2
    world.faults.assert_all_fired()


async def test_a_takeover_that_breaks_off_half_way_still_keeps_the_predecessor_out() -> None:
    world = make_world()
    store = KeptSession()
    stalled = make_connector(world, store=store)
    base = await stalled.read_key(KEY)
    world.faults.add(Fault(operation="GET KillSession", effect="lose_response_after_commit", times=1))
    with pytest.raises(Retry):
        await make_connector(world, store=store).end_sessions()
    with pytest.raises(Retry, match="took this connection over"):
        await stalled.write_program(KEY, Program(), base)
    await make_connector(world, store=store).end_sessions()  # the next one can still finish it
    assert store.session is None
