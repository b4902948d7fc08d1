"""Onboarding: everything that is missing is named at once, and a sign-in that failed is not tried again."""

from datetime import timedelta
from typing import Any

import pytest

from key2xs.connectors.iloq.answers import HANDLE_RETURNS, RIGHT_IS_FOR, Right
from key2xs.connectors.iloq.examination import rights_findings
from key2xs.core.errors import CallFailed, NeedsPerson, Retry
from key2xs.core.secret import Secret
from key2xs.keys.onboarding import Finding, Weight
from key2xs_twin.faults import Fault
from key2xs_twin.iloq import IloqSettings
from key2xs_twin.world import World
from tests.connectors.iloq.connection import KeptSession, Wish, make_connector
from tests.twin.iloq.factory import PHONE, make_world

KEY = str(PHONE)
ALL_RIGHTS = (1 << 55) - 1


def by_check(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    found = {each.check: each for each in findings}
    assert len(found) == len(findings)
    return found


async def test_a_good_account_lacks_nothing_and_the_report_says_what_was_looked_at() -> None:
    world = make_world()
    connector = make_connector(world)
    found = by_check(await connector.examine())
    assert {check: each.weight for check, each in found.items()} == dict.fromkeys(
        ("sign_in", "locking_system", "options", "time_zone", "rights"), Weight.FINE
    )
    await connector.read_key(KEY)
    assert world.iloq.calls["POST CreateSession"] == 1, "the session of the check is gone on with"


async def test_all_that_is_missing_is_named_at_once() -> None:
    mask = ALL_RIGHTS & ~(Right.ORDER_KEYS | Right.READ_LOG)
    world = make_world(settings=IloqSettings(rights_mask=mask, option_mask=4096 | 2 | 131072))
    store = KeptSession()
    connector = make_connector(world, store=store, time_zone="Europe/Helsinki")
    found = by_check(await connector.examine())
    assert [name.partition(":")[0] for name in found["rights"].names] == ["order keys", "read log"]
    assert found["options"].names == ("public api", "api access rights")
    assert found["time_zone"].weight is Weight.STOPS
    assert {"five_series", "zones", "block_list_by_zone"} <= set(found)
    assert "s50" not in found
    for each in found.values():
        assert each.does or each.weight not in {Weight.STOPS, Weight.WEAKENS}, f"{each.check} says what to do"
    assert store.session is None, "a session that is of no use is ended"
    assert world.iloq.calls["GET KillSession"] == 1


@pytest.mark.parametrize("right", list(Right))
def test_each_missing_right_is_named_with_what_it_is_for(right: Right) -> None:
    (found,) = rights_findings(ALL_RIGHTS & ~right)
    assert found.weight is Weight.STOPS
    assert found.names == (f"{(right.name or '').lower().replace('_', ' ')}: {RIGHT_IS_FOR[right]}",)


async def test_without_the_right_to_handle_returns_the_check_says_what_cannot_be_done_and_signing_in_works() -> (
    None
):
    world = make_world(settings=IloqSettings(rights_mask=ALL_RIGHTS & ~HANDLE_RETURNS))
    connector = make_connector(world)
    found = by_check(await connector.examine())
    assert found["rights"].weight is Weight.FINE
    assert found["returns"].weight is Weight.NOTE
    assert "handed back" in found["returns"].says
    await connector.read_key(KEY)


async def test_a_locking_system_that_was_not_chosen_is_a_finding() -> None:
    connector = make_connector(make_world(), lock_group="00000000-0000-0000-0000-00000000ffff")
    found = by_check(await connector.examine())
    assert found["locking_system"].weight is Weight.STOPS
    assert "lock_group" in found["locking_system"].does


async def test_a_check_in_a_running_session_opens_no_other_and_survives_its_end() -> None:
    world = make_world()
    connector = make_connector(world)
    await connector.read_key(KEY)
    await connector.examine()
    assert world.iloq.calls["POST CreateSession"] == 1
    world.iloq.sessions.kill_all()
    assert by_check(await connector.examine())["rights"].weight is Weight.FINE
    assert world.iloq.calls["POST CreateSession"] == 2


async def test_a_check_of_a_worker_that_was_taken_over_does_not_sign_in_again() -> None:
    world, store = make_world(), KeptSession()
    stalled = make_connector(world, store=store)
    await stalled.read_key(KEY)
    await make_connector(world, store=store).end_sessions()
    with pytest.raises(Retry, match="took this connection over"):
        await stalled.examine()


async def test_a_vendor_that_does_not_answer_is_no_finding() -> None:
    world = make_world()
    world.faults.add(Fault(operation="GET LockGroups", effect="status:500"))
    with pytest.raises(CallFailed):
        await make_connector(world).examine()


# --- stop on 5, 7, 8 and 9 until a person acts -------------------------------------------------------------------


def wrong_password(world: World) -> dict[str, Any]:
    assert world.iloq.account.password != "wrong"
    return {"password": Secret("wrong")}


def locked_now(world: World) -> dict[str, Any]:
    world.iloq.settings.bad_passwords_until_lockout = 1
    return wrong_password(world)


async def locked_before(world: World) -> dict[str, Any]:
    with pytest.raises(NeedsPerson):
        await make_connector(world, **locked_now(world)).open()
    return {}


def expired(world: World) -> dict[str, Any]:
    world.iloq.settings.password_expired = True
    return {}


@pytest.mark.parametrize("code", [5, 7, 8, 9])
async def test_a_sign_in_refused_for_good_is_never_repeated_however_often_loops_come_back(code: int) -> None:
    world = make_world()
    wrong = (
        await locked_before(world)
        if code == 8
        else {5: wrong_password, 7: locked_now, 9: expired}[code](world)
    )
    before = world.iloq.calls["POST CreateSession"]
    connector = make_connector(world, **wrong)
    said = set()
    for _ in range(20):
        with pytest.raises(NeedsPerson) as refused:
            await connector.read_key(KEY)
        said.add(str(refused.value))
        with pytest.raises(NeedsPerson):
            await connector.read_events(None)
        world.advance_to(world.now + timedelta(minutes=30))  # longer than any lockout
    assert world.iloq.calls["POST CreateSession"] == before + 1
    assert len(said) == 1
    found = by_check(await connector.examine())
    assert world.iloq.calls["POST CreateSession"] == before + 1, "looking does not try again either"
    assert (found["sign_in"].weight, set(found)) == (Weight.STOPS, {"sign_in"})


async def test_a_restart_tries_again() -> None:
    world = make_world(settings=IloqSettings(password_expired=True))
    with pytest.raises(NeedsPerson):
        await make_connector(world).open()
    world.iloq.settings.password_expired = False
    await make_connector(world).open()


async def test_a_person_who_says_it_is_put_right_lets_one_process_try_and_the_others_follow_if_it_worked() -> (
    None
):
    world = make_world(settings=IloqSettings(password_expired=True))
    wish = Wish()
    processes = [make_connector(world, store=KeptSession(wish)) for _ in range(3)]

    async def all_try() -> int:
        """Have every process need a session three times; return how many sign-ins the vendor saw."""
        before = world.iloq.calls["POST CreateSession"]
        for process in (each for each in processes for _ in range(3)):
            with pytest.raises(NeedsPerson):
                await process.open()
        return world.iloq.calls["POST CreateSession"] - before

    assert await all_try() == 3, "at first nobody knows"
    wish.asked_at = world.now  # not after the refusal: says nothing about it
    world.advance_to(world.now + timedelta(minutes=1))
    assert await all_try() == 0
    wish.asked_at = world.now
    world.advance_to(world.now + timedelta(minutes=1))
    assert await all_try() == 1, "once for all of them while it is still wrong"
    world.iloq.settings.password_expired = False
    world.advance_to(world.now + timedelta(minutes=1))
    wish.asked_at = world.now
    for process in processes:
        await process.open()


async def test_a_database_update_is_tried_again_until_it_is_over() -> None:
    world = make_world()
    world.iloq.settings.database_update_until = world.now + timedelta(minutes=10)
    connector = make_connector(world)
    with pytest.raises(Retry):
        await connector.open()
    world.advance_to(world.now + timedelta(minutes=11))
    await connector.open()


async def test_sessions_do_not_add_up_while_a_right_is_missing() -> None:
    world = make_world(settings=IloqSettings(rights_mask=ALL_RIGHTS & ~Right.ORDER_KEYS))
    store = KeptSession()
    connector = make_connector(world, store=store)
    for _ in range(3):
        with pytest.raises(NeedsPerson, match="order keys"):
            await connector.open()
    assert world.iloq.calls["GET KillSession"] == 3
    assert store.session is None
    world.iloq.settings.rights_mask = ALL_RIGHTS
    await connector.open()
