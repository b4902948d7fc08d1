"""The sink: a reader of the log that sends every entry to a syslog receiver."""

from collections.abc import Sequence

from key2xs.core.database import Connection
from key2xs.ledger import ReadEntry

from .events import to_syslog
from .rfc5424 import DEFAULT_LIMIT, format_rfc5424
from .syslog_tls import SyslogTlsSender


class SyslogReader:
    """Sends each batch and lets the cursor advance only when all of it counts as delivered.

    After a crash between the two a batch is sent again; `key2xs_uid` tells the receiver. `Retry` and `NeedsPerson`
    of the sender leave the cursor where it was.

    Args:
        name: of the sink; the cursor is kept under `syslog:<name>`.
        sender: the connection to the receiver.
        host: what to call this installation in the messages' header.
        limit: longest message the receiver takes, in bytes.
    """

    def __init__(self, name: str, sender: SyslogTlsSender, *, host: str, limit: int = DEFAULT_LIMIT) -> None:
        self.name = f"syslog:{name}"
        self._sender = sender
        self._host = host
        self._limit = limit

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Send the entries; `tx` is the cursor's transaction and is not used for anything else."""
        del tx
        await self._sender.deliver(
            [format_rfc5424(to_syslog(entry, host=self._host), limit=self._limit) for entry in entries]
        )

    async def close(self) -> None:
        """End the connection in an orderly way."""
        await self._sender.close()
