"""What people type as reasons may name people: it stands sealed in tables as it does on the log."""

from datetime import timedelta
from uuid import UUID

import pytest

from key2xs.core.vault import Vault
from key2xs.incidents.kill_types import By
from key2xs.keys.desk import mishaps
from key2xs.ledger.words import own_words, read_words, seal_words
from tests.api.conftest import Site
from tests.api.leases import add_keys
from tests.api.plant import import_plant

WORDS = "Piet Paulusma has to go in"
TABLES = {
    "grant_request": "reason",
    "grant_approval": "reason",
    "incident_kill": "reason",
    "key_report": "reason",
    "key_seal_use": "reason",
}


async def test_words_are_read_back_by_whoever_may_until_their_owner_is_erased(vault: Vault) -> None:
    owner = UUID(int=7)
    for actor in (f"user:{owner}", f"token:{owner}", f"person:{owner}"):
        stored = await seal_words(vault, actor, WORDS)
        assert WORDS.encode() not in stored
        assert await read_words(vault, stored) == WORDS
    stored = await seal_words(vault, f"user:{owner}", WORDS)
    assert await seal_words(vault, f"user:{owner}", WORDS) != stored  # equal words do not look equal
    await vault.erase(owner)
    assert await read_words(vault, stored) == "(erased)"


@pytest.mark.parametrize("actor", ["system:clock", "user:not-an-id"])
async def test_what_the_service_says_itself_stays_in_clear(vault: Vault, actor: str) -> None:
    assert await seal_words(vault, actor, "the time was up") == own_words("the time was up")
    assert await read_words(vault, own_words("the time was up")) == "the time was up"


async def test_no_table_keeps_a_typed_reason_in_clear(site: Site) -> None:
    await import_plant(site)
    keys = await add_keys(site, "1001", "1002")
    leader, other = await site.signed_in("shift_leader"), await site.signed_in("security_manager")
    person, second = await site.person("A"), await site.person("B")
    end = (site.clock.now() + timedelta(hours=2)).isoformat()
    asked = {
        "kind": "approved_request", "person": str(person), "cylinders": ["CDU-001"],
        "starts_at": site.clock.now().isoformat(), "ends_at": end, "reason": WORDS,
    }  # fmt: skip
    made = await leader.post("/api/v1/requests", json=asked)
    assert made.status_code == 201, made.text
    assert made.json()["reason"] == WORDS
    listed = (await other.get("/api/v1/requests")).json()["items"]
    assert [each["reason"] for each in listed] == [WORDS]
    refused = await other.post(f"/api/v1/requests/{made.json()['id']}/refuse", json={"reason": WORDS})
    assert refused.json()["state"] == "refused", refused.text
    lost = await leader.post("/api/v1/keys/1001/lost", json={"reason": WORDS})
    assert lost.status_code in (200, 202), lost.text
    await leader.post("/api/v1/sealed-keys/1002/seal", json={"seal": "S1", "place": "control room"})
    broken = {"taken_by": str(person), "second": str(second), "reason": WORDS}
    use = await leader.post("/api/v1/sealed-keys/1002/break", json=broken)
    assert use.json()["reason"] == WORDS, use.text
    # The last of them by hand: somebody at work, whose stop waits.
    me = next(iter(site.users.values()))
    async with site.services.database.transaction() as tx:
        kills = site.services.kills
        put = await kills._put(
            tx, f"key:{keys['1001']}", [person], WORDS, By(f"user:{me}", me), site.clock.now(),
            state="waiting", two_people=False,
        )  # fmt: skip
        assert put.reason == WORDS
        assert [each.reason for each in await kills.open(tx)] == [WORDS]
        report = await mishaps.open_report(tx, keys["1001"], site.services.ledger)
        assert report is not None
        assert report.reason == WORDS
        for table, column in TABLES.items():
            rows = await tx.fetch(f"SELECT {column} AS said, {table}::text AS row FROM {table}")
            assert rows, table
            assert not [row for row in rows if WORDS.encode() in bytes(row["said"] or b"")], table
            assert not [row for row in rows if WORDS.encode().hex() in row["row"]], table
