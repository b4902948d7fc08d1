"""The authority matrix at work: changed by two people, second person and reason where it says, nobody two people."""

from datetime import timedelta
from uuid import uuid4

import httpx2

from key2xs.access import Permission, shipped_matrix
from key2xs.ledger import Entry
from tests.api.conftest import PASSWORD, Site
from tests.api.plant import import_plant

SHIPPED = shipped_matrix().text


def changed(old: str, new: str) -> str:
    assert old in SHIPPED
    return SHIPPED.replace(old, new)


async def in_force(site: Site, text: str) -> None:
    """Put a matrix in force, as two people would."""
    one, other = await site.user("security_manager"), await site.user("ciso")
    async with site.services.database.transaction() as tx:
        await site.access.authority.put_in_force(
            tx,
            text,
            was=(await site.access.authority.current(tx)).hash,
            proposed_by=one,
            confirmed_by=other,
            at=site.clock.now(),
        )


async def test_a_matrix_changes_by_two_people_who_saw_the_difference(site: Site) -> None:
    one, ciso = await site.signed_in("security_manager"), await site.signed_in("ciso")
    new = changed("soc,keys:key:block,all,no,yes\n", "")
    body = {"matrix": new, "reason": "SOC no longer blocks keys"}
    looked = await one.post("/api/v1/authority", json={**body, "dry_run": True})
    assert looked.status_code == 200
    (change,) = looked.json()["changes"]
    assert (change["role"], change["permission"], change["after"]) == ("soc", "keys:key:block", None)
    proposed = await one.post("/api/v1/authority", json=body)
    assert proposed.status_code == 202
    path = f"/api/v1/proposals/{proposed.json()['proposal']}/confirm"
    assert (await one.post(path)).status_code == 403
    assert (await one.get("/api/v1/authority")).json()["version"] == 0
    soc = await site.signed_in("soc")
    assert "keys:key:block" in (await soc.get("/api/v1/session")).json()["permissions"]
    confirmed = await ciso.post(path)
    assert confirmed.status_code == 200, confirmed.text
    now = (await one.get("/api/v1/authority")).json()
    assert (now["version"], now["hash"]) == (1, proposed.json()["hash"])
    assert "keys:key:block" not in (await soc.get("/api/v1/session")).json()["permissions"]
    assert (await one.get("/api/v1/authority.csv")).text == new
    assert (await site.kinds())[-1] == "access:matrix:change"


async def test_a_matrix_confirmed_after_another_came_into_force_is_refused(site: Site) -> None:
    one, ciso = await site.signed_in("security_manager"), await site.signed_in("ciso")
    body = {"matrix": changed("soc,keys:key:block,all,no,yes\n", ""), "reason": "SOC no longer blocks"}
    proposed = (await one.post("/api/v1/authority", json=body)).json()
    await in_force(site, changed("hse,keys:event:read,all,no,no\n", ""))
    late = await ciso.post(f"/api/v1/proposals/{proposed['proposal']}/confirm")
    assert late.status_code == 409
    assert "another matrix" in late.json()["detail"]


