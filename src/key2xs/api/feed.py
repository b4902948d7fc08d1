"""The live feed: tells every open page that the log has grown, and ends when the service stops.

One connection listens for the sequencer's notification. A notification that was lost costs a second, because the
log's end is looked at anyway.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from key2xs.core.database import Database
from key2xs.ledger import ReadEntry
from key2xs.ledger.readers import read_entries
from key2xs.ledger.sequencer import CHANNEL

_POLL_SECONDS: Final = 1.0
_KEEP_ALIVE_SECONDS: Final = 15.0  # proxies close what is silent for longer
_LONGEST_SECONDS: Final = 600.0  # a stream is begun anew now and then, so that a sign-out ends it too
_BATCH: Final = 200
_END: Final = (
    "SELECT origin.first_position + head.size FROM log_head AS head "
    "JOIN log_origin AS origin ON origin.number = head.origin"
)


class Feed:
    """Hands new entries to whoever follows."""

    def __init__(self, database: Database) -> None:
        """Read from `database`; nothing is opened before `running`."""
        self._database = database
        # A new event for each growth and no lock: a reader who goes away in the middle can hold nothing up.
        self._grown = asyncio.Event()
        self._stopped = asyncio.Event()
        self._end = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for the length of the block."""
        task = asyncio.create_task(self._listen(), name="feed")
        try:
            yield
        finally:
            await self.stop()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def stop(self) -> None:
        """End all streams; without this a server that stops would wait for every open page."""
        self._stopped.set()
        self._wake()

    async def follow(self, position: int | None = None) -> AsyncIterator[list[ReadEntry]]:
        """Give the entries from a position on as they come; an empty list now and then to keep the line open.

        Args:
            position: where to go on; None for what comes from now on.
        """
        loop = asyncio.get_running_loop()
        begun = spoken = loop.time()
        await self._look()
        at = self._end if position is None else min(position, self._end)
        while not self._stopped.is_set() and loop.time() - begun < _LONGEST_SECONDS:
            entries = await self._read(at) if at < self._end else []
            if entries:
                at, spoken = entries[-1].position + 1, loop.time()
                yield entries
                continue
            if loop.time() - spoken > _KEEP_ALIVE_SECONDS:
                spoken = loop.time()
                yield []
            await self._wait()
            await self._look()

    async def _read(self, position: int) -> list[ReadEntry]:
        async with self._database.read() as tx:
            return await read_entries(tx, position, _BATCH)

    async def _look(self) -> None:
        async with self._database.read() as tx:
            self._end = max(self._end, await tx.fetchval(_END) or 0)

    async def _wait(self) -> None:
        if self._stopped.is_set():
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._grown.wait(), _POLL_SECONDS)

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def _listen(self) -> None:
        """Wake followers on each notification; a lost connection is made again, and polling goes on meanwhile."""
        while not self._stopped.is_set():
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen_once()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), _POLL_SECONDS)

    async def _listen_once(self) -> None:
        connection = await self._database.connect()
        heard, lost = asyncio.Event(), asyncio.Event()

        def on_lost(_connection: object) -> None:
            lost.set()
            heard.set()

        try:
            connection.add_termination_listener(on_lost)
            await connection.add_listener(CHANNEL, lambda *_arguments: heard.set())
            while not lost.is_set() and not self._stopped.is_set():
                await heard.wait()
                heard.clear()
                self._wake()
        finally:
            await connection.close()
