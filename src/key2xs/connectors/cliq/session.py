"""Signing in: one call; `takeover` has the rule for sessions that end under us."""

from __future__ import annotations

from typing import TypeVar

from key2xs.connectors.takeover import WorkerSession
from key2xs.core.clock import Clock
from key2xs.keys.port import SessionStore, StoredSession

from .client import Call, CliqClient, sign_in, sign_out
from .config import CliqConfig
from .payloads import Nothing, Session

__all__ = ["CliqSession"]

T = TypeVar("T")


class CliqSession(WorkerSession):
    """The session of one worker; opens itself when it is first needed."""

    def __init__(self, client: CliqClient, config: CliqConfig, store: SessionStore, clock: Clock) -> None:
        """Remember the parts; nothing is sent yet."""
        super().__init__(store, config.retry_after)
        self._client, self._config, self._clock = client, config, clock

    async def request(self, call: Call, shape: type[T]) -> T:
        """Send a call inside the session.

        Raises:
            Changed: the write was based on another revision.
            CallFailed: see `client`; `Retry` as well when another worker took the session over.
        """
        return await self.inside(lambda session: self._client.send(call, shape, session=session.secret))

    async def sign_in(self) -> StoredSession:
        """Sign in and store the session."""
        opened = await self._client.send(sign_in(self._config), Session)
        session = StoredSession(opened.session, self._config.base_url, self._clock.now())
        await self._store.save(session)
        return session

    async def sign_out(self, session: StoredSession) -> None:
        """End a session."""
        await self._client.send(sign_out(), Nothing, session=session.secret)
