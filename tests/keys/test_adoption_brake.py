"""The brake: bulk writes stop beyond a number until a person confirms; what ends access is never stopped."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from key2xs.core.database import Database
from key2xs.core.errors import Conflict, NeedsPerson
from key2xs.core.ids import GrantId, KeySystemId, new_id
from key2xs.core.vault import Vault
from key2xs.keys.adoption.brake import WINDOW, BulkBrake
from key2xs.keys.planner import Wanted
from key2xs.keys.program import EMPTY_PROGRAM
from key2xs.keys.registry import Registry
from key2xs.keys.types import StoredKey
from key2xs.ledger import Ledger
from tests.conftest import START

from .test_adoption_runs import listing

LIMIT = 5
NOTHING = Wanted(EMPTY_PROGRAM, (), {}, None, None)


class Pedal:
    """A brake on a system with keys."""

    def __init__(self, db: Database, brake: BulkBrake, system: KeySystemId, keys: list[StoredKey]) -> None:
        self.db, self.brake, self.system, self.keys = db, brake, system, keys

    async def write(self, key: int, wanted: Wanted = NOTHING, at: datetime = START, **changes: Any) -> bool:
        from dataclasses import replace

        try:
            async with self.db.transaction() as tx:
                await self.brake.check(tx, self.system, replace(self.keys[key], **changes), wanted, at)
        except NeedsPerson:
            return False
        return True

    async def act(self, work: Callable[[Any], Awaitable[None]]) -> None:
        async with self.db.transaction() as tx:
            await work(tx)


@pytest.fixture
async def pedal(db: Database, vault: Vault) -> Pedal:
    ledger = Ledger(vault)
    registry = Registry(ledger)
    async with db.transaction() as tx:
        system = await registry.ensure_system(tx, "iloq", "iloq", START)
        await registry.take_inventory(tx, system.id, listing(30), START)
        keys = await registry.list_keys(tx)
    return Pedal(db, BulkBrake(db, ledger, LIMIT), system.id, keys)


async def test_bulk_writes_stop_beyond_the_limit_until_a_person_confirms(pedal: Pedal) -> None:
    assert [await pedal.write(n) for n in range(LIMIT)] == [True] * LIMIT
    assert await pedal.write(0), "the same key again, after a lost answer, is not one more"
    assert not await pedal.write(LIMIT)
    later = START + timedelta(hours=5)
    assert not await pedal.write(LIMIT, at=later), "it stays stopped, however long nobody looks"
    await pedal.act(
        lambda tx: pedal.brake.release(tx, pedal.system, keys=3, actor="user:a", reason="looked", at=later)
    )
    assert [await pedal.write(LIMIT + n, at=later) for n in range(3)] == [True] * 3
    assert [await pedal.write(LIMIT + 3 + n, at=later) for n in range(LIMIT)] == [True] * LIMIT
    assert not await pedal.write(25, at=later)
    async with pedal.db.transaction() as tx:
        await pedal.brake.release(tx, pedal.system, keys=1, actor="user:a", reason="x", at=later)
        with pytest.raises(Conflict):
            await pedal.brake.release(tx, pedal.system, keys=1, actor="user:a", reason="x", at=later)


async def test_slow_bulk_writes_are_no_bulk(pedal: Pedal) -> None:
    at = START
    for n in range(4 * LIMIT):
        at += WINDOW / LIMIT * 1.01
        assert await pedal.write(n, at=at)


async def test_what_ends_access_and_what_a_grant_explains_is_never_stopped(pedal: Pedal) -> None:
    for n in range(LIMIT + 1):
        await pedal.write(n)
    granted = Wanted(EMPTY_PROGRAM, (GrantId(new_id()),), {}, None, None)
    assert await pedal.write(20, granted), "a grant began: that is the day's work"
    assert await pedal.write(21, blocked_at=START), "a block"
    assert await pedal.write(22, emergency=True), "S1"
    assert not await pedal.write(23), "and everything else waits"


async def test_what_two_people_were_shown_passes_and_nothing_beyond_it(pedal: Pedal) -> None:
    await pedal.act(
        lambda tx: pedal.brake.agree(
            tx, pedal.system, 12, actor="user:b", reason="first difference", at=START
        )
    )
    assert [await pedal.write(n) for n in range(12 + LIMIT)] == [True] * (12 + LIMIT)
    assert not await pedal.write(28)
