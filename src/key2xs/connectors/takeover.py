"""One rule for vendor sessions of every make: they may end under us, and a successor ends those it finds.

An answer that says the session ended means that nothing was carried out. Then we sign in again and repeat the call once,
but only while the stored session is still ours. If a successor fenced or replaced it, this worker was taken over and
must not write any more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar

from key2xs.core.errors import CallFailed, Retry
from key2xs.keys.port import SessionStore, StoredSession

__all__ = ["SessionEnded", "WorkerSession"]

T = TypeVar("T")

# Put before a stored session id while a successor ends the session: its owner no longer finds its own there. It stays
# readable for the next successor, should this one break off.
_FENCE: Final = "fenced "


class SessionEnded(Exception):
    """The vendor does not know the session (any more); it carried nothing out."""


class WorkerSession(ABC):
    """The session of one worker; opens itself when it is first needed."""

    def __init__(self, store: SessionStore, retry_after: timedelta) -> None:
        """Keep the session in `store`; nothing is sent yet."""
        self._store, self._retry_after = store, retry_after
        self._mine: StoredSession | None = None

    @abstractmethod
    async def sign_in(self) -> StoredSession:
        """Open a session at the vendor, save it in the store before anything else is done with it, and return it."""

    @abstractmethod
    async def sign_out(self, session: StoredSession) -> None:
        """End a session at the vendor; `SessionEnded` when it was ended already."""

    async def inside(self, act: Callable[[StoredSession], Awaitable[T]]) -> T:
        """Do something inside the session.

        Raises:
            CallFailed: what the call raised; `Retry` as well when another worker took the session over.
        """
        session = self._mine or await self.open()
        try:
            return await act(session)
        except SessionEnded:
            await self._require_not_taken_over(session)
        session = await self.open()
        try:
            return await act(session)
        except SessionEnded as err:
            raise Retry(self._retry_after, "the vendor ended a session that was just opened") from err

    async def open(self) -> StoredSession:
        """Sign in."""
        self._mine = None
        try:
            self._mine = await self.sign_in()
        except SessionEnded as err:
            raise Retry(self._retry_after, "the vendor ended the session while signing in") from err
        return self._mine

    async def close(self) -> None:
        """End our own session; a vendor that is down does not keep us from leaving."""
        session, self._mine = self._mine, None
        if session is None:
            return
        stored = await self._store.load()
        try:
            await self._end(session)
        except CallFailed:
            return  # It stays in the store, so that the next worker ends it.
        if stored is not None and stored.secret == session.secret:
            await self._store.clear()

    async def end_stored(self) -> None:
        """End every session that a worker left in the stores.

        A store is fenced first: its owner, finding its session ended, then sees that it was taken over and does not
        sign in again to repeat a late write. A worker that is alive loses its session as well; it signs in anew.
        """
        self._mine = None
        for store in (self._store, *await self._store.others()):
            stored = await store.load()
            if stored is not None:
                stored = replace(stored, secret=stored.secret.removeprefix(_FENCE))
                await store.save(replace(stored, secret=_FENCE + stored.secret))
                await self._end(stored)
                await store.clear()

    async def _end(self, session: StoredSession) -> None:
        try:
            await self.sign_out(session)
        except SessionEnded:
            return

    async def _require_not_taken_over(self, session: StoredSession) -> None:
        self._mine = None
        stored = await self._store.load()
        if stored is None or stored.secret != session.secret:
            raise Retry(timedelta(0), "another worker took this connection over")
