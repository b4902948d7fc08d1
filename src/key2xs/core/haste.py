"""Who goes first in one process: a kill before the bulk of lock events and entries that is worked off beside it.

Bulk work is done in slices, and between two slices it lets everybody else run. While somebody is in haste it waits a little
there as well, never so long that it stands still: a flood of kills must not stop the log.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

SLICE: Final = 25  # entries; some milliseconds
_HASTE_SECONDS: Final = 0.5  # process time; whoever is longer in haste says so again
_LONGEST_WAIT_SECONDS: Final = 0.05  # a slice

_is_bulk: ContextVar[bool] = ContextVar("is_bulk", default=False)


class _Haste:
    until = 0.0


def hurry() -> None:
    """Let bulk work step back for a moment."""
    _Haste.until = time.monotonic() + _HASTE_SECONDS


@contextmanager
def bulk() -> Iterator[None]:
    """What is done inside gives way; see `give_way`."""
    token = _is_bulk.set(True)
    try:
        yield
    finally:
        _is_bulk.reset(token)


async def give_way() -> None:
    """Between two slices of bulk work: let others run, and wait a little while somebody is in haste."""
    if not _is_bulk.get():
        return
    await asyncio.sleep(0)
    left = min(_Haste.until - time.monotonic(), _LONGEST_WAIT_SECONDS)
    if left > 0:
        await asyncio.sleep(left)
