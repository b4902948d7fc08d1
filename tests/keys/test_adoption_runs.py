"""Adopting many keys: batch by batch; whoever is killed in the middle is followed by somebody who goes on."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from key2xs.core.crash import SimulatedCrash, declared
from key2xs.core.database import Database
from key2xs.core.errors import Conflict
from key2xs.core.ids import KeySystemId
from key2xs.core.vault import Vault
from key2xs.keys.adoption.loops import AdoptionLoop
from key2xs.keys.adoption.runs import TRY_AGAIN, AdoptionRun, AdoptionRuns
from key2xs.keys.port import (
    Inventory,
    KeyKind,
    KeyReading,
    ProgrammingState,
    VendorKey,
    VendorLock,
    VendorRight,
)
from key2xs.keys.program import Program
from key2xs.keys.registry import Registry
from key2xs.keys.targets import Targets
from key2xs.ledger import Ledger
from tests.conftest import START

KEYS = 40
BATCH = 7


class Desk:
    """A key system with keys that were read, and what it takes to adopt them."""

    def __init__(self, db: Database, vault: Vault, system: KeySystemId) -> None:
        self.db, self.ledger, self.system = db, Ledger(vault), system
        self.runs = AdoptionRuns(self.ledger)
        self.loop = AdoptionLoop(db, self.runs, BATCH)

    async def start(self) -> UUID:
        async with self.db.transaction() as tx:
            return await self.runs.start(
                tx,
                self.system,
                None,
                started_by="user:a",
                confirmed_by="user:b",
                reason="take over",
                at=START,
            )

    async def state(self) -> AdoptionRun:
        async with self.db.read() as tx:
            return (await self.runs.newest(tx))[0]

    async def step_all(self, at: datetime = START) -> int:
        steps = 1
        while (await self.loop.step(at)) == at:
            steps += 1
        return steps

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        async with self.db.read() as tx:
            return list(await tx.fetch(sql, *arguments))


@pytest.fixture
async def desk(db: Database, vault: Vault) -> Desk:
    """Forty keys of a system, read and settled, but one that was not read and one emergency key."""
    ledger = Ledger(vault)
    registry, targets = Registry(ledger), Targets(ledger)
    async with db.transaction() as tx:
        system = await registry.ensure_system(tx, "iloq", "iloq", START)
        await registry.take_inventory(tx, system.id, listing(KEYS), START)
        for key in await registry.list_keys(tx):
            if key.stamp == "1001":
                continue
            target = await targets.ensure(tx, key, START)
            await targets.note_reading(tx, key, target, reading(key.external_id), delivered=False, at=START)
            if key.stamp == "1002":
                entry = await registry._tell(tx, "keys:key:import", (key.subject,), {}, START)
                await tx.execute(
                    "UPDATE key_key SET emergency = true, entry = $2 WHERE id = $1", key.id, entry
                )
    return Desk(db, vault, system.id)


def listing(keys: int) -> Inventory:
    """What the vendor lists."""
    return Inventory(
        keys=tuple(
            VendorKey(f"v{n}", str(1001 + n), KeyKind.FOB, ProgrammingState.PROGRAMMED) for n in range(keys)
        ),
        locks=(VendorLock("l1", "L1", rights=frozenset({"r1"})),),
        rights=(VendorRight("r1", "Right 1", frozenset({"l1"}), writable=True),),
        as_of=START,
        visibility_complete=True,
    )


def reading(vendor_key: str) -> KeyReading:
    """A key that carries one right and has said so."""
    held = Program(rights=frozenset({"r1"}))
    return KeyReading(
        vendor_key, KeyKind.FOB, held, held, ProgrammingState.PROGRAMMED, False, True, START, "1"
    )


async def test_a_run_adopts_everything_that_was_read_and_says_what_it_left(desk: Desk) -> None:
    await desk.start()
    assert await desk.step_all() > KEYS // BATCH
    run = await desk.state()
    assert (run.keys, run.adopted, run.left, run.waiting, run.state) == (KEYS - 1, KEYS - 2, 0, 1, "running")
    async with desk.db.read() as tx:
        left = await desk.runs.left(tx, run.id)
    assert [(each.stamp, each.why) for each in left] == [("1001", "it was not read yet")]
    emergency = await desk.fetch("SELECT adopted_at FROM key_key WHERE stamp = '1002'")
    assert emergency[0]["adopted_at"] is None, "S1: no act on many keys touches an emergency key"
    assert await desk.loop.step(START) == START + TRY_AGAIN


async def test_an_interrupted_run_goes_on_without_doing_anything_twice_and_without_loss(desk: Desk) -> None:
    await desk.start()
    point = declared()["adoption.run.after_batch"]
    deaths = 0
    for visit in (1, 3, 2, 1, 4, 1, 1, 2):
        with point.armed(visit):
            try:
                await desk.step_all()
            except SimulatedCrash:
                deaths += 1
                # A process that is gone: its loop and everything in its memory, too.
                desk.loop = AdoptionLoop(desk.db, AdoptionRuns(desk.ledger), BATCH)
    await desk.step_all()
    assert deaths >= 4
    taken = await desk.fetch(
        "SELECT count(*) AS n, count(DISTINCT subjects[1]) AS keys FROM log_body WHERE kind = 'keys:adoption:take'"
    )
    assert (taken[0]["n"], taken[0]["keys"]) == (KEYS - 2, KEYS - 2)
    rows = await desk.fetch(
        "SELECT key.id, key.adopted_at, kept.program, standing.right_id FROM key_key AS key "
        "JOIN key_kept AS kept ON kept.key_id = key.id JOIN key_standing AS standing ON standing.key_id = key.id"
    )
    assert len(rows) == KEYS - 2
    assert {row["right_id"] for row in rows} == {"r1"}
    counted = await desk.fetch(
        "SELECT sum((body -> 'outcomes' ->> 'adopted')::int) AS n FROM log_body WHERE kind = 'keys:adoption:batch'"
    )
    assert counted[0]["n"] == KEYS - 2


async def test_two_workers_share_a_run(desk: Desk) -> None:
    import asyncio

    await desk.start()
    other = AdoptionLoop(desk.db, AdoptionRuns(desk.ledger), BATCH)
    while set(await asyncio.gather(desk.loop.step(START), other.step(START))) != {START + TRY_AGAIN}:
        pass
    taken = await desk.fetch("SELECT count(*) AS n FROM log_body WHERE kind = 'keys:adoption:take'")
    assert taken[0]["n"] == KEYS - 2


async def test_a_key_adopted_meanwhile_is_counted_and_left_as_it_is(desk: Desk) -> None:
    await desk.start()
    async with desk.db.transaction() as tx:
        entry = await Registry(desk.ledger)._tell(tx, "keys:key:import", ("key:x",), {}, START)
        await tx.execute("UPDATE key_key SET adopted_at = $1, entry = $2 WHERE stamp = '1003'", START, entry)
    await desk.step_all()
    run = await desk.state()
    assert (run.adopted, run.already) == (KEYS - 3, 1)


async def test_one_run_a_system_and_it_can_be_paused_and_ended(desk: Desk) -> None:
    run_id = await desk.start()
    with pytest.raises(Conflict, match="under way"):
        await desk.start()
    await desk.loop.step(START)
    async with desk.db.transaction() as tx:
        await desk.runs.set_state(tx, run_id, "paused", actor="user:a", reason="shift change", at=START)
    assert await desk.loop.step(START) is None
    async with desk.db.transaction() as tx:
        await desk.runs.set_state(tx, run_id, "running", actor="user:a", reason="on with it", at=START)
    await desk.step_all()
    async with desk.db.transaction() as tx:
        await desk.runs.set_state(tx, run_id, "done", actor="user:a", reason="that key is gone", at=START)
    assert (await desk.state()).state == "done"
    await desk.start()
