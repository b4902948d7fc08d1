"""Signing in on the simulated CLIQ interface: several sessions may be open, each ends when it idles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from key2xs_twin.cliq.errors import CliqError

if TYPE_CHECKING:
    from datetime import datetime

    from key2xs_twin.cliq.inventory import CliqSite
    from key2xs_twin.cliq.settings import CliqSettings
    from key2xs_twin.rng import Randomness


@dataclass(slots=True)
class CliqSession:
    """A signed-in client."""

    session_id: str
    opened_at: datetime
    expires_at: datetime


class CliqSessions:
    """All sessions of one server."""

    def __init__(self, account: CliqSite, settings: CliqSettings, rng: Randomness) -> None:
        self._account = account
        self._settings = settings
        self._rng = rng
        self._open: dict[str, CliqSession] = {}
        self._count = 0

    def open(self, client: str, secret: str, now: datetime) -> CliqSession:
        """Sign in, or 401 ``credentials``."""
        if (client, secret) != (self._account.client, self._account.secret):
            raise CliqError(401, "credentials", "Unknown client or wrong secret.")
        self._count += 1
        session_id = str(self._rng.uuid("cliq session", self._count))
        session = CliqSession(session_id, now, now + self._settings.session_idle)
        self._open[session_id] = session
        return session

    def require(self, session_id: str | None, now: datetime) -> CliqSession:
        """The session of this header value, used now, or 401."""
        session = self._open.get(session_id or "")
        if session is None:
            raise CliqError(401, "session_unknown", "There is no such session.")
        if now >= session.expires_at:
            raise CliqError(401, "session_expired", "The session has expired.")
        session.expires_at = now + self._settings.session_idle
        return session

    def end(self, session_id: str) -> None:
        """End a session; a late request of it finds the door closed."""
        self._open.pop(session_id, None)

    def end_all(self) -> None:
        """End every session, as a server restart does."""
        self._open.clear()
