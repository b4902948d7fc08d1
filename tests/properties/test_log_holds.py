"""The log under fail-over and after a restore: no fork, no silent loss, nothing wider until a person says so."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from key2xs.core.database import Database
from key2xs.core.errors import Conflict, LedgerError
from key2xs.ledger import Entry, Ledger
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.opening import open_log
from key2xs.ledger.sequencer import Sequencer
from key2xs.recovery import confirm_restored
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage

from .bounds import opens

SEED = bytes(range(32))


async def _record(db: Database, ledger: Ledger, kind: str = "test:entry:make") -> None:
    entry = Entry(
        kind=kind, occurred_at=START, recorded_at=START, actor="system:test", subjects=("log:test",), body={}
    )
    await db.transact(lambda tx: ledger.record(tx, entry))


async def test_a_stalled_sequencer_that_was_replaced_writes_nothing(
    db: Database, log_db: Database, vault: object, tmp_path: Path
) -> None:
    copy, ledger = CheckpointCopy(tmp_path / "checkpoint"), Ledger(vault)  # type: ignore[arg-type]
    await open_log(log_db, origin="test/log", seed=SEED, copy=copy, at=START)
    stalled, successor = (Sequencer(log_db, SEED, b"k" * 32, copy) for _ in range(2))
    await _record(db, ledger)
    assert await stalled.step(START) == START
    assert await successor.step(START) is None  # the office is taken
    # The server lost sight of the first one and gave its lock away, while it still believes to hold it.
    await stalled._leadership.connection.execute("SELECT pg_advisory_unlock_all()")
    assert await successor.step(START) is None  # takes the office; nothing waits
    await _record(db, ledger)
    with pytest.raises(LedgerError, match="took over"):
        await stalled.step(START)
    assert await successor.step(START) == START
    async with log_db.read() as tx:
        assert await tx.fetchval("SELECT size FROM log_head") == 2
        assert await tx.fetchval("SELECT count(*) FROM log_leaf") == 2
    await stalled.close()
    await successor.close()


async def test_a_sequencer_that_lost_its_connection_is_followed_at_once(
    db: Database, log_db: Database, vault: object, tmp_path: Path, db_dsns: object
) -> None:
    copy, ledger = CheckpointCopy(tmp_path / "checkpoint"), Ledger(vault)  # type: ignore[arg-type]
    await open_log(log_db, origin="test/log", seed=SEED, copy=copy, at=START)
    first, second = (Sequencer(log_db, SEED, b"k" * 32, copy) for _ in range(2))
    await _record(db, ledger)
    await first.step(START)
    await first._leadership.connection.execute("SET idle_session_timeout = 0")
    first._leadership.connection.terminate()
    await _record(db, ledger)
    for _ in range(50):
        if await second.step(START) is not None:
            break
    async with log_db.read() as tx:
        assert await tx.fetchval("SELECT size FROM log_head") == 2
    await first.close()
    await second.close()


async def _restore(databases: DatabaseServer, stage: Stage, backup: str) -> None:
    """Put the old database in the place of the present one; the checkpoint kept outside stays as it is."""
    _, stage.dsns = databases.create(backup)
    await stage.start()


async def test_after_a_restore_nothing_widens_until_every_key_was_read_and_a_person_says_so(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.settle()
        await spine.hand_out("K001", "u1")
        await spine.settle()
        name = stage.dsns.app.rsplit("/", 1)[1].partition("?")[0]
        await stage.stop()
        backup, _ = databases.create(name)
        await stage.start()

        spine = stage.spine
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        assert opens(spine, "K001", "C1")
        await stage.stop()
        before = (stage.folder / "var" / "checkpoint").read_text()

        await _restore(databases, stage, backup)
        spine = stage.spine
        row = (await spine.fetch("SELECT * FROM log_head"))[0]
        assert row["narrow_only_why"]
        assert row["origin"] == 2
        # It dies before anything was sequenced in the new origin, and still tells of the loss, once.
        await stage.crash()
        spine = stage.spine
        await spine.settle()
        first = await spine.fetch(
            "SELECT body.kind, body.body FROM log_leaf AS leaf JOIN log_body AS body USING (seq) "
            "JOIN log_origin AS origin ON origin.first_position = leaf.position WHERE origin.number = 2"
        )
        assert [row["kind"] for row in first] == ["ledger:origin:open"]
        assert first[0]["body"]["follows"] == before
        assert len(await spine.fetch("SELECT 1 FROM log_body WHERE kind = 'ledger:origin:open'")) == 1

        # What the key holds was read again and narrowed: this database knows of no permit.
        await spine.advance(timedelta(minutes=2))
        assert not opens(spine, "K001", "C1")
        # The permit system tells again what it told the lost database, and goes on; nothing new is given.
        spine.ptw.revalidate(permit.id, by="u00411", valid_to=spine.now + timedelta(hours=2), at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=1))
        assert await spine.states() == []
        told = await spine.fetch("SELECT reasons FROM grant_refusal")
        assert told
        assert "published" in told[0]["reasons"][0]["text"]

        await confirm_restored(spine.installation, actor="user:admin", reason="keys read again", at=spine.now)
        with pytest.raises(Conflict):
            await confirm_restored(spine.installation, actor="user:admin", reason="again", at=spine.now)
        spine.ptw.heartbeat(at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=6))
        assert await spine.states() == ["active"]
        assert opens(spine, "K001", "C1")


async def test_narrow_only_ends_only_when_every_key_was_read(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        await stage.spine.settle()
        name = stage.dsns.app.rsplit("/", 1)[1].partition("?")[0]
        await stage.stop()
        backup, _ = databases.create(name)
        await stage.start()
        await stage.spine.hand_out("K001", "u1")
        await stage.spine.advance(timedelta(minutes=1))
        await stage.stop()
        await _restore(databases, stage, backup)
        with pytest.raises(Conflict, match=r"not (read|listed)"):
            await confirm_restored(
                stage.spine.installation, actor="user:admin", reason="checked", at=stage.spine.now
            )


async def test_a_renewal_gives_nothing_more_while_the_log_is_behind_its_checkpoint(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", crew=("u1",), hours=1)
        await spine.advance(timedelta(minutes=1))
        name = stage.dsns.app.rsplit("/", 1)[1].partition("?")[0]
        await stage.stop()
        backup, _ = databases.create(name)
        await stage.start()
        await stage.spine.advance(timedelta(minutes=6))
        await stage.stop()
        await _restore(databases, stage, backup)
        spine = stage.spine
        await spine.settle()
        assert await spine.states() == ["active"]
        end = (await spine.fetch("SELECT upper(during) AS at FROM grant_lease"))[0]["at"]
        spine.ptw.revalidate(permit.id, by="u00411", valid_to=spine.now + timedelta(hours=4), at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=1))
        rows = await spine.fetch("SELECT upper(during) AS at FROM grant_lease WHERE state <> 'ended'")
        assert [row["at"] for row in rows] == [end]


def test_a_copy_of_the_checkpoint_survives_its_folder(tmp_path: Path) -> None:
    copy = CheckpointCopy(tmp_path / "a" / "checkpoint")
    (tmp_path / "a").mkdir()
    copy.keep(b"one")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert CheckpointCopy(tmp_path / "b" / "checkpoint").load() == b"one"


async def test_a_key_narrowed_after_the_backup_is_not_widened_again_by_the_backup(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        assert opens(spine, "K001", "C1")
        name = stage.dsns.app.rsplit("/", 1)[1].partition("?")[0]
        await stage.stop()
        backup, _ = databases.create(name)
        await stage.start()
        spine = stage.spine
        spine.ptw.suspend(permit.id, code="weather", at=spine.now)
        await spine.send()
        await spine.advance(timedelta(minutes=2))
        assert not opens(spine, "K001", "C1")
        await stage.stop()
        await _restore(databases, stage, backup)
        spine = stage.spine
        await spine.settle()
        assert (await spine.fetch("SELECT narrow_only_why FROM log_head"))[0]["narrow_only_why"]
        await spine.advance(timedelta(minutes=3))
        assert not opens(spine, "K001", "C1")


async def test_another_signing_key_does_not_go_on_with_this_log(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        await stage.spine.settle()
        await stage.stop()
        copy = CheckpointCopy(stage.folder / "var" / "checkpoint")
        log = await Database.open(stage.dsns.log)
        with pytest.raises(LedgerError, match="signing key"):
            await open_log(log, origin="x", seed=b"y" * 32, copy=copy, at=START)
        await log.close()
        await stage.start()


async def test_without_its_copy_a_log_that_published_is_not_trusted(
    db: Database, log_db: Database, vault: object, tmp_path: Path
) -> None:
    """Deleting one file must not hide that an old database was restored."""
    copy, ledger = CheckpointCopy(tmp_path / "checkpoint"), Ledger(vault)  # type: ignore[arg-type]
    await open_log(log_db, origin="test/log", seed=SEED, copy=copy, at=START)
    sequencer = Sequencer(log_db, SEED, b"k" * 32, copy)
    entry = Entry(
        kind="test:entry:make",
        occurred_at=START,
        recorded_at=START,
        actor="system:test",
        subjects=("log:test",),
    )
    await db.transact(lambda tx: ledger.record_many(tx, [entry] * 300))
    while await sequencer.step(START):
        pass
    await sequencer.close()
    assert (await open_log(log_db, origin="test/log", seed=SEED, copy=copy, at=START)).lost is None
    (tmp_path / "checkpoint").unlink()
    opened = await open_log(log_db, origin="test/log", seed=SEED, copy=copy, at=START)
    assert opened.origin == "test/log/2"
    assert "copy of the checkpoint" in (opened.lost or "")
    # Asked again before anything was sequenced, it is the same loss and not another one.
    again = await open_log(log_db, origin="test/log", seed=SEED, copy=copy, at=START)
    assert (again.origin, again.lost) == (opened.origin, opened.lost)
