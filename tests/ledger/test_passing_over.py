"""Readers that have no use for openings are taken across them, and not an entry further."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from key2xs.core.clock import ManualClock
from key2xs.core.database import Connection, Database
from key2xs.core.loops import heeds
from key2xs.core.vault import Vault
from key2xs.ledger import Entry, Ledger, PassingOver, ReadEntry, ReaderLoop
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.opening import open_log
from key2xs.ledger.sequencer import Sequencer

SEED = bytes(range(32))


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[str] = []

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        del tx
        self.told += [entry.kind for entry in entries]


class _Without(_Reader):
    passes_over: Final = ("keys:opening",)


async def test_a_reader_is_taken_to_the_next_entry_that_is_of_use_to_it(
    db: Database, log_db: Database, vault: Vault, clock: ManualClock, tmp_path: Path
) -> None:
    at, copy, ledger = clock.now(), CheckpointCopy(tmp_path / "checkpoint"), Ledger(vault)
    await open_log(log_db, origin="key2xs.test/site", seed=SEED, copy=copy, at=at)
    sequencer = Sequencer(log_db, SEED, SEED, copy)

    async def record(*kinds: str) -> None:
        entries = [Entry(kind, at, at, "system:test", (f"key:{n}",)) for n, kind in enumerate(kinds)]
        await db.transact(lambda tx: ledger.record_many(tx, entries))
        while await sequencer.step(at) is not None:
            pass

    every, without = _Reader("every"), _Without("without")
    loops = [ReaderLoop(db, every), ReaderLoop(db, without)]
    crossing = PassingOver(db, [every, without])
    for loop in loops:
        await loop.step(at)  # from their first day on they have cursors
    every.told, without.told = [], []

    # `keys:openings` only begins like the kind that is passed over.
    await record(*["keys:opening:observe"] * 5, "keys:openings:find", "keys:opening:refuse")
    await crossing.step(at)
    for loop in loops:
        await loop.step(at)
    assert without.told == ["keys:openings:find", "keys:opening:refuse"]
    assert len(every.told) == 7

    await record(*["keys:opening:observe"] * 3)
    await crossing.step(at)
    positions = await db.transact(lambda tx: tx.fetch("SELECT name, position FROM log_reader ORDER BY name"))
    stands = {row["name"]: row["position"] for row in positions}
    assert stands["without"] == stands["every"] + 3
    await crossing.step(at)
    assert crossing.idle
    await sequencer.close()


def test_a_loop_sleeps_through_what_it_passes_over_and_nothing_else() -> None:
    loop = ReaderLoop(None, _Without("without"))  # type: ignore[arg-type]
    assert not heeds(loop, ["keys:opening"])
    assert heeds(loop, ["keys:opening", "keys:key"])
    assert heeds(ReaderLoop(None, _Reader("every")), ["keys:opening"])  # type: ignore[arg-type]
