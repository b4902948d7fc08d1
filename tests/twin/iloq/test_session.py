"""Signing in, as the vendor describes it and as it goes wrong."""

from typing import Literal

import httpx2
import pytest

from key2xs_twin import iloq
from key2xs_twin.iloq import IloqSettings
from tests.twin.iloq.factory import BASE, PHONE, START, Api, make_world, minutes, signed_in


def credentials(password: str = "correct horse", **more: str) -> dict[str, str]:
    return {"CustomerCode": "K2X-TWIN", "UserName": "key2xs", "Password": password} | more


@pytest.mark.parametrize(
    ("setting", "answer"), [("null", None), ("empty", ""), ("redirect", "https://iloq.test/iloqwspool2/")]
)
async def test_get_url_answers_a_base_or_nothing(
    setting: Literal["null", "empty", "redirect"], answer: str | None
) -> None:
    world = make_world(settings=IloqSettings(get_url=setting, redirect_base="https://iloq.test/iloqwspool2/"))
    assert await Api(world).post("Url/GetUrl", {"CustomerCode": "K2X-TWIN"}) == answer


async def test_after_a_redirect_only_the_new_base_answers() -> None:
    world = make_world(
        settings=IloqSettings(get_url="redirect", redirect_base="https://iloq.test/iloqwspool2/")
    )
    old = await Api(world).http.post("CreateSession", json=credentials())
    assert old.status_code == 404
    async with httpx2.AsyncClient(transport=iloq.transport(world)) as client:
        new = await client.post("https://iloq.test/iloqwspool2/api/v2/CreateSession", json=credentials())
    assert new.json()["Result"] == 1


async def test_rights_mask_is_a_64_bit_number_that_json_keeps() -> None:
    world = make_world()
    api = await signed_in(world)
    answer = await api.post("SetLockgroup", {"LockGroup_ID": str(world.iloq.account.lock_group_id)})
    assert answer["RightsMask"] == (1 << 55) - 1


async def test_bad_passwords_lock_the_account_even_for_the_right_one() -> None:
    world = make_world()
    api = Api(world)
    results = [(await api.post("CreateSession", credentials("wrong")))["Result"] for _ in range(5)]
    assert results == [5, 5, 5, 5, 7]
    assert (await api.post("CreateSession", credentials()))["Result"] == 8
    world.advance_to(START + minutes(15))
    assert (await api.post("CreateSession", credentials()))["Result"] == 1


async def test_database_update_is_an_answer_that_passes() -> None:
    world = make_world(settings=IloqSettings(database_update_until=START + minutes(3)))
    api = Api(world)
    assert (await api.post("CreateSession", credentials()))["Result"] == 4
    world.advance_to(START + minutes(3))
    assert (await api.post("CreateSession", credentials()))["Result"] == 1


async def test_expired_session_answers_401_and_a_new_one_replays_the_call() -> None:
    world = make_world(settings=IloqSettings(session_lifetime=minutes(30)))
    api = await signed_in(world)
    assert len(await api.get("Keys")) == 4
    world.advance_to(START + minutes(30))
    answer = await api.http.get("Keys")
    assert answer.status_code == 401
    assert answer.json()["Code"] == "Unauthorized"
    assert answer.json()["Message"].startswith("Invalid session id")
    await api.sign_in()
    assert len(await api.get("Keys")) == 4


async def test_killed_session_is_dead() -> None:
    api = await signed_in(make_world())
    await api.get("KillSession")
    assert (await api.http.get("Keys")).status_code == 401


async def test_nothing_is_open_before_the_locking_system_is_chosen() -> None:
    world = make_world()
    api = Api(world)
    session = await api.post("CreateSession", credentials())
    api.http.headers["SessionId"] = session["SessionID"]
    assert (await api.http.get("Keys")).status_code == 401
    (group,) = await api.get("LockGroups")
    assert group["OptionMask"] & 16384
    assert group["TimeZoneStandardName"] == "W. Europe Standard Time"


async def test_missing_rights_bit_refuses_the_operation() -> None:
    world = make_world(settings=IloqSettings(rights_mask=1 | 512))
    api = await signed_in(world)
    await api.get("Keys")
    assert (await api.http.post(f"Keys/{PHONE}/Order")).status_code == 403


async def test_unknown_fields_and_broken_json_are_refused() -> None:
    api = Api(make_world())
    for body in (b'{"CustomerCode":"K2X-TWIN","Colour":"red"}', b"{", b'{"CustomerCode":7}'):
        answer = await api.http.post("CreateSession", content=body)
        assert answer.status_code == 400
        assert answer.json()["Code"] == "ValidationFailed"
        assert answer.headers["content-type"].startswith("application/json")


async def test_paths_outside_the_api_are_not_found() -> None:
    async with httpx2.AsyncClient(transport=iloq.transport(make_world())) as client:
        assert (await client.get("https://iloq.test/other")).status_code == 404
        assert (await client.get(BASE + "Nonsense")).status_code == 404
