"""Edits made elsewhere over the API: lists, decisions, and the policy of a zone with its second person."""

from datetime import timedelta
from typing import Any

from key2xs.keys.port import Inventory, KeyKind, ProgrammingState, VendorKey, VendorLock, VendorRight
from key2xs.plant import list_zones, set_zone_mode
from tests.api.conftest import Site
from tests.api.plant import import_plant


async def listed(site: Site, *keys: str, rights: tuple[str, ...] = ("r1",)) -> None:
    """The maker lists these keys, and a lock with these rights."""
    services, at = site.services, site.clock.now()
    async with services.database.transaction() as tx:
        system = await services.registry.ensure_system(tx, "iloq", "iloq", at)
        found = Inventory(
            keys=tuple(
                VendorKey(name, name.upper(), KeyKind.PHONE, ProgrammingState.UNKNOWN) for name in keys
            ),
            locks=(VendorLock("v1", "CDU-001", frozenset(rights), planned=frozenset(rights)),),
            rights=tuple(VendorRight(each, each.upper(), frozenset({"v1"}), writable=True) for each in ("r1", "r2")),
            as_of=at, visibility_complete=True,
        )  # fmt: skip
        await services.registry.take_inventory(tx, system.id, found, at)
    site.clock.advance_to(site.clock.now() + timedelta(minutes=1))


async def test_findings_are_listed_settled_and_gone(site: Site) -> None:
    await import_plant(site)
    await listed(site, "k1")
    leader = await site.signed_in("shift_leader")
    assert (await leader.get("/api/v1/findings")).json()["items"] == [], "what is listed first is no edit"
    await listed(site, "k1", "k2", rights=("r1", "r2"))
    page = (await leader.get("/api/v1/findings", params={"limit": 1})).json()
    assert page["counts"]["open"] == 2
    rest = (await leader.get("/api/v1/findings", params={"cursor": page["next"]})).json()
    found: dict[str, Any] = {each["kind"]: each for each in [*page["items"], *rest["items"]]}
    assert set(found) == {"new_key", "lock_rights"}
    rights = found["lock_rights"]
    assert (rights["lock"], rights["before"], rights["after"]) == ("CDU-001", "R1", "R1, R2")
    assert rights["who"] == "the system does not tell who"
    one = f"/api/v1/findings/{found['new_key']['id']}"
    why = {"reason": "looked into it"}
    assert (await leader.post(f"{one}/revert", json=why)).status_code == 409, "Key2XS does not write that"
    assert (await leader.post(f"{one}/acknowledge", json=why)).json()["state"] == "acknowledged"
    assert (await leader.post(f"{one}/accept", json={})).status_code == 400, "no reason"
    assert (await leader.post(f"{one}/accept", json=why)).json()["state"] == "accepted"
    assert (await leader.post(f"{one}/accept", json=why)).status_code == 409
    await listed(site, "k1", "k2")
    assert (await leader.get(f"/api/v1/findings/{rights['id']}")).json()["state"] == "gone"
    of_key = (await leader.get("/api/v1/findings", params={"key": "K2", "state": "accepted"})).json()
    assert [each["kind"] for each in of_key["items"]] == ["new_key"]
    assert (await leader.get("/api/v1/findings", params={"unsettled": "true"})).json()["items"] == []
    auditor = await site.signed_in("auditor")
    assert (await auditor.post(f"{one}/acknowledge", json=why)).status_code == 403
    assert (await leader.post("/api/v1/findings/look", json=why)).json() == {"reads": "all"}


async def test_loosening_an_enforced_zone_waits_for_a_second_person(site: Site) -> None:
    await import_plant(site)
    async with site.services.database.transaction() as tx:
        (zone, *_) = await list_zones(tx)
        await _enforce(site, tx, zone.id)
    first, second = await site.signed_in("security_manager"), await site.signed_in("security_manager")
    url, why = f"/api/v1/zones/{zone.id}/drift-policy", {"reason": "a trial of a week"}
    waiting = await first.post(url, json={"policy": "report", **why})
    assert waiting.status_code == 202
    confirm = f"/api/v1/proposals/{waiting.json()['id']}/confirm"
    assert (await first.post(confirm)).status_code == 403, "nobody confirms his own"
    policies = {each["zone"]: each for each in (await first.get("/api/v1/drift-policies")).json()["items"]}
    assert policies[zone.code]["policy"] == "revert"
    assert (await second.post(confirm)).status_code == 200
    policies = {each["zone"]: each for each in (await first.get("/api/v1/drift-policies")).json()["items"]}
    assert policies[zone.code]["policy"] == "report"
    tightened = await first.post(url, json={"policy": "revert", **why})
    assert (tightened.status_code, tightened.json()["policy"]) == (200, "revert")


async def _enforce(site: Site, tx: Any, zone: Any) -> None:
    await set_zone_mode(
        tx, site.services.ledger, zone, mode="enforce", actor="user:setup", at=site.clock.now(), reason="test"
    )
