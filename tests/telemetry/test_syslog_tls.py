"""The sender against a real rsyslog and against a receiver of our own that can misbehave."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from key2xs.core.errors import NeedsPerson, Retry
from key2xs.telemetry.rfc5424 import Severity, SyslogMessage, format_rfc5424, frame
from key2xs.telemetry.syslog_tls import SyslogTarget, SyslogTlsSender
from key2xs_twin.certificates import Certificates, Pair, make_certificates
from key2xs_twin.rsyslog import Rsyslog, missing_rsyslog
from key2xs_twin.syslog_receiver import Record, SyslogReceiver
from tests.support.peers import miss_peer

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
AT = datetime(2026, 7, 2, 0, 7, tzinfo=UTC)


def make_messages(count: int, start: int = 0) -> list[bytes]:
    return [
        format_rfc5424(SyslogMessage(Severity.NOTICE, AT, "site", "key2xs", "test", text=f"message {n}"))
        for n in range(start, start + count)
    ]


def numbers(records: Iterable[Record]) -> list[int]:
    return [int(record.msg.split()[1]) for record in records]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def rsyslog(tmp_path: Path, certificates: Certificates) -> Iterator[Rsyslog]:
    if missing_rsyslog() is not None:
        miss_peer("rsyslog with its gtls driver")
    with Rsyslog.start(tmp_path / "rsyslog", certificates) as running:
        yield running


@pytest.fixture
async def receiver(certificates: Certificates) -> AsyncIterator[SyslogReceiver]:
    async with SyslogReceiver(certificates) as running:
        yield running


@contextlib.asynccontextmanager
async def serve_tls(certificates: Certificates, handler: Handler) -> AsyncIterator[int]:
    """Run a TLS server that asks for no certificate; give its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def target_of(certificates: Certificates, port: int, pair: Pair | None = None) -> SyslogTarget:
    used = pair or certificates.client
    return SyslogTarget(
        "127.0.0.1", certificates.ca, used.certificate, used.key, port, server_name="syslog.twin.test"
    )


async def test_rsyslog_stores_every_message_in_order_although_we_close_at_once(
    rsyslog: Rsyslog, certificates: Certificates
) -> None:
    sender = SyslogTlsSender(target_of(certificates, rsyslog.port))
    for start in range(0, 20_000, 2_000):
        await sender.deliver(make_messages(2_000, start))
    await sender.close()
    assert numbers(rsyslog.wait_for_records(20_000, timeout=30)) == list(range(20_000))


async def test_rsyslog_reads_our_messages_as_we_meant_them(
    rsyslog: Rsyslog, certificates: Certificates
) -> None:
    sender = SyslogTlsSender(target_of(certificates, rsyslog.port))
    await sender.deliver(
        [format_rfc5424(SyslogMessage(Severity.ALERT, AT, "site", "key2xs", "a:b:c", text="öl"))]
    )
    await sender.close()
    record = rsyslog.wait_for_records(1)[0]
    assert (record.facility, record.severity, record.host, record.app, record.msgid) == (
        13, 1, "site", "key2xs", "a:b:c",
    )  # fmt: skip
    assert record.msg.strip() == "öl"


@pytest.mark.parametrize("which", ["wrong_name_client", "wrong_ca_client"])
async def test_rsyslog_refuses_our_certificate_and_nothing_is_reported_delivered(
    rsyslog: Rsyslog, certificates: Certificates, which: str
) -> None:
    """With TLS 1.3 handshake and first writes succeed; only listening shows that we were not let in."""
    sender = SyslogTlsSender(target_of(certificates, rsyslog.port, getattr(certificates, which)))
    for _ in range(5):
        with pytest.raises(NeedsPerson) as caught:
            await sender.deliver(make_messages(3))
        assert caught.value.who == "administrator of the log receiver"
    await sender.close()
    assert rsyslog.records() == []


