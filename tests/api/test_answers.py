"""The questions people ask, answered over HTTP about a night in the twin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from key2xs.access import Access, permissions_of
from key2xs.core.postgres import RoleDsns
from key2xs.ledger.log import find_head
from key2xs.ledger.verify import verify_export
from key2xs.runtime import Runtime
from tests.api.conftest import CHEAP
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import twin_id
from tests.support.web import web_side


@dataclass
class Night:
    """The spine, and somebody who asks."""

    spine: Spine
    client: httpx2.AsyncClient

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.json()


@asynccontextmanager
async def night(dsns: RoleDsns, folder: Path) -> AsyncIterator[Night]:
    async with open_spine(dsns, folder, START) as spine:
        services = spine.services
        access = Access(
            services.database, services.ledger, services.vault, services.clock, services.wall, hasher=CHEAP
        )
        roles = ["security_manager", "auditor"]
        async with services.database.transaction() as tx:
            user = await access.users.make(
                tx, login="sm", roles=roles, actor="system:test", at=spine.now, display_name=None
            )
            _, secret = await access.tokens.make(
                tx,
                owner_id=user,
                label="test",
                permissions=permissions_of(roles),
                valid_for=timedelta(days=30),
                actor="system:test",
            )
        app: Any = web_side(services, Runtime(runner=None, database=services.database), access)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://site.test", headers=headers
        ) as client:
            yield Night(spine, client)


async def test_the_answers_follow_a_permit_from_live_to_suspended(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with night(db_dsns, tmp_path) as it:
        spine = it.spine
        person = await spine.person("u1")
        await spine.hand_out("K001", "u1")
        why = await it.get(f"/api/v1/explain?person={person}&cylinder=C1")
        assert why["verdict"] == "deny"
        assert why["missing"][0]["change"]
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))

        who = await it.get("/api/v1/cylinders/C1/who-can-open")
        assert list(who) == ["cylinder", "at", "as_of", "can_open", "unknown"]
        assert who["cylinder"] == "C1"
        assert who["unknown"] == []
        assert datetime.fromisoformat(who["as_of"]) <= datetime.fromisoformat(who["at"]) == spine.now
        (opener,) = who["can_open"]
        assert list(opener) == ["key", "holder", "basis", "grant", "until", "exposure"]
        assert (opener["key"], opener["holder"], opener["basis"]) == ("K001", str(person), "permit_step")
        assert datetime.fromisoformat(opener["until"]) == permit.valid_to
        assert list(opener["exposure"]) == ["kind", "at"]
        assert opener["exposure"]["kind"] == "still_allowed"
        assert (await it.get("/api/v1/cylinders/C2/who-can-open"))["can_open"] == []

        asked = {"person": "iam:u1", "cylinder": "C1"}
        why = (await it.client.post("/api/v1/explain", json=asked)).json()
        assert why["verdict"] == "allow"
        assert why["bases"][0]["reference"].endswith(permit.number)
        assert why["delivery"][0]["progress"] == "delivered"
        shown = await it.get(f"/api/v1/permits/{permit.number}")
        assert (shown["state"], len(shown["grants"])) == ("live", 1)

        fast = await it.get("/api/v1/companies/v017/how-fast")
        assert (fast["people"], fast["grants"], fast["keys"]) == (1, 1, 1)
        assert fast["no_bound"] == []
        assert spine.now < datetime.fromisoformat(fast["bound"]) <= permit.valid_to + timedelta(hours=1)

        spine.ptw.suspend(permit.id, code="shift_end", at=spine.now)
        await spine.send()
        await spine.settle()
        why = await it.get(f"/api/v1/explain?person={person}&cylinder=C1")
        assert why["verdict"] == "deny"
        assert f"permit {permit.number} is suspended" in why["near"]
        await spine.advance(timedelta(minutes=1))
        assert (await it.get("/api/v1/cylinders/C1/who-can-open"))["can_open"] == []
        exposed = await it.get("/api/v1/exposure?key=K001")
        assert exposed["keys"][0]["progress"] == "delivered"


async def test_who_could_open_in_the_past_is_answered_as_it_was(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with night(db_dsns, tmp_path) as it:
        spine = it.spine
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        then = spine.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        spine.ptw.suspend(permit.id, code="shift_end", at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=1))
        past = await it.get(f"/api/v1/cylinders/C1/who-can-open?at={then}")
        assert [each["key"] for each in past["can_open"]] == ["K001"]
        assert (await it.get("/api/v1/cylinders/C1/who-can-open"))["can_open"] == []


async def test_how_fast_a_company_could_be_revoked_is_what_came_true(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    async with night(db_dsns, tmp_path) as it:
        spine = it.spine
        person = await spine.person("u1")
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", "C4", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        spine.world.cut_network(twin_id("key 1"))
        fast = await it.get("/api/v1/companies/v017/how-fast")
        revoked = await it.client.post("/api/v1/revoke", json={"reason": "left", "person": str(person)})
        assert revoked.status_code == 200, revoked.text
        await spine.advance(timedelta(minutes=3))  # somebody is at work: the shift leader is told first
        exposed = await it.get(f"/api/v1/exposure?person={person}")
        kinds = {pair["cylinder"]: pair["kind"] for pair in exposed["keys"][0]["cylinders"]}
        assert kinds == {"C1": "bound", "C4": "bound"}
        # The answer before the act must hold for what came of it, and not by being useless.
        assert fast["no_bound"] == []
        said, came = (datetime.fromisoformat(each) for each in (fast["bound"], exposed["until"]))
        assert came - timedelta(minutes=2) <= said <= came + timedelta(minutes=2)
        assert exposed["keys"][0]["residual"]
        assert exposed["keys"][0]["cylinders"][0]["terms"]


async def test_a_system_that_is_not_read_any_more_makes_the_answer_incomplete(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    async with night(db_dsns, tmp_path) as it:
        await it.spine.advance(timedelta(minutes=1))
        assert (await it.get("/api/v1/cylinders/C1/who-can-open"))["unknown"] == []
        it.spine.clock.advance_to(it.spine.now + timedelta(minutes=10))
        who = await it.get("/api/v1/cylinders/C1/who-can-open")
        assert [each["why"] for each in who["unknown"]] == ["its log was not read for a while"]


async def test_openings_and_alarms_tell_what_nobody_can_explain(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with night(db_dsns, tmp_path) as it:
        spine = it.spine
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        assert spine.try_open("K001", "C1")
        assert not spine.try_open("K001", "C2")
        await spine.advance(timedelta(minutes=2))
        classes = [each["class"] for each in (await it.get("/api/v1/openings"))["items"]]
        assert sorted(classes) == ["expected", "refused"]
        only = (await it.get("/api/v1/openings?class=refused&cylinder=C2"))["items"]
        assert [each["outcome"] for each in only] == ["refused"]
        status = await it.get("/api/v1/status")
        assert status["key_systems"][0]["log_read_at"]
        assert status["readers_behind"] == {}
        health = await it.get("/healthz")
        assert health["status"] == "ok"
        assert await it.get("/api/v1/targets/pending")
        assert await it.get("/api/v1/alarms")


async def test_a_stranger_verifies_the_exported_log_and_every_proof(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    from base64 import b64decode

    from key2xs.ledger.checkpoint import open_checkpoint
    from key2xs.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
    from key2xs.ledger.note import Verifier

    async with night(db_dsns, tmp_path) as it:
        spine = it.spine
        await spine.person("u1")
        await spine.settle()
        async with spine.services.database.read() as tx:
            head = await find_head(tx)
        public = httpx2.AsyncClient(transport=it.client._transport, base_url="http://site.test")
        note = (await public.get("/log/checkpoint")).content
        checkpoint = open_checkpoint(note, Verifier.parse(head.vkey))
        assert checkpoint.size == head.size
        leaf = (await public.get("/log/entries/3")).json()
        proof = (await public.get(f"/log/proof/inclusion?index=3&size={head.size}")).json()
        hashes = [b64decode(each) for each in proof["hashes"]]
        data = b64decode(leaf["leaf"])
        assert b64decode(leaf["leaf_hash"]) == leaf_hash(data)
        assert verify_inclusion(leaf_hash(data), 3, head.size, hashes, checkpoint.root)
        await spine.person("u2")
        await spine.settle()
        newer = open_checkpoint((await public.get("/log/checkpoint")).content, Verifier.parse(head.vkey))
        path = f"/log/proof/consistency?from={checkpoint.size}&to={newer.size}"
        grown = [b64decode(each) for each in (await public.get(path)).json()["hashes"]]
        assert verify_consistency(
            checkpoint.size, newer.size, grown, old_root=checkpoint.root, new_root=newer.root
        )
        assert (await public.get(f"/log/proof/consistency?from=0&to={newer.size}")).status_code == 400
        assert (await public.get(f"/log/proof/inclusion?index=3&size={newer.size + 9}")).status_code == 400
        assert (await public.get("/api/v1/log/export")).status_code == 401

        export = await it.client.get("/api/v1/log/export")
        file = tmp_path / "log.ndjson"
        file.write_bytes(export.content)
        report = verify_export(file, head.vkey)
        assert report.ok, report.problems
        assert report.entries == newer.size
        assert report.openings_checked > 0
        assert b"Family-u1" not in export.content
        await public.aclose()
