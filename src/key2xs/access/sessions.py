"""Sessions: signing in, being recognised, signing out.

A session's secret is made here and never taken from a request, so nobody can plant one. It changes at every sign-in
and whenever a password or role changes; it ends when nobody was there for a while, and at the end of a shift.
Time is real time: a demo that steps the night must not sign anybody out.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database
from key2xs.core.errors import InvalidInput, Key2XSError, NotFound
from key2xs.core.ids import UserId
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger, typed

from .authority import Authority
from .secrets import Passwords, check_password, csrf_token, digest, new_secret
from .throttle import Throttle
from .types import OpenSession, Principal, SignedIn, User
from .users import Users, check_login, user_of

_SQL = load_queries("key2xs.access")

IDLE: Final = timedelta(minutes=30)  # a walk through the unit
LONGEST: Final = timedelta(hours=12)  # one shift
_PAGE: Final = 200
_TOUCH_AFTER: Final = timedelta(
    minutes=1
)  # a page that refreshes itself writes once a minute, not once a request


class SignInRefused(Key2XSError):
    """Name or password is wrong."""


class Sessions:
    """Signing in and out, and finding who asks."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        users: Users,
        authority: Authority,
        passwords: Passwords,
        clock: Clock,
        wall: Clock,
    ) -> None:
        """`clock` gives domain time for the log, `wall` real time for timeouts."""
        self._database, self._ledger, self._users, self._passwords = database, ledger, users, passwords
        self._authority, self._clock, self._wall = authority, clock, wall
        self._throttle = Throttle(wall.monotonic)

    async def sign_in(
        self, login: str, password: str, *, address: str, old_secret: str | None = None
    ) -> SignedIn:
        """Begin a session.

        Args:
            login: the sign-in name.
            password: the password.
            address: where the request came from; only counted, never stored.
            old_secret: the session cookie the request brought, if any; that session ends.

        Raises:
            SignInRefused: name or password is wrong, or the user is disabled; it never says which.
            TooManyAttempts: wait.
        """
        try:
            login_ref = self._users.blind(check_login(login))
        except InvalidInput as error:
            raise SignInRefused from error
        self._throttle.take(login_ref, address)
        async with self._database.read() as tx:
            row = await tx.fetchrow("SELECT * FROM access_user WHERE login_ref = $1", login_ref)
        usable = row is not None and row["disabled_at"] is None
        # Verified outside the transaction: it takes a while and must not hold a connection.
        if not await self._passwords.verify(row["password"] if row and usable else None, password):
            # Unknown names are told too: a SIEM wants them, and the answer takes as long as for a known one.
            if row is not None or self._throttle.may_tell():
                user_id = UserId(row["id"]) if row is not None else None
                await self._database.transact(lambda tx: self._tell(tx, "access:session:refuse", user_id))
            raise SignInRefused
        if row is None:
            raise AssertionError  # pragma: no cover - nothing verifies against no row
        signed_in = await self._database.transact(
            lambda tx: self._begin(tx, login_ref, row["password"], old_secret)
        )
        self._throttle.forgive(login_ref, address)
        return signed_in

    async def recognise(self, secret: str) -> Principal | None:
        """Return who a session cookie stands for, or None."""
        now = self._wall.now()
        async with self._database.read() as tx:
            row = await tx.fetchrow(_SQL["find_session"], digest(secret), now, now - IDLE)
            if row is None:
                return None
            held = await self._authority.holdings(tx, tuple(row["roles"]))
        if now - row["seen_at"] > _TOUCH_AFTER:
            async with self._database.transaction() as tx:
                await tx.execute(_SQL["touch_session"], row["digest"], now)
        return Principal(
            kind="session",
            user_id=UserId(row["id"]),
            person_id=row["person_id"],
            roles=tuple(row["roles"]),
            permissions=held.everywhere,
            actor=f"user:{row['id']}",
            secret=secret,
            holdings=held,
        )

    async def list(
        self, tx: Connection, *, user_id: UserId | None = None, limit: int = _PAGE
    ) -> list[OpenSession]:
        """Return sign-ins that have not ended, the newest first."""
        now = self._wall.now()
        rows = await tx.fetch(_SQL["list_sessions"], user_id, now, now - IDLE, limit)
        return [OpenSession(**row) for row in rows]

    async def end(self, tx: Connection, session_id: UUID, *, actor: str, reason: str = "") -> None:
        """End somebody's session by its handle.

        Raises:
            NotFound: there is none.
        """
        owner = await tx.fetchval(_SQL["session_owner"], session_id)
        if owner is None:
            raise NotFound("there is no such session; it may have ended")
        at = self._clock.now()
        entry = Entry(
            kind="access:session:end",
            occurred_at=at,
            recorded_at=at,
            actor=actor,
            subjects=(f"user:{owner}",),
            body={"reason": typed(actor, reason)} if reason else {},
        )
        await self._ledger.record(tx, entry)
        await tx.execute(_SQL["end_session_by_id"], session_id)

    async def sign_out(self, secret: str) -> None:
        """End a session; one that is over already is no error."""
        async with self._database.transaction() as tx:
            await tx.execute(_SQL["end_session"], digest(secret))

    async def change_password(self, principal: Principal, *, old: str | None, new: str) -> SignedIn:
        """Set one's own password; every session of the user ends and a new one begins.

        A session that began with a one-time password needs no old one.

        Raises:
            SignInRefused: the old password is wrong.
            InvalidInput: the new one is too weak.
            TooManyAttempts: wait.
        """
        async with self._database.read() as tx:
            row = await tx.fetchrow(_SQL["get_user"], principal.user_id)
            session = await tx.fetchrow(
                _SQL["find_session"], digest(principal.secret), self._wall.now(), self._wall.now() - IDLE
            )
        if row is None or session is None:
            raise SignInRefused
        fresh = session["session_one_time"] and row["password"] is None
        if not fresh:
            self._throttle.take(bytes(row["login_ref"]), f"user:{principal.user_id}")
            if not await self._passwords.verify(row["password"], old or ""):
                raise SignInRefused
        check_password(new, "")

        async def work(tx: Connection) -> SignedIn:
            at = self._clock.now()
            await self._users.set_password(tx, principal.user_id, new, actor=principal.actor, at=at)
            return await self._store(tx, await self._users.get(tx, principal.user_id), one_time=False)

        return await self._database.transact(work)

    async def _begin(
        self, tx: Connection, login_ref: bytes, verified: str | None, old_secret: str | None
    ) -> SignedIn:
        row = await tx.fetchrow(_SQL["find_login"], login_ref)
        # Between the check and this lock the password may have been used up or changed.
        if row is None or row["disabled_at"] is not None or row["password"] != verified:
            raise SignInRefused
        user = user_of(row)
        now = self._wall.now()
        await tx.execute(_SQL["sweep_sessions"], now, now - IDLE)
        if old_secret:
            await tx.execute(_SQL["end_session"], digest(old_secret))
        entry = await self._tell(tx, "access:session:begin", user.id)
        await tx.execute(_SQL["mark_signed_in"], user.id, self._clock.now(), entry)
        if user.one_time:
            await self._users.use_up_password(tx, user.id, at=self._clock.now())
        return await self._store(tx, user, one_time=user.one_time)

    async def _store(self, tx: Connection, user: User, *, one_time: bool) -> SignedIn:
        secret, now = new_secret(), self._wall.now()
        ends_at: datetime = now + LONGEST
        await tx.execute(_SQL["insert_session"], digest(secret), user.id, now, ends_at, one_time)
        return SignedIn(user=user, secret=secret, csrf=csrf_token(secret), ends_at=ends_at)

    async def _tell(self, tx: Connection, kind: str, user_id: UserId | None) -> int:
        at = self._clock.now()
        subjects = (f"user:{user_id}",) if user_id else ()
        actor = f"user:{user_id}" if user_id and kind != "access:session:refuse" else "system:access"
        return await self._ledger.record(
            tx, Entry(kind=kind, occurred_at=at, recorded_at=at, actor=actor, subjects=subjects)
        )