async def test_a_matrix_that_cannot_stand_names_its_row(site: Site) -> None:
    client = await site.signed_in("security_manager")
    bad = SHIPPED + "administrator,keys:custody:change,all,no,no\n"
    answer = await client.post("/api/v1/authority", json={"matrix": bad, "reason": "try it"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "role"
    assert "administrator" in answer.json()["detail"]
    same = await client.post("/api/v1/authority", json={"matrix": SHIPPED, "reason": "try it"})
    assert same.status_code == 409
    auditor = await site.signed_in("auditor")
    assert (
        await auditor.post("/api/v1/authority", json={"matrix": SHIPPED, "reason": "x y z"})
    ).status_code == 403


async def test_a_stored_matrix_that_cannot_be_read_lets_nobody_do_anything(site: Site) -> None:
    client = await site.signed_in("security_manager")
    await in_force(site, changed("soc,keys:key:block,all,no,yes\n", ""))
    site.access.authority._known.clear()
    async with site.services.database.transaction() as tx:
        # A version that was written by another version of the product.
        at = site.clock.now()
        entry = await site.services.ledger.record(
            tx,
            Entry(
                kind="access:matrix:change", occurred_at=at, recorded_at=at, actor="system:test", subjects=()
            ),
        )
        await tx.execute(
            "INSERT INTO access_matrix SELECT version + 1, hash, 'nonsense', proposed_by, confirmed_by, "
            "active_from, $1 FROM access_matrix",
            entry,
        )
    assert (await client.get("/api/v1/cylinders")).status_code == 500


async def ask_twice(
    first: httpx2.AsyncClient, second: httpx2.AsyncClient, path: str, body: dict[str, str]
) -> httpx2.Response:
    asked = await first.post(path, json=body)
    assert asked.status_code == 403, asked.text
    assert asked.json()["type"] == "urn:key2xs:problem:second-person"
    confirmed = await second.post(f"/api/v1/proposals/{asked.json()['proposal']}/confirm")
    assert confirmed.status_code == 200, confirmed.text
    return await first.post(path, json=body)


async def test_what_takes_two_is_done_once_and_only_as_it_was_confirmed(site: Site) -> None:
    one, other = await site.signed_in("security_manager"), await site.signed_in("ciso")
    body = {
        "reason": "case 4711, public prosecutor",
        "until": (site.clock.now() + timedelta(days=90)).isoformat(),
    }
    asked = await one.post("/api/v1/holds", json=body)
    proposal = asked.json()["proposal"]
    # Asking again does not make another proposal, nor does it do anything.
    assert (await one.post("/api/v1/holds", json=body)).json()["proposal"] == proposal
    assert (await one.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 403
    listed = (await other.get("/api/v1/proposals")).json()["items"]
    assert listed[0]["payload"]["path"] == "/api/v1/holds"
    assert listed[0]["reason"] == "case 4711, public prosecutor"
    assert "prosecutor" not in str(listed[0]["payload"])
    assert (await other.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 200
    # Another request is another act; somebody else's too.
    assert (
        await one.post(
            "/api/v1/holds", json={**body, "until": (site.clock.now() + timedelta(days=91)).isoformat()}
        )
    ).status_code == 403
    assert (await other.post("/api/v1/holds", json=body)).status_code == 403
    assert (await one.post("/api/v1/holds", json=body)).status_code == 201
    assert (await one.post("/api/v1/holds", json=body)).status_code == 403  # once


async def test_a_word_that_a_route_does_not_know_clears_nothing(site: Site) -> None:
    """`dry_run` is for routes that only look then; anywhere else it would be a way around the second person."""
    await in_force(
        site,
        changed("administrator,access:user:manage,all,no,no", "administrator,access:user:manage,all,yes,yes"),
    )
    admin, victim = await site.signed_in("administrator"), await site.user("soc")
    path, why = f"/api/v1/users/{victim}/disable", {"Key2XS-Reason": "left the site"}
    assert (await admin.post(path, json={"dry_run": True})).status_code == 400
    asked = await admin.post(path, json={"dry_run": True}, headers=why)
    assert asked.json()["type"] == "urn:key2xs:problem:second-person"
    async with site.services.database.read() as tx:
        assert (await site.access.users.get(tx, victim)).disabled_at is None


async def test_a_form_is_confirmed_with_all_it_says(site: Site) -> None:
    """A field that stands twice is not taken for the one that was confirmed."""
    await in_force(
        site,
        changed(
            "administrator,access:user:manage,all,no,no",
            "administrator,access:user:manage,all,yes,no",
        ),
    )
    admin, other = await site.signed_in("administrator"), await site.signed_in("administrator")
    user = await site.user("soc")
    path = f"/administration/users/{user}"
    form = {"act": "roles", "roles": ["hse"], "reason": "moves to HSE"}
    asked = await admin.post(path, data=form)
    assert asked.headers["location"] == "/requests?done=second-asked", asked.text
    async with site.services.database.read() as tx:
        (waits,) = await site.access.proposals.list(tx, site.clock.now(), only_open=True)
    assert waits.payload["shown"]["roles"] == "hse"
    assert (await other.post(f"/api/v1/proposals/{waits.id}/confirm")).status_code == 200
    wide = await admin.post(path, data={**form, "roles": ["security_manager", "hse"]})
    assert wide.headers["location"] == "/requests?done=second-asked"
    async with site.services.database.read() as tx:
        assert (await site.access.users.get(tx, user)).roles == ("soc",)
    assert (await admin.post(path, data=form)).headers["location"] == "/administration?done=changed"


async def test_no_matrix_leaves_fewer_than_two_people_who_can_change_it(site: Site) -> None:
    one = await site.signed_in("security_manager")
    await site.user("ciso", person=False)
    body = {"matrix": changed("soc,keys:key:block,all,no,yes\n", ""), "reason": "SOC no more"}
    alone = await one.post("/api/v1/authority", json=body)
    assert alone.status_code == 409
    assert "fewer than two people" in alone.json()["detail"]
    await site.user("ciso")
    assert (await one.post("/api/v1/authority", json=body)).status_code == 202
    without = changed("security_manager,access:matrix:change,all,yes,yes\n", "")
    only = await one.post("/api/v1/authority", json={"matrix": without, "reason": "only the CISO"})
    assert only.status_code == 409


async def test_a_confirmation_does_not_wait_for_ever(site: Site) -> None:
    one, other = await site.signed_in("security_manager"), await site.signed_in("ciso")
    body = {"reason": "case 4711", "until": (site.clock.now() + timedelta(days=90)).isoformat()}
    proposal = (await one.post("/api/v1/holds", json=body)).json()["proposal"]
    await other.post(f"/api/v1/proposals/{proposal}/confirm")
    site.clock.advance_to(site.clock.now() + timedelta(hours=1))
    assert (await one.post("/api/v1/holds", json=body)).status_code == 403


async def test_a_matrix_can_ask_for_a_second_person_inside_an_act(site: Site) -> None:
    await in_force(site, changed("soc,grants:lease:revoke,all,no,yes", "soc,grants:lease:revoke,all,yes,yes"))
    soc, leader = await site.signed_in("soc"), await site.signed_in("shift_leader")
    person = str(await site.person("Somebody"))
    body = {"reason": "left the site", "person": person}
    assert (await soc.post("/api/v1/revoke", json={**body, "dry_run": True})).status_code == 200
    done = await ask_twice(soc, leader, "/api/v1/revoke", body)
    assert done.status_code == 200, done.text
    assert (
        await leader.post("/api/v1/revoke", json=body)
    ).status_code == 200  # the leader's row asks for nobody


async def test_a_matrix_can_ask_for_a_reason_beside_an_act(site: Site) -> None:
    await in_force(
        site,
        changed("administrator,access:user:manage,all,no,no", "administrator,access:user:manage,all,no,yes"),
    )
    admin = await site.signed_in("administrator")
    new = {"login": "new", "roles": ["soc"]}
    refused = await admin.post("/api/v1/users", json=new)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "reason"
    made = await admin.post("/api/v1/users", json=new, headers={"Key2XS-Reason": "replaces J. de Vries"})
    assert made.status_code == 201, made.text
    async with site.services.database.read() as tx:
        row = await tx.fetchrow("SELECT body FROM log_body WHERE kind = 'access:act:explain'")
    assert row is not None
    assert "Vries" not in str(row["body"])
    assert await site.services.ledger.reveal(row["body"]["reason"]) == "replaces J. de Vries"


async def test_typed_reasons_stand_sealed_on_the_log_whoever_writes_them(site: Site) -> None:
    leader = await site.signed_in("shift_leader")
    person = str(await site.person("Somebody"))
    await leader.post("/api/v1/revoke", json={"reason": "Piet Paulusma left", "person": person})
    manager = await site.signed_in("security_manager")
    await manager.post(
        "/api/v1/holds", json={"reason": "Piet Paulusma again", "until": "2026-04-02T17:00:00Z"}
    )
    async with site.services.database.read() as tx:
        for table in ("log_body", "access_proposal", "access_hold", "access_look"):
            rows = await tx.fetch(f"SELECT {table}::text AS row FROM {table}")
            assert not [row for row in rows if "Paulusma" in row["row"]], table


# --- an administrator is never two people ---------------------------------------------------------------


async def login(site: Site, name: str, password: str) -> httpx2.AsyncClient:
    client = site.client()
    answer = await client.post("/api/v1/session", json={"login": name, "password": password})
    assert answer.status_code == 201, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return client


async def test_an_administrator_who_resets_two_passwords_is_not_two_people(site: Site) -> None:
    admin = await site.signed_in("administrator")
    first = await site.user("security_manager", login="anna")
    second = await site.user("security_manager", login="bert")
    third = await site.signed_in("ciso")
    passwords = {
        user: (await admin.post(f"/api/v1/users/{user}/password", json={"reason": "forgotten"})).json()[
            "one_time_password"
        ]
        for user in (first, second)
    }
    anna, bert = await login(site, "anna", passwords[first]), await login(site, "bert", passwords[second])
    body = {"matrix": changed("soc,keys:key:block,all,no,yes\n", ""), "reason": "let me in"}
    path = f"/api/v1/proposals/{(await anna.post('/api/v1/authority', json=body)).json()['proposal']}/confirm"
    refused = await bert.post(path)
    assert refused.status_code == 403
    assert "less than a day ago" in refused.json()["detail"]
    until = (site.clock.now() + timedelta(hours=24)).strftime("%Y-%m-%d %H:%M UTC")
    assert f"Your account counts from {until} on" in refused.json()["detail"]
    # Neither with an honest second half: the proposer is as doubtful.
    why = (await third.post(path)).json()["detail"]
    assert "account that proposed it" in why
    assert f"The account that proposed it counts from {until} on" in why
    # A day later its owner had time to notice, and both may again.
    site.clock.advance_to(site.clock.now() + timedelta(hours=24))
    late = (await anna.post("/api/v1/authority", json=body)).json()["proposal"]
    assert (await bert.post(f"/api/v1/proposals/{late}/confirm")).status_code == 200


async def test_whoever_changes_accounts_confirms_nothing_for_a_day(site: Site) -> None:
    async with site.services.database.transaction() as tx:
        person = await site.person("An administrator")
        made = await site.access.users.make(
            tx, login="root", roles=["administrator"], actor="system:test", at=site.clock.now(),
            person_id=person, password=PASSWORD,
        )  # fmt: skip
    admin, one = await login(site, "root", PASSWORD), await site.signed_in("security_manager")
    target = await site.user("soc", login="carla")
    assert (
        await admin.post(
            f"/api/v1/users/{target}/person", json={"person": str(await site.person("C")), "reason": "is C"}
        )
    ).status_code == 200
    listed = {each["id"]: each for each in (await admin.get("/api/v1/users")).json()["items"]}
    assert listed[str(made)]["not_second_until"] is not None
    assert listed[str(target)]["not_second_until"] is not None
    # Another administrator makes the first one a security manager: he is still no second person today.
    other = await site.signed_in("administrator")
    await other.post(
        f"/api/v1/users/{made}/roles",
        json={"roles": ["security_manager"], "person": str(person), "reason": "other work"},
    )
    manager = await login(site, "root", PASSWORD)
    body = {"reason": "case 4711", "until": (site.clock.now() + timedelta(days=9)).isoformat()}
    proposal = (await one.post("/api/v1/holds", json=body)).json()["proposal"]
    refused = await manager.post(f"/api/v1/proposals/{proposal}/confirm")
    assert "You changed user accounts" in refused.json()["detail"]


async def test_roles_that_are_never_one_persons_are_refused(site: Site) -> None:
    admin = await site.signed_in("administrator")
    for roles in (["administrator", "key_desk"], ["contractor_coordinator", "permit_issuer"]):
        answer = await admin.post("/api/v1/users", json={"login": "x", "roles": roles, "reason": "why not"})
        assert answer.status_code == 409, roles
        assert "never" in answer.json()["detail"]


async def test_a_token_confirms_nothing_whatever_it_may(site: Site) -> None:
    one = await site.signed_in("security_manager")
    body = {"reason": "case 4711", "until": (site.clock.now() + timedelta(days=9)).isoformat()}
    proposal = (await one.post("/api/v1/holds", json=body)).json()["proposal"]
    token = await site.with_token("ciso", Permission.IDENTITY_HOLD_CHANGE, Permission.GRANTS_LEASE_READ)
    refused = await token.post(f"/api/v1/proposals/{proposal}/confirm")
    assert refused.status_code == 403
    assert "token is nobody" in refused.json()["detail"]


# --- a permission in one unit ---------------------------------------------------------------------------


async def test_a_permission_for_one_unit_approves_there_and_nowhere_else(site: Site) -> None:
    await import_plant(site)
    everywhere, limited = (
        f"permit_issuer,grants:request:approve,{scope},no,no" for scope in ("all", "unit:U1")
    )
    await in_force(site, changed(everywhere, limited))
    issuer = await site.signed_in("permit_issuer")
    unknown = await issuer.post(f"/api/v1/requests/{uuid4()}/approve", json={"reason": "fine"})
    assert unknown.status_code == 404  # let in to ask, because the place decides
    asker = await site.signed_in("security_manager")
    asked = {
        "kind": "approved_request",
        "person": str(await site.person("Holder")),
        "cylinders": ["CDU-001"],
        "ends_at": (site.clock.now() + timedelta(hours=2)).isoformat(),
        "reason": "inspection of the gate",
    }
    request = (await asker.post("/api/v1/requests", json=asked)).json()["id"]
    refused = await issuer.post(f"/api/v1/requests/{request}/approve", json={"reason": "fine"})
    assert refused.status_code == 403
    assert "for unit CDU" in refused.json()["detail"]
    assert (await issuer.post(f"/api/v1/requests/{request}/refuse", json={"reason": "no"})).status_code == 403
    await in_force(site, changed(everywhere, limited.replace("U1", "CDU")))
    assert (
        await issuer.post(f"/api/v1/requests/{request}/approve", json={"reason": "fine"})
    ).status_code == 200


# --- sign-ins and tokens ----------------------------------------------------------------------------------


async def test_sign_ins_are_listed_and_ended_without_their_secret(site: Site) -> None:
    admin, soc = await site.signed_in("administrator"), await site.signed_in("soc")
    own = (await soc.get("/api/v1/sessions")).json()["items"]
    assert len(own) == 1
    everybodys = (await admin.get("/api/v1/sessions")).json()["items"]
    assert len(everybodys) == 2
    assert soc.cookies["key2xs"] not in str(everybodys)
    admins = next(each["id"] for each in everybodys if each["id"] != own[0]["id"])
    assert (
        await soc.post(f"/api/v1/sessions/{admins}/end", json={"reason": "for the test"})
    ).status_code == 403
    assert (
        await admin.post(f"/api/v1/sessions/{own[0]['id']}/end", json={"reason": "for the test"})
    ).status_code == 204
    assert (await soc.get("/api/v1/session")).status_code == 401
    assert (
        await admin.post(f"/api/v1/sessions/{own[0]['id']}/end", json={"reason": "for the test"})
    ).status_code == 404


async def test_a_token_lives_a_year_at_most_ninety_days_as_a_rule_and_tells_its_last_day(site: Site) -> None:
    person = await site.signed_in("auditor")
    body = {"label": "siem", "permissions": ["plant:cylinder:read"], "reason": "the SIEM reads"}
    assert (await person.post("/api/v1/tokens", json={**body, "days": 366})).status_code == 400
    made = (await person.post("/api/v1/tokens", json=body)).json()
    listed = (await person.get("/api/v1/tokens")).json()["items"][0]
    assert listed["used_on"] is None
    assert listed["expires_at"][:10] == (site.wall.now() + timedelta(days=90)).date().isoformat()
    client = site.client(headers={"Authorization": f"Bearer {made['token']}"})
    await client.get("/api/v1/cylinders")
    listed = (await person.get("/api/v1/tokens")).json()["items"][0]
    assert listed["used_on"] == site.wall.now().date().isoformat()
