"""A person's data: opened for a purpose with a trace, one's own page, one-time codes, retention under holds."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from key2xs.access.holds import Holds
from key2xs.access.retention import RetentionLoop
from key2xs.access.throttle import CODE_BURST
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import PersonId, new_id
from key2xs.core.settings import parse_settings
from key2xs.keys.retention import UNLINKED
from key2xs.ledger import Entry
from tests.api.conftest import Site
from tests.api.leases import add_keys, give_grant

KEPT = timedelta(days=180)


async def opening(site: Site, person: PersonId | None, at: datetime, key: str = "1001") -> UUID:
    """A row of a lock's log, as it is stored once classed."""
    event_id = new_id()
    async with site.services.database.transaction() as tx:
        found = await site.services.registry.find_key(tx, key)
        assert found is not None
        subjects = (f"person:{person}",) if person else ()
        entry = await site.services.ledger.record(
            tx,
            Entry(
                kind="keys:opening:observe",
                occurred_at=at,
                recorded_at=at,
                actor="system:locks",
                subjects=subjects,
            ),
        )
        await tx.execute(
            "INSERT INTO key_event (id, system_id, vendor_event_id, occurred_at, time_quality, arrived_at, "
            "lock_external_id, key_id, person_id, person_certain, outcome, class, why, raw_type, recorded_at, entry) "
            "VALUES ($1, $2, $3, $4, 'exact', $4, 'v-lock', $5, $6, true, 'opened', 'expected', 'permit', 0, $4, $7)",
            event_id, found.system_id, str(event_id), at, found.id, person, entry,
        )  # fmt: skip
    return event_id


async def named(site: Site) -> set[UUID]:
    async with site.services.database.read() as tx:
        return {row["id"] for row in await tx.fetch("SELECT id FROM key_event WHERE person_id IS NOT NULL")}


def asked(site: Site, **other: Any) -> dict[str, Any]:
    now = site.clock.now()
    said = {
        "purpose": "incident",
        "reason": "valve 12 was open",
        "begins": now - timedelta(days=2),
        "ends": now,
    }
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in (said | other).items()
    }


# --- histories ----------------------------------------------------------------------------------------------


async def test_a_history_is_opened_for_a_purpose_and_the_person_sees_who_and_why(site: Site) -> None:
    await add_keys(site, "1001")
    manager = await site.signed_in("security_manager")
    worker = await site.signed_in("worker")
    person = PersonId(UUID((await worker.get("/api/v1/session")).json()["person"]))
    other = await site.person("Other")
    mine = await opening(site, person, site.clock.now() - timedelta(hours=3))
    await opening(site, person, site.clock.now() - timedelta(days=3))
    await opening(site, other, site.clock.now() - timedelta(hours=2))
    answer = await manager.post(f"/api/v1/persons/{person}/history", json=asked(site, case="INC-7"))
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["openings"]) == 1
    own = (await worker.get("/api/v1/me")).json()
    (look,) = own["looks"]
    assert (look["purpose"], look["reason"], look["case"]) == ("incident", "valve 12 was open", "INC-7")
    assert look["roles"] == ["security_manager"]
    assert len(own["openings"]) == 2
    assert str(mine) not in answer.text  # openings are shown, not numbered for tracking
    assert (await site.kinds())[-1] == "identity:history:open"


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": "performance"},
        {"purpose": ""},
        {"reason": "why"},
        {"begins": "2026-01-01T00:00:00Z"},
        {"begins": "2026-03-02T17:00:00Z", "ends": "2026-03-02T17:00:00Z"},
        {"begins": "2026-04-02T17:00:00Z", "ends": "2026-04-03T17:00:00Z"},
        {"case": "x\ny"},
    ],
)
async def test_a_history_without_a_purpose_of_the_list_is_refused_and_leaves_nothing(
    site: Site, wrong: dict[str, str]
) -> None:
    manager, person = await site.signed_in("security_manager"), await site.person()
    answer = await manager.post(f"/api/v1/persons/{person}/history", json=asked(site, **wrong))
    assert answer.status_code == 400, answer.text
    assert "identity:history:open" not in await site.kinds()


