"""Our own receiver and a real rsyslog: what they store and whom they refuse."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from key2xs_twin.certificates import Certificates, Pair, make_certificates
from key2xs_twin.rsyslog import Rsyslog, missing_rsyslog
from key2xs_twin.syslog_receiver import BadSyslogError, SyslogReceiver, parse_record
from tests.support.peers import miss_peer

PLAIN = b"<109>1 2026-07-02T00:07:00.000Z site.test key2xs 42 grant:lease:end - ended"
RICH = (
    "<108>1 2026-07-02T00:07:00Z site.test key2xs - lock:event:classify "
    '[key2xs@32473 cylinder="CDU-017" note="a \\"b\\" \\] \\\\ c"][meta sequenceId="7"] \N{ZERO WIDTH NO-BREAK SPACE}geöffnet'
).encode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def installed_rsyslog() -> None:
    if missing_rsyslog() is not None:
        miss_peer("rsyslog with its gtls driver")


@pytest.fixture
def rsyslog(installed_rsyslog: None, tmp_path: Path, certificates: Certificates) -> Iterator[Rsyslog]:
    with Rsyslog.start(tmp_path / "rsyslog", certificates) as running:
        yield running


def framed(message: bytes) -> bytes:
    return b"%d %s" % (len(message), message)


def client_context(certificates: Certificates, pair: Pair | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.ca))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


async def send(port: int, certificates: Certificates, pair: Pair | None, data: bytes) -> bytes:
    """Send, close our half and drain, so that nothing is lost; return what the server said (normally nothing)."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=client_context(certificates, pair), server_hostname="localhost"
    )
    answer = b""
    try:
        # In TLS 1.3 the client's handshake is over before the server has judged the certificate.
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            writer.write(data)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            answer = await reader.read()
    finally:
        writer.transport.abort()
    return answer


def test_a_record_is_read_field_by_field() -> None:
    record = parse_record(RICH)
    assert (record.facility, record.severity) == (13, 4)
    assert (record.app, record.procid, record.msgid) == ("key2xs", "", "lock:event:classify")
    assert record.data == {
        "key2xs@32473": {"cylinder": "CDU-017", "note": 'a "b" ] \\ c'},
        "meta": {"sequenceId": "7"},
    }
    assert record.msg == "geöffnet"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (b"<109>Jul  2 00:07:00 host app: old style", "not an RFC 5424 header"),
        (b"<192>1 - - - - - - x", "priority 192 is above 191"),
        (b"<109>1 - - - - - [a b=c] x", "malformed structured data"),
        (b'<109>1 - - - - - [a b="c"]x', "no space before the message"),
        (b'<109>1 - - - - - [a b="c"][a b="d"] x', "repeats a"),
        (b"<109>1 - - - - - - \xff", "not UTF-8"),
    ],
)
def test_a_malformed_record_is_refused_with_its_reason(message: bytes, problem: str) -> None:
    with pytest.raises(BadSyslogError, match=problem):
        parse_record(message)


async def test_the_receiver_stores_what_a_permitted_client_sends(
    tmp_path: Path, certificates: Certificates
) -> None:
    async with SyslogReceiver(certificates, file=tmp_path / "records.jsonl") as receiver:
        await send(receiver.port, certificates, certificates.client, framed(PLAIN) + framed(RICH))
        records = await receiver.wait_for_records(2)
    assert [record.msgid for record in records] == ["grant:lease:end", "lock:event:classify"]
    lines = (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["msg"] for line in lines] == ["ended", "geöffnet"]


async def test_a_newline_inside_a_frame_stays_in_one_record(certificates: Certificates) -> None:
    async with SyslogReceiver(certificates) as receiver:
        await send(receiver.port, certificates, certificates.client, framed(PLAIN + b"\nsecond line"))
        (record,) = await receiver.wait_for_records(1)
    assert record.msg == "ended\nsecond line"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (PLAIN + b"\n", "not an octet count"),  # newline framing
        (b"0 ", "not an octet count"),
        (b"007 " + PLAIN, "not an octet count"),
        (b"99999 " + PLAIN, "at most 65536"),
        (b"999999 " + PLAIN, "not an octet count"),
        (b"%d %s" % (len(PLAIN) + 9, PLAIN), "ended inside a message"),
        (b"12", "ended inside a length"),
    ],
)
async def test_the_receiver_takes_octet_counting_and_nothing_else(
    certificates: Certificates, data: bytes, problem: str
) -> None:
    async with SyslogReceiver(certificates) as receiver:
        await send(receiver.port, certificates, certificates.client, framed(PLAIN) + data)
        (why,) = await receiver.wait_for_refusals(1)
        assert problem in why
        assert len(receiver.records()) == 1, "what came before the bad frame is stored"


