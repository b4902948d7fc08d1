"""One call at a time over one connection, each within its time limit: what connectors of every make promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from key2xs.core.errors import Retry, Unknown

__all__ = ["Turns"]


class Turns:
    """Who may speak to the vendor now. Vendors that change a key twice at once have been seen to lose one change."""

    def __init__(self, writes_sent: Callable[[], int], *, limit: timedelta, retry_after: timedelta) -> None:
        """Give each call `limit`; `writes_sent` counts the requests that may have changed something."""
        self._writes_sent, self._limit, self._retry_after = writes_sent, limit, retry_after
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, what: str) -> AsyncIterator[None]:
        """Run one call. Waiting for its turn counts, so that a call is over before the lease it was made under.

        Raises:
            Unknown: the time was over with a write on its way.
            Retry: it was over, and nothing was written.
        """
        wrote = False
        try:
            async with asyncio.timeout(self._limit.total_seconds()), self._one_at_a_time:
                before = self._writes_sent()
                try:
                    yield
                finally:
                    wrote = self._writes_sent() > before
        except TimeoutError as err:
            if wrote:
                raise Unknown(f"{what}: out of time with a write on its way") from err
            raise Retry(self._retry_after, f"{what}: out of time") from err
