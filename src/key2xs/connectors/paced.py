"""Every request of a connection counted and paced, whatever the connector does: it sits below the connector.

A vendor that says *not now* (429 or 503 with Retry-After) carried nothing out. Where it names a few seconds, the same
request is sent again after them: one change of a key is about ten requests, and a vendor that takes fewer at once would
otherwise break off every one of them. Reading in the background, which comes again by itself, tries once more only.
Connections that fail and other answers are not repeated here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import httpx2

from key2xs.keys.budget import LONGEST_WAIT, Budget

__all__ = ["PacedTransport"]

_NOT_NOW: Final = frozenset({429, 503})
_LONGEST: Final = timedelta(
    hours=1
)  # whatever a Retry-After says; a typing error must not stop us for a year
_SHORTEST: Final = timedelta(seconds=1)  # a vendor that says 0 is not hammered
_REPEATS: Final = 3
_REPEATS_OF_READING: Final = 1
_SHARE: Final = (
    2  # of the request's time limit that waiting may take: a write that runs out of time counts as lost
)


class PacedTransport(httpx2.AsyncBaseTransport):
    """Lets requests through to `inner` as the budget allows, and hears when the vendor says *not now*."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, budget: Budget) -> None:
        """Count requests of `inner` in `budget`."""
        self._inner, self._budget = inner, budget

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request when it may be sent, again after seconds that the vendor asks for.

        Raises:
            OutOfCalls: it may not; nothing was sent, or the vendor has said that nothing was carried out.
        """
        patience = _patience(request)
        repeats = _REPEATS_OF_READING if self._budget.is_reading else _REPEATS
        while True:
            await self._budget.spend()
            response = await self._inner.handle_async_request(request)
            after = _asked_to_wait(response)
            if after is None:
                return response
            if not repeats or after > patience:
                self._budget.told_to_wait(after)
                return response
            await response.aclose()
            await self._budget.rest(after)
            repeats, patience = repeats - 1, patience - after

    async def aclose(self) -> None:
        """Release connections."""
        await self._inner.aclose()


def _asked_to_wait(response: httpx2.Response) -> timedelta | None:
    """Return how long the vendor wants to be left alone; its date form is not worth trusting another clock."""
    text = response.headers.get("retry-after", "")
    if response.status_code not in _NOT_NOW or not (text.isascii() and text.isdigit()):
        return None
    return min(max(timedelta(seconds=min(int(text), 10**6)), _SHORTEST), _LONGEST)


def _patience(request: httpx2.Request) -> timedelta:
    seconds = request.extensions.get("timeout", {}).get("read")
    return LONGEST_WAIT if seconds is None else min(LONGEST_WAIT, timedelta(seconds=seconds) / _SHARE)