async def test_a_certificate_with_a_wrong_name_is_let_in_by_tls_and_stores_nothing(
    certificates: Certificates,
) -> None:
    async with SyslogReceiver(certificates) as receiver:
        await send(receiver.port, certificates, certificates.wrong_name_client, framed(PLAIN))
        (why,) = await receiver.wait_for_refusals(1)
        assert why == "name not permitted: stranger.test"
        assert receiver.records() == []


@pytest.mark.parametrize("stranger", ["no certificate", "wrong authority"])
async def test_without_a_certificate_of_the_right_authority_nothing_is_stored(
    certificates: Certificates, stranger: str
) -> None:
    pair = certificates.wrong_ca_client if stranger == "wrong authority" else None
    async with SyslogReceiver(certificates) as receiver:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await send(receiver.port, certificates, pair, framed(PLAIN))
        # A later good record proves that the earlier connection has been dealt with.
        await send(receiver.port, certificates, certificates.client, framed(RICH))
        (record,) = await receiver.wait_for_records(1)
        assert record.msgid == "lock:event:classify"


async def test_tls_1_2_is_spoken(certificates: Certificates) -> None:
    context = client_context(certificates, certificates.client)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with SyslogReceiver(certificates) as receiver:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", receiver.port, ssl=context, server_hostname="localhost"
        )
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()
        await writer.wait_closed()
        assert receiver._server is not None
        assert receiver._server.sockets


async def test_a_restarted_receiver_keeps_its_port_and_its_records(certificates: Certificates) -> None:
    receiver = SyslogReceiver(certificates)
    await receiver.start()
    port = receiver.port
    await send(port, certificates, certificates.client, framed(PLAIN))
    await receiver.wait_for_records(1)
    await receiver.stop()
    with pytest.raises(OSError, match=r"(?i)connect"):
        await send(port, certificates, certificates.client, framed(PLAIN))
    await receiver.start()
    assert receiver.port == port
    await send(port, certificates, certificates.client, framed(RICH))
    assert len(await receiver.wait_for_records(2)) == 2
    await receiver.stop()


async def test_cut_connections_end_at_the_client(certificates: Certificates) -> None:
    async with SyslogReceiver(certificates) as receiver:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            receiver.port,
            ssl=client_context(certificates, certificates.client),
            server_hostname="localhost",
        )
        writer.write(framed(PLAIN))
        await receiver.wait_for_records(1)
        receiver.cut_connections()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.transport.abort()


@pytest.mark.usefixtures("installed_rsyslog")
async def test_a_real_rsyslog_reads_the_same_record_as_we_do(
    rsyslog: Rsyslog, certificates: Certificates
) -> None:
    await send(rsyslog.port, certificates, certificates.client, framed(PLAIN) + framed(RICH))
    plain, rich = await asyncio.to_thread(rsyslog.wait_for_records, 2)
    ours = parse_record(RICH)
    assert (plain.facility, plain.severity, plain.msgid, plain.msg) == (13, 5, "grant:lease:end", "ended")
    assert (rich.data, rich.msgid, rich.msg) == (ours.data, ours.msgid, ours.msg)


@pytest.mark.usefixtures("installed_rsyslog")
@pytest.mark.parametrize("stranger", ["no certificate", "wrong authority", "wrong name"])
async def test_a_real_rsyslog_stores_nothing_from_a_stranger(
    rsyslog: Rsyslog, certificates: Certificates, stranger: str
) -> None:
    pairs = {"wrong authority": certificates.wrong_ca_client, "wrong name": certificates.wrong_name_client}
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await send(rsyslog.port, certificates, pairs.get(stranger), framed(PLAIN))
    await send(rsyslog.port, certificates, certificates.client, framed(RICH))
    (record,) = await asyncio.to_thread(rsyslog.wait_for_records, 1)
    assert record.msgid == "lock:event:classify"


@pytest.mark.usefixtures("installed_rsyslog")
async def test_a_stopped_rsyslog_has_flushed_and_can_be_started_again_on_its_port(
    tmp_path: Path, certificates: Certificates
) -> None:
    first = Rsyslog.start(tmp_path / "again", certificates)
    await send(first.port, certificates, certificates.client, framed(PLAIN))
    await asyncio.to_thread(first.wait_for_records, 1)
    first.stop()
    with Rsyslog.start(tmp_path / "again", certificates, first.port) as second:
        await send(second.port, certificates, certificates.client, framed(RICH))
        assert len(await asyncio.to_thread(second.wait_for_records, 2)) == 2
