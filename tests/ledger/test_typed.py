"""Free text in an entry: sealed under the key of whoever typed it, whether or not the room thought of it."""

from uuid import UUID

import pytest

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.vault import ERASED, Vault
from key2xs.ledger import Entry, Ledger, Personal, typed

SOMEBODY = UUID("01900000-0000-7000-8000-000000000001")


async def written(
    db: Database, ledger: Ledger, clock: ManualClock, actor: str, kind: str, **body: str
) -> dict[str, object]:
    at = clock.now()
    entry = Entry(kind=kind, occurred_at=at, recorded_at=at, actor=actor, subjects=(), body=dict(body))
    async with db.transaction() as tx:
        number = await ledger.record(tx, entry)
        found: dict[str, object] = await tx.fetchval("SELECT body FROM log_body WHERE seq = $1", number)
    return found


@pytest.mark.parametrize("field", ["reason", "text", "comment", "note", "why"])
@pytest.mark.parametrize("who", ["user", "token", "person"])
async def test_what_a_person_typed_is_sealed_and_readable_for_who_may(
    db: Database, vault: Vault, clock: ManualClock, field: str, who: str
) -> None:
    ledger = Ledger(vault)
    body = await written(db, ledger, clock, f"{who}:{SOMEBODY}", "some:thing:act", **{field: "Piet left"})
    assert "Piet" not in str(body)
    assert await ledger.reveal(body[field]) == "Piet left"  # type: ignore[arg-type]
    await vault.erase(SOMEBODY)
    assert await ledger.reveal(body[field]) is ERASED  # type: ignore[arg-type]


async def test_what_the_service_says_and_its_own_codes_stay_in_clear(
    db: Database, vault: Vault, clock: ManualClock
) -> None:
    ledger = Ledger(vault)
    ours = await written(db, ledger, clock, "system:policy", "some:thing:act", reason="the contract ended")
    assert ours == {"reason": "the contract ended"}
    coded = await written(
        db, ledger, clock, f"user:{SOMEBODY}", "grants:lease:end", reason="killed", zone="Z1"
    )
    assert coded == {"reason": "killed", "zone": "Z1"}


def test_an_actor_that_is_no_person_seals_nothing() -> None:
    assert typed("system:x", "text") == "text"
    assert typed("user:admin", "text") == "text"  # no id, so nobody's key
    assert typed(f"user:{SOMEBODY}", "text") == Personal(SOMEBODY, "text")
