"""The sink as a reader of the log: the cursor moves exactly when the receiver has the messages."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.errors import NeedsPerson, Retry
from key2xs.core.vault import Vault
from key2xs.ledger import Entry, Ledger, ReaderLoop
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.opening import open_log
from key2xs.ledger.readers import readers_behind
from key2xs.ledger.sequencer import Sequencer
from key2xs.telemetry import SyslogReader, SyslogTarget, SyslogTlsSender
from key2xs.telemetry.events import ELEMENT
from key2xs_twin.certificates import Certificates, Pair, make_certificates
from key2xs_twin.syslog_receiver import SyslogReceiver

SEED = bytes(range(32))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def receiver(certificates: Certificates) -> AsyncIterator[SyslogReceiver]:
    async with SyslogReceiver(certificates) as running:
        yield running


@pytest.fixture
async def log(
    db: Database, log_db: Database, vault: Vault, clock: ManualClock, tmp_path: Path
) -> AsyncIterator["Log"]:
    copy = CheckpointCopy(tmp_path / "checkpoint")
    await open_log(log_db, origin="key2xs.test/site", seed=SEED, copy=copy, at=clock.now())
    sequencer = Sequencer(log_db, SEED, SEED, copy)
    yield Log(db, Ledger(vault), sequencer, clock)
    await sequencer.close()


class Log:
    """Writes entries and puts them on the log at once."""

    def __init__(self, db: Database, ledger: Ledger, sequencer: Sequencer, clock: ManualClock) -> None:
        self.db, self.ledger, self.sequencer, self.clock = db, ledger, sequencer, clock

    async def record(self, *names: str) -> None:
        at = self.clock.now()
        entries = [
            Entry(
                kind="keys:opening:observe",
                occurred_at=at - timedelta(minutes=1),
                recorded_at=at,
                actor="system:locks",
                subjects=(f"cylinder:{name}",),
                body={"class": "expected", "note": "told to nobody"},
            )
            for name in names
        ]
        async with self.db.transaction() as tx:
            await self.ledger.record_many(tx, entries)
        while await self.sequencer.step(at) is not None:
            pass

    async def behind(self, name: str) -> int | None:
        async with self.db.transaction() as tx:
            return (await readers_behind(tx)).get(name)


def make_reader(certificates: Certificates, port: int, pair: Pair | None = None) -> SyslogReader:
    used = pair or certificates.client
    target = SyslogTarget(
        "127.0.0.1", certificates.ca, used.certificate, used.key, port, server_name="syslog.twin.test"
    )
    return SyslogReader("soc", SyslogTlsSender(target, probe_for=0.1), host="site")


async def test_every_entry_reaches_the_receiver_in_order_and_the_cursor_is_at_the_head(
    log: Log, receiver: SyslogReceiver, certificates: Certificates
) -> None:
    names = [f"c{n}" for n in range(12)]
    await log.record(*names)
    reader = make_reader(certificates, receiver.port)
    loop = ReaderLoop(log.db, reader, batch=5)
    while await loop.step(log.clock.now()) is not None:
        pass
    records = await receiver.wait_for_records(12)
    assert [record.data[ELEMENT]["subject"] for record in records] == [f"cylinder:{name}" for name in names]
    assert [record.data[ELEMENT]["index"] for record in records] == [str(n) for n in range(12)]
    assert not any("told to nobody" in record.raw for record in records)
    assert await log.behind(reader.name) == 0
    await reader.close()


async def test_a_refused_certificate_leaves_the_cursor_where_it_was(
    log: Log, receiver: SyslogReceiver, certificates: Certificates
) -> None:
    await log.record("c1", "c2")
    reader = make_reader(certificates, receiver.port, certificates.wrong_name_client)
    with pytest.raises(NeedsPerson):
        await ReaderLoop(log.db, reader).step(log.clock.now())
    assert await log.behind(reader.name) in {None, 2}
    mended = make_reader(certificates, receiver.port)
    await ReaderLoop(log.db, mended).step(log.clock.now())
    assert [r.data[ELEMENT]["subject"] for r in await receiver.wait_for_records(2)] == [
        "cylinder:c1",
        "cylinder:c2",
    ]
    assert await log.behind(reader.name) == 0
    await mended.close()


async def test_what_was_recorded_while_the_receiver_was_away_arrives_when_it_is_back(
    log: Log, receiver: SyslogReceiver, certificates: Certificates
) -> None:
    reader = make_reader(certificates, receiver.port)
    loop = ReaderLoop(log.db, reader)
    await log.record("c1")
    await loop.step(log.clock.now())
    await receiver.wait_for_records(1)
    await receiver.stop()
    await log.record("c2")
    with pytest.raises(Retry):
        await loop.step(log.clock.now())
    assert await log.behind(reader.name) == 1
    await receiver.start()
    await loop.step(log.clock.now())
    told = {record.data[ELEMENT]["subject"] for record in await receiver.wait_for_records(2)}
    assert told == {"cylinder:c1", "cylinder:c2"}
    await reader.close()