@pytest.mark.parametrize("which", ["wrong_name_client", "wrong_ca_client"])
async def test_a_receiver_that_refuses_our_certificate_gets_nothing_delivered(
    receiver: SyslogReceiver, certificates: Certificates, which: str
) -> None:
    sender = SyslogTlsSender(target_of(certificates, receiver.port, getattr(certificates, which)))
    with pytest.raises(NeedsPerson):
        await sender.deliver(make_messages(3))
    assert receiver.records() == []


async def test_a_receiver_that_refuses_only_after_a_while_gets_nothing_delivered(
    certificates: Certificates,
) -> None:
    """A slow judge: lets us in, reads the first messages, and ends the connection a tenth of a second later."""

    async def judge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        asyncio.get_running_loop().call_later(0.1, writer.close)

    async with serve_tls(certificates, judge) as port:
        sender = SyslogTlsSender(target_of(certificates, port))
        with pytest.raises(NeedsPerson, match="does not permit"):
            await sender.deliver(make_messages(3))


async def test_closing_waits_for_a_receiver_that_is_slow_to_read(certificates: Certificates) -> None:
    """It has a word to say before it reads the rest: had we let go of the socket, that word would reset everything."""
    read = threading.Event()
    # A thread with a plain socket: what an event loop reads ahead by itself differs from loop to loop.
    with _listening() as listener, ThreadPoolExecutor(1) as pool:
        received = pool.submit(_read_late, listener, certificates, read)
        sender = SyslogTlsSender(target_of(certificates, listener.getsockname()[1]), probe_for=0.01)
        await sender.deliver([b"x" * 8_000] * 5)
        closing = asyncio.create_task(sender.close())
        await asyncio.wait([closing], timeout=0.05)
        assert not closing.done()
        read.set()
        await closing
        assert received.result(timeout=60) == 5 * len(frame(b"x" * 8_000))


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def _read_late(listener: socket.socket, certificates: Certificates, read: threading.Event) -> int:
    """Let one sender in, say a word when told to, and only then read all it sent; returns how many bytes that was."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    plain, _ = listener.accept()
    with context.wrap_socket(plain, server_side=True) as connection:
        assert read.wait(60)
        connection.sendall(b"a word")
        count = 0
        while got := connection.recv(65_536):
            count += len(got)
        return count


async def test_the_receiver_must_show_the_right_name_and_ca(
    receiver: SyslogReceiver, certificates: Certificates
) -> None:
    good = target_of(certificates, receiver.port)
    for wrong in (replace(good, server_name="other.test"), replace(good, ca=certificates.wrong_ca)):
        with pytest.raises(NeedsPerson, match="do not trust"):
            await SyslogTlsSender(wrong).deliver(make_messages(1))
    assert receiver.records() == []


async def test_certificate_files_that_are_missing_or_do_not_fit_need_a_person(
    receiver: SyslogReceiver, certificates: Certificates, tmp_path: Path
) -> None:
    good = target_of(certificates, receiver.port)
    empty = tmp_path / "empty.pem"
    empty.touch()
    for wrong in (
        replace(good, ca=tmp_path / "missing.pem"),
        replace(good, ca=empty),
        replace(good, key=certificates.wrong_ca_client.key),
    ):
        with pytest.raises(NeedsPerson, match="cannot be read"):
            await SyslogTlsSender(wrong).deliver(make_messages(1))


async def test_nobody_listening_means_try_again_later(certificates: Certificates) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening
        sender = SyslogTlsSender(target_of(certificates, held.getsockname()[1]))
        with pytest.raises(Retry, match=r"127\.0\.0\.1"):
            await sender.deliver(make_messages(1))


async def test_a_receiver_that_does_not_speak_is_given_up_in_time(certificates: Certificates) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        sender = SyslogTlsSender(target_of(certificates, mute.getsockname()[1]), probe_for=0.01, timeout=0.2)
        with pytest.raises(Retry, match="in time"):
            await sender.deliver(make_messages(1))


async def test_a_receiver_that_stops_reading_is_given_up_in_time(certificates: Certificates) -> None:
    stop = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # TLS transports have it, typeshed says not
        await stop.wait()
        writer.transport.abort()

    async with serve_tls(certificates, stall) as port:
        sender = SyslogTlsSender(target_of(certificates, port), probe_for=0.01, timeout=0.3)
        with pytest.raises(Retry, match="in time"):
            await sender.deliver([b"x" * 8_000] * 4_000)
        stop.set()


async def test_after_the_receiver_restarts_the_same_messages_are_sent_again_and_none_is_missing(
    receiver: SyslogReceiver, certificates: Certificates
) -> None:
    sender = SyslogTlsSender(target_of(certificates, receiver.port), probe_for=0.05)
    await sender.deliver(make_messages(10))
    await receiver.wait_for_records(10)
    await receiver.stop()
    with pytest.raises(Retry):
        await sender.deliver(make_messages(10, start=10))
    await receiver.start()
    await sender.deliver(make_messages(10, start=10))
    await sender.close()
    assert set(numbers(await receiver.wait_for_records(20))) == set(range(20))


async def test_a_receiver_that_dies_with_our_messages_unread_gets_nothing_delivered(
    certificates: Certificates,
) -> None:
    """Its TCP has acknowledged every byte, and it takes them with it."""
    writers: list[asyncio.StreamWriter] = []

    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # TLS transports have it, typeshed says not
        writers.append(writer)

    async with serve_tls(certificates, dies) as port:
        sender = SyslogTlsSender(target_of(certificates, port), probe_for=0.05, settle_for=5)
        await sender.deliver(make_messages(1))
        delivery = asyncio.create_task(sender.deliver(make_messages(1, start=1)))
        await asyncio.wait([delivery], timeout=0.1)
        assert not delivery.done()
        writers[0].transport.abort()
        with pytest.raises(Retry):
            await delivery


async def test_a_connection_that_ended_while_idle_is_replaced_without_a_failure(
    receiver: SyslogReceiver, certificates: Certificates
) -> None:
    sender = SyslogTlsSender(target_of(certificates, receiver.port), probe_for=0.05)
    await sender.deliver(make_messages(1))
    await receiver.wait_for_records(1)
    receiver.cut_connections()
    connection = sender._connection
    assert connection is not None
    await asyncio.wait_for(asyncio.shield(connection.ended), 5)
    await sender.deliver(make_messages(1, start=1))
    assert numbers(await receiver.wait_for_records(2)) == [0, 1]
    await sender.close()


async def test_one_connection_carries_many_batches(
    receiver: SyslogReceiver, certificates: Certificates
) -> None:
    sender = SyslogTlsSender(target_of(certificates, receiver.port), probe_for=0.05)
    await sender.deliver(make_messages(1))
    first = sender._connection
    await sender.deliver([])
    await sender.deliver(make_messages(300, start=1))
    assert sender._connection is first
    await sender.close()
    assert numbers(await receiver.wait_for_records(301)) == list(range(301))


async def test_a_cancelled_delivery_leaves_no_half_message_for_the_next_one(
    receiver: SyslogReceiver, certificates: Certificates
) -> None:
    sender = SyslogTlsSender(target_of(certificates, receiver.port), probe_for=0.05)
    await sender.deliver(make_messages(1))
    # More than the sockets' buffers hold, so that it is cancelled in the middle of a message.
    long = [message + b" and more" * 8_000 for message in make_messages(300)]
    task = asyncio.create_task(sender.deliver(long))
    await asyncio.wait([task], timeout=0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await sender.deliver(make_messages(1, start=99_999))
    await sender.close()
    await receiver.wait_for_records(2)
    records = numbers(receiver.records())
    assert records[-1] == 99_999
    assert all("an octet count" not in refusal for refusal in receiver.refused)


async def test_closing_without_ever_sending_is_nothing(certificates: Certificates) -> None:
    await SyslogTlsSender(target_of(certificates, 1)).close()
