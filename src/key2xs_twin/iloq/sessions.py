"""Signing in: result codes, lockout, session lifetime, choice of the locking system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from uuid import UUID

from key2xs_twin.iloq.errors import ApiError, invalid, unauthorised
from key2xs_twin.iloq.inventory import IloqSite
from key2xs_twin.iloq.settings import IloqSettings
from key2xs_twin.iloq.shapes import SessionBody
from key2xs_twin.rng import Randomness

NO_SESSION = "00000000-0000-0000-0000-000000000000"


class SignIn(IntEnum):
    """CreateSession result codes that the twin gives (Public API v2)."""

    OK = 1
    DATABASE_UPDATE = 4
    BAD_CREDENTIALS = 5
    NOW_LOCKED_OUT = 7
    LOCKED_OUT = 8
    PASSWORD_EXPIRED = 9


@dataclass(slots=True)
class Session:
    """A signed-in user; without a locking system he may not touch anything."""

    session_id: str
    created_at: datetime
    lock_group_id: UUID | None = None


class Sessions:
    """All sessions of one server, and the lockout counter of its one account."""

    def __init__(self, account: IloqSite, settings: IloqSettings, rng: Randomness) -> None:
        self._account = account
        self._settings = settings
        self._rng = rng
        self._open: dict[str, Session] = {}
        self._count = 0
        self._bad_passwords = 0
        self._locked_until: datetime | None = None

    def sign_in(self, body: SessionBody, now: datetime) -> tuple[SignIn, str]:
        """Try to open a session: the result code, and the session id if it worked."""
        settings = self._settings
        if settings.database_update_until is not None and now < settings.database_update_until:
            return SignIn.DATABASE_UPDATE, NO_SESSION
        if self._locked_until is not None and now < self._locked_until:
            return SignIn.LOCKED_OUT, NO_SESSION
        account = self._account
        if body.customer_code != account.customer_code or body.user_name != account.user_name:
            return SignIn.BAD_CREDENTIALS, NO_SESSION
        if body.password != account.password:
            return self._bad_password(now), NO_SESSION
        self._bad_passwords = 0
        if settings.password_expired:
            return SignIn.PASSWORD_EXPIRED, NO_SESSION
        self._count += 1
        session_id = str(self._rng.uuid("session", self._count))
        self._open[session_id] = Session(session_id, now)
        return SignIn.OK, session_id

    def _bad_password(self, now: datetime) -> SignIn:
        self._bad_passwords += 1
        if self._bad_passwords < self._settings.bad_passwords_until_lockout:
            return SignIn.BAD_CREDENTIALS
        self._bad_passwords = 0
        self._locked_until = now + self._settings.lockout_for
        return SignIn.NOW_LOCKED_OUT

    def require(self, session_id: str | None, now: datetime) -> Session:
        """The session of this header value, or the vendor's 401."""
        session = self._open.get(session_id or "")
        if session is None:
            raise unauthorised()
        lifetime: timedelta | None = self._settings.session_lifetime
        if lifetime is not None and now >= session.created_at + lifetime:
            del self._open[session.session_id]
            raise unauthorised()
        return session

    def choose_lock_group(self, session: Session, lock_group_id: UUID) -> int:
        """Bind the session to the locking system; return the rights mask (64 bits)."""
        if lock_group_id != self._account.lock_group_id:
            raise invalid(lock_group_id, "LockGroup_ID")
        session.lock_group_id = lock_group_id
        return self._settings.rights_mask

    def require_lock_group(self, session: Session) -> None:
        """Refuse everything before SetLockgroup. ASSUMPTION: with 401, as for a missing session."""
        if session.lock_group_id is None:
            raise ApiError(401, "Unauthorized", "Locking system is not set for the session.")

    def kill(self, session_id: str) -> None:
        """End a session; a late request of it finds the door closed."""
        self._open.pop(session_id, None)

    def kill_all(self) -> None:
        """End every session, as a server restart does."""
        self._open.clear()
