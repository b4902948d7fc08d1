"""The pulse: tells open pages that something changed, so that they load themselves again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from litestar import get
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from key2xs.api.web import web_of

from .frame import Asked

EVENT: Final = "site-changed"
# However busy the log is, a page needs no more than one refresh in this time.
SHORTEST_PAUSE_SECONDS: Final = 1.0


@get("/pulse", signed_in=True, include_in_schema=False)
async def pulse(request: Asked) -> ServerSentEvent:
    """Send an event whenever the log grew, and now and then so that ages on the page stay true."""
    return ServerSentEvent(_beats(request))


async def _beats(request: Asked) -> AsyncIterator[ServerSentEventMessage]:
    async for entries in web_of(request).feed.follow():
        yield ServerSentEventMessage(data=str(len(entries)), event=EVENT)
        await asyncio.sleep(SHORTEST_PAUSE_SECONDS)
