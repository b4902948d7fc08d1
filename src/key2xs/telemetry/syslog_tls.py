"""Sending syslog over mutual TLS (RFC 5425), careful about the word *delivered*.

The protocol has no acknowledgement, and two traps were measured against rsyslog 8.2302:

- With TLS 1.3 the client's handshake succeeds even if the server then refuses its certificate; several writes
  succeed as well before the end of the connection is seen. So after the first messages on a connection we listen
  for a while before we believe that we were let in.
- Closing a socket with unread bytes in it resets the connection and loses what was sent (8,500 of 20,000 messages
  arrived). So something reads from the socket all the time, and closing is: our end first, then read until the
  other side ends.

A batch counts as delivered when the other machine's TCP has acknowledged every byte and the connection still
stands a moment later. Otherwise none of it does, and all of it is sent again. What remains, because the protocol
cannot tell: a receiver that loses messages after it has read them.
"""

import array
import asyncio
import contextlib
import fcntl
import socket
import ssl
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from key2xs.core.errors import NeedsPerson, Retry

from .rfc5424 import frame

PORT = 6514  # RFC 5425, 4.1.
RETRY_AFTER = timedelta(seconds=5)
WHO = "administrator of the log receiver"
_CHUNK = 64 * 1024  # Bytes read or encrypted at once.
_POLL = 0.002  # Seconds between looks at TCP's unacknowledged bytes; a local receiver needs one or two.


@dataclass(frozen=True, slots=True)
class SyslogTarget:
    """A receiver and the certificates of both sides, as PEM files.

    `server_name` is what the receiver's certificate must carry, where that is not `host`.
    """

    host: str
    ca: Path
    certificate: Path
    key: Path
    port: int = PORT
    server_name: str = ""


