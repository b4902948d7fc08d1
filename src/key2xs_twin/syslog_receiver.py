"""A syslog receiver over mutual TLS (RFC 5425) that takes octet counting and nothing else.

For machines without rsyslog, and for faults that rsyslog cannot play. A client whose certificate has the right CA and a wrong
name is treated as rsyslog's gtls driver treats it: the handshake succeeds, nothing is stored, the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from .certificates import CLIENT_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from .certificates import Certificates

MAX_MESSAGE_BYTES = 65_536  # RFC 5425 asks for 2,048, recommends 8,192; collectors are usually set to 64k
MAX_LENGTH_DIGITS = len(str(MAX_MESSAGE_BYTES))

_HEADER = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>\S+) (?P<app>\S+) (?P<procid>\S+) (?P<msgid>\S+) "
)
# Inside a value `"`, `\` and `]` are escaped by a backslash; a backslash before anything else is itself.
_VALUE = r'"(?:\\.|[^"\\\]])*"'
_PARAM = re.compile(rf' (?P<name>[^ =\]"]+)=(?P<value>{_VALUE})', re.DOTALL)
_ELEMENT = re.compile(rf'\[(?P<id>[^ =\]"]+)(?P<params>(?: [^ =\]"]+={_VALUE})*)\]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Record:
    """One RFC 5424 message; `-` (no value) reads as an empty string, a leading BOM is not part of `msg`."""

    facility: int
    severity: int
    time: str
    host: str
    app: str
    procid: str
    msgid: str
    data: dict[str, dict[str, str]] = field(default_factory=dict)  # structured data: element id -> parameters
    msg: str = ""
    raw: str = ""


class BadSyslogError(ValueError):
    """These bytes are not RFC 5424 in RFC 5425 framing."""


def parse_record(message: bytes) -> Record:
    """Read one message without its length prefix; BadSyslogError says what is wrong."""
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError as err:
        raise BadSyslogError("the message is not UTF-8") from err
    header = _HEADER.match(text)
    if header is None:
        raise BadSyslogError(f"not an RFC 5424 header: {text[:80]!r}")
    pri = int(header["pri"])
    if pri > 191:
        raise BadSyslogError(f"priority {pri} is above 191")
    data, rest = parse_structured_data(text[header.end() :])
    if rest and not rest.startswith(" "):
        raise BadSyslogError(f"no space before the message: {rest[:40]!r}")
    return Record(
        facility=pri // 8,
        severity=pri % 8,
        time=_value(header["time"]),
        host=_value(header["host"]),
        app=_value(header["app"]),
        procid=_value(header["procid"]),
        msgid=_value(header["msgid"]),
        data=data,
        msg=rest[1:].removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"),
        raw=text,
    )


def parse_structured_data(text: str) -> tuple[dict[str, dict[str, str]], str]:
    """Structured data at the start of `text`, and what follows it; BadSyslogError if it is malformed."""
    if text.startswith("-"):
        return {}, text[1:]
    data: dict[str, dict[str, str]] = {}
    position = 0
    while element := _ELEMENT.match(text, position):
        if element["id"] in data:
            raise BadSyslogError(f"structured data repeats {element['id']}")
        data[element["id"]] = {
            match["name"]: re.sub(r'\\(["\\\]])', r"\1", match["value"][1:-1])
            for match in _PARAM.finditer(element["params"])
        }
        position = element.end()
    if not data:
        raise BadSyslogError(f"malformed structured data: {text[:80]!r}")
    return data, text[position:]


class SyslogReceiver:
    """Listens on 127.0.0.1; `async with receiver:` or `start()` and `stop()`. Starting again keeps port and records.

    Args:
        certificates: what `make_certificates` wrote.
        permitted_names: DNS names that a client's certificate may carry.
        file: where each record is also appended as one JSON line.
        port: 0 takes a free one; `port` tells which after the start.
    """

    def __init__(
        self,
        certificates: Certificates,
        *,
        permitted_names: frozenset[str] = frozenset({CLIENT_NAME}),
        file: Path | None = None,
        port: int = 0,
    ) -> None:
        self.port = port
        self.refused: list[str] = []  # why a connection was ended, in words
        self._certificates = certificates
        self._permitted = permitted_names
        self._file = file
        self._records: list[Record] = []
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Begin to listen; OSError when the port is taken."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=_context(self._certificates)
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut every connection; records stay."""
        if self._server is None:
            return
        self._server.close()
        self.cut_connections()
        await self._server.wait_closed()
        self._server = None

    def cut_connections(self) -> None:
        """End every open connection without a word, as a restarted collector does; listening goes on."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def records(self) -> list[Record]:
        """Everything stored so far, in order of arrival."""
        return list(self._records)

    async def wait_for_records(self, count: int, *, timeout: float = 10.0) -> list[Record]:
        """Wait until at least `count` records are stored; TimeoutError after `timeout` seconds of real time."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self._records) >= count)
        return self.records()

    async def wait_for_refusals(self, count: int, *, timeout: float = 10.0) -> list[str]:
        """Wait until at least `count` connections were refused; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.refused) >= count)
        return list(self.refused)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            names = _names(writer)
            if not names & self._permitted:
                await self._refuse(f"name not permitted: {', '.join(sorted(names)) or '(none)'}")
                return
            while (frame := await read_frame(reader)) is not None:
                await self._store(parse_record(frame))
        except BadSyslogError as err:
            await self._refuse(str(err))
        except (ConnectionError, ssl.SSLError):
            pass  # the client went away; what it sent completely is stored
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _store(self, record: Record) -> None:
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record_fields(record), ensure_ascii=False) + "\n")
        async with self._changed:
            self._records.append(record)
            self._changed.notify_all()

    async def _refuse(self, why: str) -> None:
        async with self._changed:
            self.refused.append(why)
            self._changed.notify_all()


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """One octet-counted frame, None at a clean end; BadSyslogError for any other framing."""
    digits = b""
    while (byte := await reader.read(1)) != b" ":
        if byte == b"":
            if digits:
                raise BadSyslogError("the connection ended inside a length")
            return None
        digits += byte
        if not digits.isdigit() or digits.startswith(b"0") or len(digits) > MAX_LENGTH_DIGITS:
            raise BadSyslogError(f"not an octet count: {digits!r}")
    if not digits or int(digits) > MAX_MESSAGE_BYTES:
        raise BadSyslogError(f"length {digits.decode() or 'missing'}, at most {MAX_MESSAGE_BYTES} allowed")
    try:
        return await reader.readexactly(int(digits))
    except asyncio.IncompleteReadError as err:
        raise BadSyslogError("the connection ended inside a message") from err


def record_fields(record: Record) -> dict[str, object]:
    """The record as JSON values."""
    return {name: getattr(record, name) for name in Record.__slots__}


def _context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates.ca)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    return context


def _names(writer: asyncio.StreamWriter) -> set[str]:
    certificate = writer.get_extra_info("peercert") or {}
    return {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}


def _value(text: str) -> str:
    return "" if text == "-" else text
