"""Checking a connection over the API and the command line, on a site with a past."""

import httpx2
import pytest

from key2xs_twin.faults import Fault
from tests.api.conftest import Site
from tests.cli.conftest import Shell, token_of
from tests.keys.legacy import Legacy
from tests.support.database import DatabaseServer

from .past import SYSTEM, served

PATH = f"/api/v1/key-systems/{SYSTEM}/check"
ORDER_KEYS, EVERYTHING = 34359738368, (1 << 55) - 1


async def weights(client: httpx2.AsyncClient) -> dict[str, str]:
    answer = await client.get(PATH)
    assert answer.status_code == 200, answer.text
    return {each["check"]: each["weight"] for each in answer.json()["findings"]}


async def shell_of(site: Site, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(site.app, await token_of(site, "auditor"), capsys)


def lose_a_right(legacy: Legacy) -> None:
    """Take a right from the service user; sessions end so that it shows."""
    server = legacy.spine.world.iloq
    server.settings.rights_mask = EVERYTHING & ~ORDER_KEYS
    server.sessions.kill_all()


async def test_a_check_says_what_is_missing_and_changes_nothing(
    databases: DatabaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(databases, adopted=False) as (legacy, site):
        auditor, shell = await site.signed_in("auditor"), await shell_of(site, capsys)
        await legacy.spine.settle()
        before, waiting = legacy.vendor(), "SELECT count(*) FROM log_pending"
        found = await weights(auditor)
        assert found["sign_in"] == found["rights"] == found["options"] == found["time_zone"] == "fine"
        assert found["api_rights"] == "fine"
        code, out, _ = await shell.run("systems", "check", SYSTEM)
        assert code == 0, out
        assert out.startswith(f"{SYSTEM}: ready; locks as listed ")

        lose_a_right(legacy)
        assert (await weights(auditor))["rights"] == "stops"
        code, out, _ = await shell.run("systems", "check", SYSTEM)
        assert code == 1
        assert "MISSING: The service user lacks 1 right." in out
        assert "    order keys: to send a key what was planned for it" in out
        assert "Do: give the service user these rights in iLOQ Manager. (iLOQ administrator)" in out
        assert legacy.vendor() == before
        assert (await legacy.spine.fetch(waiting))[0]["count"] == 0, "nothing goes on the log"


async def test_a_vendor_that_is_down_is_said_to_be_unchecked_and_not_fine(
    databases: DatabaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(databases, adopted=False) as (legacy, site):
        await legacy.spine.settle()
        legacy.spine.world.faults.add(Fault(operation="GET LockGroups", effect="status:500"))
        assert (await weights(await site.signed_in("auditor")))["account"] == "not_checked"
        shell = await shell_of(site, capsys)
        code, answer = await shell.json("systems", "check", SYSTEM)
        assert (code, answer["ready"]) == (3, False)


async def test_who_may_check_and_what_there_is_to_check(databases: DatabaseServer) -> None:
    async with served(databases, adopted=False) as (_, site):
        nobody, auditor = await site.signed_in(), await site.signed_in("auditor")
        assert (await nobody.get(PATH)).status_code == 403
        assert (await auditor.get("/api/v1/key-systems/elsewhere/check")).status_code == 404


async def test_a_person_lets_key2xs_sign_in_again_and_notes_what_was_tried_at_a_lock(
    databases: DatabaseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(databases, adopted=False) as (legacy, site):
        auditor = await site.signed_in("auditor")
        manager = await site.signed_in("security_manager")
        [lock] = await legacy.spine.fetch("SELECT marking FROM key_lock ORDER BY marking LIMIT 1")
        sign_in = f"/api/v1/key-systems/{SYSTEM}/sign-in"
        limits = f"/api/v1/key-systems/{SYSTEM}/locks/{lock['marking']}/limits"
        for path, body in ((sign_in, {}), (limits, {"honours_limits": "no"})):
            assert (await auditor.post(path, json={"reason": "put right", **body})).status_code == 403
            assert (await manager.post(path, json={"reason": "", **body})).status_code == 400
            assert (await manager.post(path, json={"reason": "put right", **body})).status_code == 200
        answer = await manager.post(limits, json={"honours_limits": "no", "reason": "put right"})
        assert answer.json() == {"system": SYSTEM, "lock": lock["marking"], "honours_limits": "no"}
        [row] = await legacy.spine.fetch("SELECT sign_in_again_at FROM key_system WHERE name = $1", SYSTEM)
        assert row["sign_in_again_at"] == legacy.spine.now
        assert (await weights(auditor))["limits_ignored"] == "weakens"
        nowhere = f"/api/v1/key-systems/{SYSTEM}/locks/nowhere/limits"
        answer = await manager.post(nowhere, json={"honours_limits": "no", "reason": "put right"})
        assert answer.status_code == 404
        shell = Shell(site.app, await token_of(site, "auditor"), capsys)
        code, out, err = await shell.run("systems", "sign-in-again", SYSTEM, "--reason", "put right")
        assert code != 0, out + err


async def test_nobody_calls_a_site_that_subscribed_to_nothing(databases: DatabaseServer) -> None:
    async with served(databases, adopted=False) as (_, site):
        answer = await site.client().post(f"/webhooks/iloq/{SYSTEM}", content=b"{}")
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:key2xs:problem:hook-404"