async def test_only_who_may_opens_a_history_and_some_only_with_a_second_person(site: Site) -> None:
    person = await site.person()
    path = f"/api/v1/persons/{person}/history"
    leader, hse = await site.signed_in("shift_leader"), await site.signed_in("hse")
    manager = await site.signed_in("security_manager")
    assert (await leader.post(path, json=asked(site))).status_code == 403
    body = asked(site, purpose="safety_investigation")
    waits = await hse.post(path, json=body)
    assert waits.json()["type"] == "urn:key2xs:problem:second-person"
    assert "identity:history:open" not in await site.kinds()
    proposal = waits.json()["proposal"]
    assert (await manager.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 200
    assert (await hse.post(path, json=body)).status_code == 200
    assert (await site.kinds()).count("identity:history:open") == 1


async def test_showing_a_name_leaves_a_trace_too(site: Site) -> None:
    leader, worker = await site.signed_in("shift_leader"), await site.signed_in("worker")
    person = (await worker.get("/api/v1/session")).json()["person"]
    await leader.post(f"/api/v1/persons/{person}/reveal", json={"purpose": "call to the gate"})
    (look,) = (await worker.get("/api/v1/me")).json()["looks"]
    assert (look["what"], look["reason"]) == ("name", "call to the gate")


# --- one's own page -----------------------------------------------------------------------------------------


async def test_ones_own_page_shows_oneself_and_nobody_else(site: Site) -> None:
    await add_keys(site, "1001", "1002")
    worker, leader = await site.signed_in("worker"), await site.signed_in("shift_leader")
    person = PersonId(UUID((await worker.get("/api/v1/session")).json()["person"]))
    other = PersonId(UUID((await leader.get("/api/v1/session")).json()["person"]))
    await give_grant(site, person)
    await give_grant(site, other)
    async with site.services.database.transaction() as tx:
        for who, stamp in ((person, "1001"), (other, "1002")):
            key = await site.services.registry.get_key(tx, stamp)
            await site.services.custody.hand_out(tx, key.id, who, actor="system:test", at=site.clock.now())
    answer = await worker.get("/api/v1/me")
    own = answer.json()
    assert [key["stamp"] for key in own["keys"]] == ["1001"]
    assert len(own["may_open"]) == 1
    assert own["kept_days"] == 180
    assert any(source["source"] == "entra" for source in own["sources"])
    assert str(other) not in answer.text
    assert "1002" not in answer.text
    # A worker has no permission: every other address is closed to him.
    for path in ("/api/v1/keys", "/api/v1/permits", f"/api/v1/persons/{person}", "/api/v1/status"):
        assert (await worker.get(path)).status_code == 403, path


async def test_ones_own_page_is_for_people_who_sign_in(site: Site) -> None:
    unlinked = await site.signed_in("auditor", person=False)
    assert (await unlinked.get("/api/v1/me")).status_code == 403
    token = await site.with_token("auditor")
    assert (await token.get("/api/v1/me")).status_code == 403


async def test_a_code_opens_ones_own_page_once_for_ten_minutes_and_nothing_else(site: Site) -> None:
    desk, person, other = await site.signed_in("key_desk"), await site.person(), await site.person("Other")
    made = await desk.post(f"/api/v1/persons/{person}/code")
    assert made.status_code == 201, made.text
    code = made.json()["code"]
    client = site.client()
    began = await client.post("/api/v1/session/code", json={"code": code.lower()})
    assert began.status_code == 201, began.text
    assert (await client.get("/api/v1/me")).json()["person"] == str(person)
    assert (await site.client().post("/api/v1/session/code", json={"code": code})).status_code == 401
    client.headers["X-CSRF-Token"] = began.json()["csrf"]
    for method, path in (
        ("GET", "/api/v1/tokens"),
        ("GET", "/api/v1/sessions"),
        ("GET", "/api/v1/cylinders"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/session/password"),
    ):
        assert (
            await client.request(method, path, json={} if method == "POST" else None)
        ).status_code == 403, path
    site.wall.advance_to(site.wall.now() + timedelta(minutes=15))
    assert (await client.get("/api/v1/me")).status_code == 401
    late = (await desk.post(f"/api/v1/persons/{other}/code")).json()["code"]
    site.wall.advance_to(site.wall.now() + timedelta(minutes=10))
    assert (await site.client().post("/api/v1/session/code", json={"code": late})).status_code == 401


async def test_a_new_code_voids_the_old_one_and_guessing_is_slow(site: Site) -> None:
    desk, person = await site.signed_in("key_desk"), await site.person()
    old = (await desk.post(f"/api/v1/persons/{person}/code")).json()["code"]
    new = (await desk.post(f"/api/v1/persons/{person}/code")).json()["code"]
    client = site.client()
    assert (await client.post("/api/v1/session/code", json={"code": old})).status_code == 401
    assert (await client.post("/api/v1/session/code", json={"code": new})).status_code == 201
    assert (await client.delete("/api/v1/session", headers={"X-CSRF-Token": "0" * 64})).status_code == 403
    answers = [
        (await site.client().post("/api/v1/session/code", json={"code": "WRONG"})).status_code
        for _ in range(CODE_BURST + 1)
    ]
    assert answers[-1] == 429
    async with site.services.database.read() as tx:
        rows = await tx.fetch("SELECT access_code::text AS row FROM access_code")
    assert not [row for row in rows if new.replace("-", "") in row["row"]]


async def test_a_code_ends_what_was_open_before_of_that_person_and_in_that_browser(site: Site) -> None:
    desk, person, other = await site.signed_in("key_desk"), await site.person(), await site.person("Other")

    async def begin(client: Any, who: PersonId) -> None:
        code = (await desk.post(f"/api/v1/persons/{who}/code")).json()["code"]
        assert (await client.post("/api/v1/session/code", json={"code": code})).status_code == 201

    first, elsewhere, second = site.client(), site.client(), site.client()
    await begin(first, person)
    await begin(elsewhere, other)
    await begin(second, person)
    assert (await first.get("/api/v1/me")).status_code == 401
    assert (await second.get("/api/v1/me")).status_code == 200
    assert (await elsewhere.get("/api/v1/me")).status_code == 200
    # A browser that somebody left signed in is his no more.
    left = await site.signed_in("key_desk")
    was = left.cookies["key2xs"]
    await begin(left, other)
    again = site.client(cookies={"key2xs": was})
    assert (await again.get("/api/v1/session")).status_code == 401
    assert (await elsewhere.get("/api/v1/me")).status_code == 401


# --- personnel numbers out of addresses -----------------------------------------------------------------------


async def test_a_personnel_number_is_refused_in_an_address_and_taken_in_a_body(site: Site) -> None:
    client = await site.signed_in("auditor")
    for path in ("/api/v1/explain?cylinder=CDU-001&person=", "/api/v1/exposure?person="):
        answer = await client.get(f"{path}personnel_no:00004344")
        assert answer.status_code == 400, path
        assert "body" in answer.json()["detail"]
    asked_ = {"person": "personnel_no:00004344", "cylinder": "CDU-001"}
    assert (await client.post("/api/v1/explain", json=asked_)).status_code == 404  # looked for, and not known
    assert (
        await client.post("/api/v1/exposure", json={"person": "personnel_no:00004344"})
    ).status_code == 404


# --- retention ------------------------------------------------------------------------------------------------


def loop(site: Site, batch: int = 1000) -> RetentionLoop:
    services = site.services
    return RetentionLoop(
        services.database, services.ledger, Holds(services.ledger, services.vault), KEPT, batch=batch
    )


async def test_openings_lose_the_person_after_half_a_year_and_not_before(site: Site) -> None:
    await add_keys(site, "1001")
    now, person = site.clock.now(), await site.person()
    old = await opening(site, person, now - KEPT - timedelta(minutes=1))
    young = await opening(site, person, now - KEPT + timedelta(minutes=1))
    assert await loop(site).step(now) == now + timedelta(days=1)
    assert await named(site) == {young}
    assert old not in await named(site)
    assert (await site.kinds())[-1] == "keys:opening:unlink"
    before = len(await site.kinds())
    await loop(site).step(now)
    assert len(await site.kinds()) == before  # nothing due, nothing told


async def test_retention_works_in_batches_and_says_when_more_waits(site: Site) -> None:
    await add_keys(site, "1001")
    now, person = site.clock.now(), await site.person()
    for minutes in range(5):
        await opening(site, person, now - KEPT - timedelta(minutes=1 + minutes))
    running = loop(site, batch=2)
    steps = 0
    while await running.step(now) == now:
        steps += 1
    assert steps == 2
    assert await named(site) == set()


async def test_who_had_a_key_that_long_ago_is_forgotten_too(site: Site) -> None:
    keys = await add_keys(site, "1001", "1002")
    now, person = site.clock.now(), await site.person()
    custody = site.services.custody
    async with site.services.database.transaction() as tx:
        for stamp in ("1001", "1002"):
            await custody.hand_out(tx, keys[stamp], person, actor="system:test", at=now)
        await custody.take_back(tx, keys["1001"], actor="system:test", at=now + timedelta(hours=8))
    later = now + KEPT + timedelta(days=1)
    await loop(site).step(later)
    async with site.services.database.read() as tx:
        assert await custody.holder_at(tx, keys["1001"], now + timedelta(hours=1)) in (None, UNLINKED)
        assert await custody.holder_at(tx, keys["1002"], later) == person  # has it still
        text = str(
            await tx.fetch(
                "SELECT key_id::text, person_id::text FROM key_handling WHERE key_id = $1", keys["1001"]
            )
        )
    assert str(person) not in text


@pytest.mark.parametrize("everybody", [True, False])
async def test_a_legal_hold_keeps_what_it_names_and_ends(site: Site, everybody: bool) -> None:
    await add_keys(site, "1001")
    now, held, other = site.clock.now(), await site.person("Held"), await site.person("Other")
    mine, theirs = [await opening(site, who, now - KEPT - timedelta(days=1)) for who in (held, other)]
    one, ciso = await site.signed_in("security_manager"), await site.signed_in("ciso")
    body: dict[str, Any] = {"reason": "case 4711", "until": (now + timedelta(days=30)).isoformat()}
    body |= {} if everybody else {"person": str(held)}
    waits = (await one.post("/api/v1/holds", json=body)).json()["proposal"]
    await loop(site).step(now - timedelta(days=2))  # nothing is due yet
    assert await named(site) == {mine, theirs}
    await ciso.post(f"/api/v1/proposals/{waits}/confirm")
    assert (await one.post("/api/v1/holds", json=body)).status_code == 201
    await loop(site).step(now)
    assert await named(site) == ({mine, theirs} if everybody else {mine})
    await loop(site).step(now + timedelta(days=30))
    assert await named(site) == set()


async def test_a_hold_ends_early_by_two_people(site: Site) -> None:
    one, ciso = await site.signed_in("security_manager"), await site.signed_in("ciso")
    by = await site.access.sessions.recognise(one.cookies["key2xs"])
    assert by is not None
    async with site.services.database.transaction() as tx:
        hold = await site.access.holds.make(
            tx,
            by,
            person_id=None,
            reason="case 4711",
            until=site.clock.now() + timedelta(days=9),
            at=site.clock.now(),
        )
    path, body = f"/api/v1/holds/{hold}/end", {"reason": "case closed"}
    waits = (await one.post(path, json=body)).json()["proposal"]
    assert (await ciso.get("/api/v1/holds")).json()["items"][0]["ended_at"] is None
    await ciso.post(f"/api/v1/proposals/{waits}/confirm")
    assert (await one.post(path, json=body)).status_code == 204
    assert (await ciso.get("/api/v1/holds")).json()["items"][0]["ended_at"] is not None


def test_less_than_ninety_days_cannot_be_set() -> None:
    assert parse_settings({"privacy": {"named_event_days": 90}}).privacy.kept == timedelta(days=90)
    with pytest.raises(InvalidInput):
        parse_settings({"privacy": {"named_event_days": 89}})


# --- ending and erasing -----------------------------------------------------------------------------------------


async def test_a_person_and_a_contract_are_ended_with_a_reason(site: Site) -> None:
    manager, coordinator = (
        await site.signed_in("security_manager"),
        await site.signed_in("contractor_coordinator"),
    )
    person = await site.person()
    assert (
        await coordinator.post(f"/api/v1/persons/{person}/end", json={"reason": "left us"})
    ).status_code == 403
    done = await coordinator.post(f"/api/v1/persons/{person}/end-contract", json={"reason": "job done early"})
    assert done.status_code == 200, done.text
    assert (await manager.post(f"/api/v1/persons/{person}/end", json={})).status_code == 400
    assert (
        await manager.post(f"/api/v1/persons/{person}/end", json={"reason": "left us"})
    ).status_code == 200
    assert (
        await manager.post(f"/api/v1/persons/{person}/end", json={"reason": "left us"})
    ).status_code == 409
    auditor = await site.signed_in("auditor")
    found = (await auditor.get(f"/api/v1/persons/{person}")).json()
    assert found["active"] == "no"


async def test_erasing_takes_two_people_and_waits_for_keys_and_holds(site: Site) -> None:
    manager, ciso = await site.signed_in("security_manager"), await site.signed_in("ciso")
    person = await site.person("Joris Hofmeent")
    path, body = f"/api/v1/persons/{person}/erase", {"reason": "asked for it, GDPR 17"}

    async def both() -> Any:
        waits = await manager.post(path, json=body)
        await ciso.post(f"/api/v1/proposals/{waits.json()['proposal']}/confirm")
        return await manager.post(path, json=body)

    assert (await both()).status_code == 409  # active
    await manager.post(f"/api/v1/persons/{person}/end", json={"reason": "left us"})
    done = await both()
    assert done.status_code == 200, done.text
    shown = await manager.post(f"/api/v1/persons/{person}/reveal", json={"purpose": "see whether"})
    assert shown.json()["name"] is None


async def test_a_permit_systems_own_word_is_mapped_by_the_administrator(site: Site) -> None:
    admin = await site.signed_in("administrator")
    body = {"native": "In Uitvoering", "canonical": "live", "reason": "Dutch release of the e-PTW"}
    assert (await admin.post("/api/v1/permit-sources/eptw/states", json=body)).status_code == 200
    assert (await admin.post("/api/v1/permit-sources/none/states", json=body)).status_code == 404
    wrong = await admin.post("/api/v1/permit-sources/eptw/states", json={**body, "canonical": "alive"})
    assert wrong.status_code == 400
