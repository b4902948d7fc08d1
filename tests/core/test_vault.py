"""The vault: personal values are sealed, found by a blind index, and gone for good when erased."""

from uuid import uuid4

import pytest

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns
from key2xs.core.vault import CACHE_SECONDS, ERASED, Vault, VaultError
from tests.conftest import START


async def test_a_sealed_value_opens_for_its_owner_only(vault: Vault) -> None:
    owner, other = uuid4(), uuid4()
    blob = await vault.seal(owner, "Jan de Vries")
    assert b"Jan" not in blob
    assert await vault.open(owner, blob) == "Jan de Vries"
    await vault.seal(other, "x")
    with pytest.raises(VaultError):
        await vault.open(other, blob)


async def test_a_changed_value_does_not_open(vault: Vault) -> None:
    owner = uuid4()
    blob = await vault.seal(owner, "Jan de Vries")
    with pytest.raises(VaultError):
        await vault.open(owner, blob[:-1] + bytes([blob[-1] ^ 1]))


async def test_an_erased_person_stays_erased(vault: Vault) -> None:
    owner = uuid4()
    blob = await vault.seal(owner, "Jan de Vries")
    assert await vault.erase(owner)
    assert await vault.open(owner, blob) is ERASED
    assert not await vault.erase(owner)
    # No second key is ever made: the person cannot come back under the same id.
    with pytest.raises(VaultError):
        await vault.seal(owner, "Jan de Vries")


async def test_another_process_forgets_an_erased_key_soon(db_dsns: RoleDsns) -> None:
    clock = ManualClock(START)
    database = await Database.open(db_dsns.vault)
    here, there = Vault(database, bytes(32), clock), Vault(database, bytes(32), clock)
    owner = uuid4()
    blob = await here.seal(owner, "Jan")
    assert await there.open(owner, blob) == "Jan"
    await here.erase(owner)
    clock.advance_to(START.replace(second=int(CACHE_SECONDS) + 1))
    assert await there.open(owner, blob) is ERASED
    await database.close()


async def test_another_master_key_opens_nothing(db_dsns: RoleDsns, vault: Vault, clock: ManualClock) -> None:
    owner = uuid4()
    blob = await vault.seal(owner, "Jan")
    database = await Database.open(db_dsns.vault)
    with pytest.raises(VaultError):
        await Vault(database, b"x" * 32, clock).open(owner, blob)
    await database.close()


def test_a_short_master_key_is_refused(clock: ManualClock) -> None:
    with pytest.raises(VaultError):
        Vault(None, b"short", clock)  # type: ignore[arg-type]


async def test_blind_indexes_are_equal_for_equal_values_in_one_namespace(vault: Vault) -> None:
    assert vault.blind("iam", "u1") == vault.blind("iam", "u1")
    assert vault.blind("iam", "u1") != vault.blind("personnel_no", "u1")
    assert vault.blind("iam", "u1") != vault.blind("iam", "u2")


async def test_many_keys_are_fetched_at_once(vault: Vault) -> None:
    owners = [uuid4() for _ in range(3)]
    blobs = [await vault.seal(owner, f"v{n}") for n, owner in enumerate(owners)]
    await vault.prepare([*owners, uuid4()])
    assert [await vault.open(o, b) for o, b in zip(owners, blobs, strict=True)] == ["v0", "v1", "v2"]