class SyslogTlsSender:
    """Keeps one connection to one receiver; reconnects on the next delivery after a failure.

    Args:
        target: where to send.
        probe_for: seconds to listen for a refusal after the first messages on a connection.
        settle_for: seconds that the connection must stand after the receiver's TCP acknowledged a delivery.
        timeout: seconds for connecting, and for one delivery to be acknowledged.
    """

    def __init__(
        self,
        target: SyslogTarget,
        *,
        probe_for: float = 0.5,
        settle_for: float = 0.01,
        timeout: float = 10.0,
    ) -> None:
        self._target = target
        self._probe_for = probe_for
        self._settle_for = settle_for
        self._timeout = timeout
        self._connection: _Connection | None = None

    async def deliver(self, messages: Sequence[bytes]) -> None:
        """Send messages in order; return only when all of them count as delivered.

        Raises:
            Retry: the receiver is away or ended the connection; nothing of this batch counts as delivered.
            NeedsPerson: certificates or names do not fit; trying again helps only after somebody changed them.
        """
        if not messages:
            return
        try:
            async with asyncio.timeout(self._timeout + self._probe_for):
                connection = await self._connected()
                await connection.send(b"".join(frame(message) for message in messages))
                # Acknowledged is not yet read, and a reset empties TCP's queue as well. A receiver that dies takes
                # the bytes with it, but then the end comes at once.
                await connection.probe(self._settle_for if connection.trusted else self._probe_for)
                connection.trusted = True
        except TimeoutError as error:
            self._abort()
            raise Retry(RETRY_AFTER, f"{self._where} did not take the messages in time") from error
        except OSError as error:
            raise self._failure(error) from error
        except BaseException:
            # Cancelled between two bytes of a frame: this connection can carry nothing more.
            self._abort()
            raise

    async def close(self) -> None:
        """End the connection so that the receiver reads all that was sent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                async with asyncio.timeout(self._timeout):
                    await connection.end()
            except (TimeoutError, OSError):
                connection.abort()

    async def _connected(self) -> "_Connection":
        if self._connection is not None and self._connection.ended.done():
            # It ended while idle: a restarted receiver. Nothing is in flight, so simply connect again.
            self._abort()
        if self._connection is None:
            self._connection = await _Connection.open(self._target, _context(self._target))
        return self._connection

    def _failure(self, error: OSError) -> Retry | NeedsPerson:
        connection = self._connection
        self._abort()
        if connection is not None and connection.trusted:
            return Retry(RETRY_AFTER, f"{self._where}: {_words(error)}")
        # Not let in yet: what comes now is about certificates, not about a receiver that restarts.
        if isinstance(error, ssl.SSLCertVerificationError):
            return NeedsPerson(
                WHO, f"{self._where} shows a certificate we do not trust: {error.verify_message}"
            )
        if isinstance(error, ssl.SSLError):
            return NeedsPerson(WHO, f"{self._where} refused the TLS connection: {_words(error)}")
        if isinstance(error, ConnectionError) and connection is not None:
            return NeedsPerson(
                WHO, f"{self._where} ended the connection at once: it does not permit our certificate"
            )
        return Retry(RETRY_AFTER, f"{self._where}: {_words(error)}")

    def _abort(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    @property
    def _where(self) -> str:
        return f"syslog receiver {self._target.host}:{self._target.port}"


class _EndedError(ConnectionError):
    """The other side ended the connection."""


class _Connection:
    """TLS over a socket of our own.

    asyncio's TLS transport cannot close one direction and does not show how much TCP still holds; both are
    needed here.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str) -> None:
        self.trusted = False
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[OSError] = self._loop.create_future()
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, target: SyslogTarget, context: ssl.SSLContext) -> "_Connection":
        """Connect and shake hands."""
        sock = await _connect(target.host, target.port)
        connection = cls(sock, context, target.server_name or target.host)
        try:
            await connection._shake_hands()
        except BaseException:
            sock.close()
            raise
        connection._reader = asyncio.create_task(connection._read(), name="syslog-reader")
        return connection

    async def send(self, data: bytes) -> None:
        """Send and wait until the other machine has acknowledged every byte."""
        view = memoryview(data)
        for at in range(0, len(view), _CHUNK):
            self._check()
            self._tls.write(view[at : at + _CHUNK])
            await self._loop.sock_sendall(self._sock, self._outgoing.read())
        while _unacknowledged(self._sock):
            await self.probe(_POLL)

    async def probe(self, seconds: float) -> None:
        """Listen; raise what ended the connection if it ends within this time."""
        await asyncio.wait([self.ended], timeout=seconds)
        self._check()

    async def end(self) -> None:
        """Say goodbye, close our direction, and read until the other side has closed its own."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._loop.sock_sendall(self._sock, self._outgoing.read())
        self._sock.shutdown(socket.SHUT_WR)
        await asyncio.wait([self.ended])
        self.abort()

    def abort(self) -> None:
        """Let go of the socket at once."""
        if self._reader is None or self._reader.done():
            self._sock.close()
        else:
            # The loop still watches the socket; its number must not be free for another before that has ended.
            self._reader.add_done_callback(lambda _: self._sock.close())
            self._reader.cancel()

    def _check(self) -> None:
        if self.ended.done():
            raise self.ended.result()

    async def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._loop.sock_sendall(self._sock, data)

    async def _receive(self) -> None:
        data = await self._loop.sock_recv(self._sock, _CHUNK)
        if not data:
            raise _EndedError(0, "the connection ended")
        self._incoming.write(data)

    async def _read(self) -> None:
        """Read all the time: session tickets, alerts, and the end."""
        try:
            while True:
                await self._receive()
                with contextlib.suppress(ssl.SSLWantReadError):
                    while self._tls.read(_CHUNK):
                        pass
                    # No data and no error: the other side said goodbye.
                    raise _EndedError(0, "the connection ended")
        except OSError as error:
            if not self.ended.done():
                self.ended.set_result(error)


async def _connect(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    problem: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise problem or OSError(0, "no address")


def _context(target: SyslogTarget) -> ssl.SSLContext:
    """Read the certificates anew for each connection: they are replaced while we run."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(target.ca)
        context.load_cert_chain(target.certificate, target.key)
    except (OSError, ValueError) as error:
        files = f"{target.ca.name}, {target.certificate.name}, {target.key.name}"
        raise NeedsPerson(
            "administrator", f"one of {files} cannot be read or does not fit the others"
        ) from error
    return context


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no reason given").lower().replace("_", " ")
    return error.strerror or str(error) or type(error).__name__


def _unacknowledged(sock: socket.socket) -> int:
    """Return how many sent bytes the other machine's TCP has not acknowledged (Linux: SIOCOUTQ)."""
    count = array.array("i", [0])
    fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, count)
    return count[0]
