"""Users and tokens: less than their owner, shown once, gone when revoked."""

from datetime import timedelta

from key2xs.access import Permission
from tests.api.conftest import Site

WHY = {"reason": "for the test"}


async def test_a_token_can_do_what_it_was_made_for_and_nothing_else(site: Site) -> None:
    client = await site.with_token("auditor", Permission.PLANT_CYLINDER_READ)
    assert (await client.get("/api/v1/cylinders")).status_code == 200
    assert (await client.get("/api/v1/permits")).status_code == 403


async def test_a_token_loses_what_its_owner_loses(site: Site) -> None:
    client = await site.with_token("auditor", Permission.PLANT_CYLINDER_READ, Permission.WORK_PERMIT_READ)
    owner = list(site.users.values())[-1]
    async with site.services.database.transaction() as tx:
        await site.access.users.set_roles(
            tx, owner, roles=["administrator"], person_id=None, actor="system:test", at=site.clock.now()
        )
    assert (await client.get("/api/v1/cylinders")).status_code == 200
    assert (await client.get("/api/v1/permits")).status_code == 403
    async with site.services.database.transaction() as tx:
        await site.access.users.disable(tx, owner, actor="system:test", at=site.clock.now())
    assert (await client.get("/api/v1/cylinders")).status_code == 401


async def test_a_token_ends_by_real_time_and_when_revoked(site: Site) -> None:
    person = await site.signed_in("auditor")
    body = {"label": "siem", "permissions": ["plant:cylinder:read"], "days": 1, **WHY}
    made = (await person.post("/api/v1/tokens", json=body)).json()
    client = site.client(headers={"Authorization": f"Bearer {made['token']}"})
    assert (await client.get("/api/v1/cylinders")).status_code == 200
    listed = (await person.get("/api/v1/tokens")).json()["items"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert made["token"] not in str(listed)
    assert (await person.post(f"/api/v1/tokens/{made['id']}/revoke", json=WHY)).status_code == 204
    assert (await client.get("/api/v1/cylinders")).status_code == 401
    other = (await person.post("/api/v1/tokens", json=body)).json()
    site.wall.advance_to(site.wall.now() + timedelta(days=1))
    late = site.client(headers={"Authorization": f"Bearer {other['token']}"})
    assert (await late.get("/api/v1/cylinders")).status_code == 401


async def test_nobody_makes_a_token_that_can_do_more_than_they_can(site: Site) -> None:
    person = await site.signed_in("auditor")
    body = {"label": "wide", "permissions": ["access:user:manage"], **WHY}
    assert (await person.post("/api/v1/tokens", json=body)).status_code == 403


async def test_a_narrow_token_cannot_make_a_wide_one(site: Site) -> None:
    narrow = await site.with_token("auditor", Permission.PLANT_CYLINDER_READ)
    body = {"label": "x", "permissions": ["plant:cylinder:read"], **WHY}
    assert (await narrow.post("/api/v1/tokens", json=body)).status_code == 403
    manager = await site.with_token("administrator", Permission.ACCESS_TOKEN_MANAGE)
    wide = {"label": "x", "permissions": ["access:user:manage"], **WHY}
    assert (await manager.post("/api/v1/tokens", json=wide)).status_code == 403
    own = {"label": "x", "permissions": ["access:token:manage"], **WHY}
    assert (await manager.post("/api/v1/tokens", json=own)).status_code == 201


async def test_nobody_revokes_the_token_of_somebody_else(site: Site) -> None:
    one, other = await site.signed_in("auditor"), await site.signed_in("auditor")
    body = {"label": "mine", "permissions": ["plant:cylinder:read"], **WHY}
    made = (await one.post("/api/v1/tokens", json=body)).json()
    assert (await other.post(f"/api/v1/tokens/{made['id']}/revoke", json=WHY)).status_code == 403


async def test_only_hashes_of_secrets_are_stored(site: Site) -> None:
    person = await site.signed_in("auditor")
    body = {"label": "siem", "permissions": ["plant:cylinder:read"], **WHY}
    made = (await person.post("/api/v1/tokens", json=body)).json()
    async with site.services.database.read() as tx:
        rows = [
            row["row"]
            for table in ("access_token", "access_session", "access_user", "access_answer", "log_body")
            for row in await tx.fetch(f"SELECT {table}::text AS row FROM {table}")
        ]
    for secret in (made["token"], person.cookies["key2xs"]):
        assert not [row for row in rows if secret in row or secret.encode().hex() in row]


async def test_a_secret_or_a_name_is_never_kept_for_repeats(site: Site) -> None:
    person = await site.signed_in("administrator")
    headers = {"Idempotency-Key": "k1"}
    body = {"label": "x", "permissions": ["plant:cylinder:read"], **WHY}
    assert (await person.post("/api/v1/tokens", json=body, headers=headers)).status_code == 400
    new = {"login": "new", "roles": ["soc"], **WHY}
    assert (await person.post("/api/v1/users", json=new, headers=headers)).status_code == 400
    made = (await person.post("/api/v1/users", json=new)).json()["id"]
    roles = {"roles": ["auditor"], **WHY}
    assert (await person.post(f"/api/v1/users/{made}/roles", json=roles, headers=headers)).status_code == 400
    assert (await person.post(f"/api/v1/users/{made}/disable", json=WHY, headers=headers)).status_code == 400


async def test_two_users_of_one_name_or_one_person_cannot_be(site: Site) -> None:
    admin = await site.signed_in("administrator")
    person = str(await site.person())
    first = {"login": "one", "roles": ["soc"], "person": person, **WHY}
    assert (await admin.post("/api/v1/users", json=first)).status_code == 201
    assert (
        await admin.post("/api/v1/users", json={"login": "ONE", "roles": ["soc"], **WHY})
    ).status_code == 409
    second = {"login": "two", "roles": ["soc"], "person": person, **WHY}
    assert (await admin.post("/api/v1/users", json=second)).status_code == 409


async def test_every_change_of_a_user_is_on_the_log(site: Site) -> None:
    admin = await site.signed_in("administrator")
    made = (await admin.post("/api/v1/users", json={"login": "x", "roles": ["soc"], **WHY})).json()
    await admin.post(f"/api/v1/users/{made['id']}/roles", json={"roles": ["auditor"], **WHY})
    await admin.post(f"/api/v1/users/{made['id']}/password", json=WHY)
    await admin.post(f"/api/v1/users/{made['id']}/disable", json=WHY)
    kinds = await site.kinds()
    assert kinds[-4:] == [
        "access:user:create",
        "access:user:change",
        "access:user:password",
        "access:user:disable",
    ]


async def test_names_of_users_are_for_who_manages_users(site: Site) -> None:
    admin = await site.signed_in("administrator")
    await admin.post("/api/v1/users", json={"login": "x", "roles": ["soc"], "display_name": "Xena", **WHY})
    page = (await admin.get("/api/v1/users")).json()
    assert "Xena" in [user["display_name"] for user in page["items"]]
    assert (await (await site.signed_in("auditor")).get("/api/v1/users")).status_code == 403
