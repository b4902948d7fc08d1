"""Revoking: one thing at once, a company with two people, and never an emergency grant along with the rest."""

from datetime import timedelta

import pytest

from key2xs.core.ids import UnitId, new_id
from tests.api.conftest import Site
from tests.api.leases import add_keys, company_with, give_grant, states


async def test_one_grant_is_revoked_by_one_person_for_good(site: Site) -> None:
    grant = await give_grant(site, await site.person())
    soc = await site.signed_in("soc")
    body = {"reason": "alarm from the SIEM", "grant": str(grant)}
    answer = await soc.post("/api/v1/revoke", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "revoked"
    assert await states(site) == ["ended"]
    assert (await soc.post("/api/v1/revoke", json=body)).status_code == 409
    shown = (await soc.get(f"/api/v1/grants/{grant}")).json()
    assert (shown["state"], shown["end_reason"]) == ("ended", "killed")


async def test_a_dry_run_shows_who_and_what_and_changes_nothing(site: Site) -> None:
    persons = await company_with(site, "v001", 2)
    grants = [await give_grant(site, person) for person in persons]
    client = await site.signed_in("security_manager")
    before = await site.kinds()
    one = [str(persons[0])]
    for named, people in (
        ({"company": "v001"}, sorted(str(person) for person in persons)),
        ({"person": str(persons[0])}, one),
        ({"grant": str(grants[0])}, one),
    ):
        body = {"reason": "what if", "dry_run": True, **named}
        answer = await client.post("/api/v1/revoke", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "dry_run"
        assert sorted(answer.json()["people"]) == people
    assert await states(site) == ["active", "active"]
    assert await site.kinds() == before


async def test_all_grants_of_a_person_end_but_an_emergency_duty_is_left_alone(site: Site) -> None:
    person = await site.person()
    await give_grant(site, person)
    spared = await give_grant(site, person, kind="duty_role", ref=f"duty:fire_brigade:{UnitId(new_id())}")
    client = await site.signed_in("shift_leader")
    answer = await client.post("/api/v1/revoke", json={"reason": "left the site", "person": str(person)})
    assert answer.json()["spared"] == [str(spared)]
    assert await states(site) == ["ended", "active"]


async def test_a_company_is_revoked_only_after_a_second_person(site: Site) -> None:
    persons = await company_with(site, "v001", 3)
    for person in persons:
        await give_grant(site, person)
    first, second = await site.signed_in("soc"), await site.signed_in("shift_leader")
    answer = await first.post("/api/v1/revoke", json={"reason": "breach at v001", "company": "v001"})
    assert answer.status_code == 202
    proposed = answer.json()
    assert proposed["state"] == "proposed"
    assert len(proposed["grants"]) == 3
    assert await states(site) == ["active"] * 3
    await give_grant(site, persons[0])  # given between the two: it ends too
    waiting = (await second.get("/api/v1/proposals")).json()["items"]
    assert [each["id"] for each in waiting] == [proposed["proposal"]]
    done = await second.post(f"/api/v1/proposals/{proposed['proposal']}/confirm")
    assert done.status_code == 200, done.text
    assert len(done.json()["revoked"]["grants"]) == 4
    assert await states(site) == ["ended"] * 4
    assert (await second.post(f"/api/v1/proposals/{proposed['proposal']}/confirm")).status_code == 409
    kinds = await site.kinds()
    assert kinds.count("grants:set:revoke") == 1
    assert kinds.count("grants:lease:end") == 4


async def test_whoever_proposes_does_not_confirm(site: Site) -> None:
    await company_with(site, "v001", 1)
    leader = await site.signed_in("shift_leader")
    body = {"reason": "breach at v001", "company": "v001"}
    proposal = (await leader.post("/api/v1/revoke", json=body)).json()["proposal"]
    answer = await leader.post(f"/api/v1/proposals/{proposal}/confirm")
    assert answer.status_code == 403
    assert "second person" in answer.json()["detail"]


async def test_a_token_is_nobody_and_an_unlinked_user_no_second_person(site: Site) -> None:
    await company_with(site, "v001", 1)
    first = await site.signed_in("soc")
    body = {"reason": "breach at v001", "company": "v001"}
    proposal = (await first.post("/api/v1/revoke", json=body)).json()["proposal"]
    token = await site.with_token("shift_leader")
    assert (await token.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 403
    unlinked = await site.signed_in("shift_leader", person=False)
    assert (await unlinked.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 403
    without = await site.signed_in("soc")
    assert (await without.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 403


async def test_the_owner_of_the_token_that_proposed_does_not_confirm(site: Site) -> None:
    await company_with(site, "v001", 1)
    owner = await site.signed_in("shift_leader")
    body = {
        "label": "cli",
        "permissions": ["grants:set:propose", "grants:lease:read"],
        "reason": "for the test",
    }
    made = (await owner.post("/api/v1/tokens", json=body)).json()
    token = site.client(headers={"Authorization": f"Bearer {made['token']}"})
    revoke = {"reason": "breach at v001", "company": "v001"}
    proposal = (await token.post("/api/v1/revoke", json=revoke)).json()["proposal"]
    assert (await owner.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 403


async def test_a_proposal_that_waited_too_long_is_not_carried_out(site: Site) -> None:
    await company_with(site, "v001", 1)
    first, second = await site.signed_in("soc"), await site.signed_in("shift_leader")
    body = {"reason": "breach at v001", "company": "v001"}
    proposal = (await first.post("/api/v1/revoke", json=body)).json()["proposal"]
    site.clock.advance_to(site.clock.now() + timedelta(hours=1))
    answer = await second.post(f"/api/v1/proposals/{proposal}/confirm")
    assert answer.status_code == 409
    assert "expired" in answer.json()["detail"]


async def test_a_proposal_can_be_taken_back(site: Site) -> None:
    await company_with(site, "v001", 1)
    first, second = await site.signed_in("soc"), await site.signed_in("shift_leader")
    body = {"reason": "breach at v001", "company": "v001"}
    proposal = (await first.post("/api/v1/revoke", json=body)).json()["proposal"]
    assert (
        await first.post(f"/api/v1/proposals/{proposal}/refuse", json={"reason": "for the test"})
    ).status_code == 200
    assert (await second.post(f"/api/v1/proposals/{proposal}/confirm")).status_code == 409


async def test_an_emergency_key_is_never_blocked_and_another_one_is(site: Site) -> None:
    keys = await add_keys(site, "1001", "1002")
    async with site.services.database.transaction() as tx:
        from key2xs.keys.importer import import_keys

        rows: list[dict[str, str | None]] = [
            {
                "key_system": "iloq-main",
                "stamp": "1001",
                "external_id": "v-1001",
                "kind": "phone",
                "purpose": "emergency",
            }
        ]
        report = await import_keys(tx, site.services.ledger, rows, at=site.clock.now(), actor="system:test")
        assert report.changed == 1, report.errors
    client = await site.signed_in("security_manager")
    refused = await client.post("/api/v1/revoke", json={"reason": "lost it", "key": "1001"})
    assert refused.status_code == 409
    done = await client.post("/api/v1/revoke", json={"reason": "lost it", "key": "1002"})
    assert done.status_code == 200, done.text
    shown = (await client.get(f"/api/v1/keys/{keys['1002']}")).json()
    assert shown["blocked_at"] is not None


@pytest.mark.parametrize("role", ["auditor", "permit_issuer", "administrator"])
async def test_roles_without_the_permission_revoke_nothing(site: Site, role: str) -> None:
    grant = await give_grant(site, await site.person())
    client = await site.signed_in(role)
    for named in ({"grant": str(grant)}, {"company": "v001"}, {"key": "1"}, {"person": str(grant)}):
        answer = await client.post("/api/v1/revoke", json={"reason": "test it", **named})
        assert answer.status_code == 403, named
    assert await states(site) == ["active"]
