"""One call at a time over one connection, each within its time limit: what connectors of every make promise."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from key2xs.core.errors import Retry, Unknown
from key2xs.keys.budget import is_stopping

__all__ = ["Turns"]


_AHEAD: Final = (
    8  # stops in a row that go before others: a thousand of them must not keep the log from being read
)


class _Line:
    """One at a time, in the order of coming; a call that stops somebody goes before the others that wait."""

    def __init__(self) -> None:
        self._taken = False
        self._stops: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self._ahead = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self._wait()
        try:
            yield
        finally:
            self._next()

    async def _wait(self) -> None:
        if not self._taken:
            self._taken = True
            return
        waiting = asyncio.get_running_loop().create_future()
        (self._stops if is_stopping() else self._others).append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if not waiting.cancelled():
                self._next()  # the turn came at the very moment of giving up
            raise

    def _next(self) -> None:
        """Give the turn to who is next; those that gave up are passed over."""
        while self._stops or self._others:
            is_stop = bool(self._stops) and (self._ahead < _AHEAD or not self._others)
            self._ahead = self._ahead + 1 if is_stop else 0
            waiting = (self._stops if is_stop else self._others).popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        self._taken = False


class Turns:
    """Who may speak to the vendor now. Vendors that change a key twice at once have been seen to lose one change."""

    def __init__(
        self,
        writes_sent: Callable[[], int],
        *,
        limit: timedelta,
        retry_after: timedelta,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Give each call `limit`; `writes_sent` counts the requests that may have changed something.

        `before` is waited for before a call asks for its turn: whoever can wait does not keep others waiting.
        """
        self._writes_sent, self._limit, self._retry_after = writes_sent, limit, retry_after
        self._before = before
        self._line = _Line()

    @asynccontextmanager
    async def turn(self, what: str) -> AsyncIterator[None]:
        """Run one call. Waiting for its turn counts, so that a call is over before the lease it was made under.

        Raises:
            Unknown: the time was over with a write on its way.
            Retry: it was over, and nothing was written.
        """
        if self._before is not None:
            await self._before()
        wrote = False
        try:
            async with asyncio.timeout(self._limit.total_seconds()), self._line.turn():
                before = self._writes_sent()
                try:
                    yield
                finally:
                    wrote = self._writes_sent() > before
        except TimeoutError as err:
            if wrote:
                raise Unknown(f"{what}: out of time with a write on its way") from err
            raise Retry(self._retry_after, f"{what}: out of time") from err
