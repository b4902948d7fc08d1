"""Users: made, given roles, given passwords, disabled. Never deleted, because the log names them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import PersonId, UserId, new_id
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased, Vault
from key2xs.ledger import Entry, Ledger, Personal, typed

from .authority import Authority
from .matrix import conflicts_of
from .permissions import Role
from .secrets import Passwords, check_password
from .types import User, UserNames

_SQL = load_queries("key2xs.access")
LONGEST_LOGIN = 200  # characters; an e-mail address has at most 254, usual ones far fewer
_PAGE = 500


class Users:
    """Making and changing users."""

    def __init__(self, ledger: Ledger, vault: Vault, passwords: Passwords, authority: Authority) -> None:
        """Record every change with `ledger`; names are sealed by `vault`; `authority` knows what roles mean."""
        self._ledger, self._vault, self._passwords = ledger, vault, passwords
        self._authority = authority

    async def make(
        self,
        tx: Connection,
        *,
        login: str,
        roles: Iterable[str],
        actor: str,
        at: datetime,
        display_name: str | None = None,
        person_id: PersonId | None = None,
        password: str | None = None,
        one_time_password: str | None = None,
        reason: str = "",
    ) -> UserId:
        """Make a user and return the id.

        Args:
            tx: a transaction.
            login: the name to sign in with; case and outer spaces do not count.
            roles: some of `Role`.
            actor: who makes the user.
            at: when, in domain time.
            display_name: how the user is shown to others who may see names.
            person_id: the person this user is; needed to approve anything.
            password: the user's own password.
            one_time_password: one that is void after the first sign-in, instead.
            reason: why, in the words of whoever makes it; the API asks for it.

        Raises:
            InvalidInput: an empty name, an unknown role, a bad password.
            Conflict: the name is taken, the person has a user already, or roles that are never one person's.
        """
        name, wanted = check_login(login), await self._roles(tx, roles)
        chosen = one_time_password or password
        if chosen is not None:
            check_password(chosen, name)
        login_ref = self.blind(name)
        if await tx.fetchval(_SQL["is_login_taken"], login_ref):
            raise Conflict("a user with this sign-in name exists")
        user_id = UserId(new_id())
        await self._check_person(tx, person_id, user_id)
        stored = await self._passwords.hash(chosen) if chosen is not None else None
        entry = await self._tell(
            tx,
            "access:user:create",
            user_id,
            actor,
            at,
            login=Personal(user_id, name),
            roles=list(wanted),
            linked=person_id is not None,
            person_id=person_id,
            reason=reason,
        )
        await tx.execute(
            _SQL["insert_user"],
            user_id,
            login_ref,
            await self._vault.seal(user_id, name),
            await self._vault.seal(user_id, display_name) if display_name else None,
            person_id,
            list(wanted),
            stored,
            one_time_password is not None,
            at,
            entry,
        )
        await self._touched(tx, user_id, actor, at, entry)
        return user_id

    async def set_roles(
        self,
        tx: Connection,
        user_id: UserId,
        *,
        roles: Iterable[str],
        person_id: PersonId | None,
        actor: str,
        at: datetime,
        reason: str = "",
    ) -> None:
        """Change what a user may do or which person they are; all their sessions end.

        Raises:
            NotFound: no such user.
            InvalidInput: an unknown role.
            Conflict: the person has another user, or the user is disabled.
        """
        wanted = await self._roles(tx, roles)
        user = await self._lock(tx, user_id)
        await self._check_person(tx, person_id, user_id)
        if user.disabled_at is not None:
            raise Conflict("the user is disabled; make a new one")
        entry = await self._tell(
            tx,
            "access:user:change",
            user_id,
            actor,
            at,
            before=list(user.roles),
            roles=list(wanted),
            linked=person_id is not None,
            person_id=person_id,
            reason=reason,
        )
        await tx.execute(_SQL["set_roles"], user_id, list(wanted), person_id, entry)
        await self._touched(tx, user_id, actor, at, entry, altered=person_id != user.person_id)
        await tx.execute(_SQL["end_sessions"], user_id)

    async def set_password(
        self,
        tx: Connection,
        user_id: UserId,
        password: str,
        *,
        actor: str,
        at: datetime,
        one_time: bool = False,
        reason: str = "",
    ) -> None:
        """Give a user a new password; all their sessions end.

        Raises:
            NotFound: no such user.
            InvalidInput: the password is too weak.
            Conflict: the user is disabled.
        """
        check_password(password, (await self.names(tx, user_id)).login or "")
        stored = await self._passwords.hash(password)
        user = await self._lock(tx, user_id)
        if user.disabled_at is not None:
            raise Conflict("the user is disabled; make a new one")
        entry = await self._tell(
            tx, "access:user:password", user_id, actor, at, one_time=one_time, reason=reason
        )
        await tx.execute(_SQL["set_password"], user_id, stored, one_time, entry)
        await self._touched(tx, user_id, actor, at, entry)
        await tx.execute(_SQL["end_sessions"], user_id)

    async def use_up_password(self, tx: Connection, user_id: UserId, *, at: datetime) -> None:
        """Void a one-time password that was just used."""
        entry = await self._tell(tx, "access:user:password", user_id, f"user:{user_id}", at, used_up=True)
        await tx.execute(_SQL["set_password"], user_id, None, True, entry)

    async def disable(
        self, tx: Connection, user_id: UserId, *, actor: str, at: datetime, reason: str = ""
    ) -> None:
        """Keep a user from ever signing in again; their tokens stop working too.

        Raises:
            NotFound: no such user.
            Conflict: it is so already.
        """
        user = await self._lock(tx, user_id)
        if user.disabled_at is not None:
            raise Conflict("the user is disabled already")
        entry = await self._tell(tx, "access:user:disable", user_id, actor, at, reason=reason)
        await tx.execute(_SQL["disable_user"], user_id, at, entry)
        await tx.execute(_SQL["end_sessions"], user_id)

    async def get(self, tx: Connection, user_id: UserId) -> User:
        """Return one user.

        Raises:
            NotFound: no such user.
        """
        row = await tx.fetchrow(_SQL["get_user"], user_id)
        if row is None:
            raise NotFound(f"there is no user {user_id}")
        return user_of(row)

    async def of_person(self, tx: Connection, person_id: PersonId) -> User | None:
        """Return the user that a person is, disabled or not; None: none."""
        row = await tx.fetchrow(_SQL["user_of_person"], person_id)
        return user_of(row) if row is not None else None

    async def names(self, tx: Connection, user_id: UserId) -> UserNames:
        """Return what a user is called.

        Raises:
            NotFound: no such user.
        """
        row = await tx.fetchrow(_SQL["get_user"], user_id)
        if row is None:
            raise NotFound(f"there is no user {user_id}")
        return UserNames(
            await self._open(user_id, row["login"]), await self._open(user_id, row["display_name"])
        )

    async def list(self, tx: Connection, *, after: UserId | None = None, limit: int = _PAGE) -> list[User]:
        """Return users in the order of their ids."""
        return [user_of(row) for row in await tx.fetch(_SQL["list_users"], after, limit)]

    async def count(self, tx: Connection) -> int:
        """Return how many users there are, disabled ones included."""
        found: int = await tx.fetchval(_SQL["count_users"])
        return found

    def blind(self, login: str) -> bytes:
        """Return what a sign-in name is found by."""
        return self._vault.blind("access-login", login)

    async def _roles(self, tx: Connection, roles: Iterable[str]) -> tuple[str, ...]:
        wanted = check_roles(roles)
        why = conflicts_of(wanted, (await self._authority.current(tx)).rules)
        if why:
            raise Conflict(why)
        return wanted

    async def _touched(
        self, tx: Connection, user_id: UserId, actor: str, at: datetime, entry: int, *, altered: bool = True
    ) -> None:
        """Remember that somebody changed another's account: for a day neither is one half of two people."""
        kind, _, who = actor.partition(":")
        if kind not in {"user", "token"} or actor == f"user:{user_id}":
            return
        if altered:
            await tx.execute(_SQL["mark_altered"], user_id, at, entry)
        await tx.execute(_SQL["mark_administered"], UUID(who), at, entry)

    async def _open(self, user_id: UserId, blob: bytes | None) -> str | None:
        if blob is None:
            return None
        value = await self._vault.open(user_id, blob)
        return None if isinstance(value, Erased) else value

    async def _lock(self, tx: Connection, user_id: UserId) -> User:
        row = await tx.fetchrow(_SQL["lock_user"], user_id)
        if row is None:
            raise NotFound(f"there is no user {user_id}")
        return user_of(row)

    async def _check_person(self, tx: Connection, person_id: PersonId | None, user_id: UserId) -> None:
        if person_id is not None and await tx.fetchval(_SQL["is_person_taken"], person_id, user_id):
            raise Conflict("this person has another user; one person is one user")

    async def _tell(
        self,
        tx: Connection,
        kind: str,
        user_id: UserId,
        actor: str,
        at: datetime,
        *,
        person_id: PersonId | None = None,
        reason: str = "",
        **body: Any,
    ) -> int:
        why = {"reason": typed(actor, reason)} if reason else {}
        person = (f"person:{person_id}",) if person_id else ()
        return await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"user:{user_id}", *person),
                body={**body, **why},
            ),
        )


def check_login(login: str) -> str:
    """Return a sign-in name in the form it is compared in.

    Raises:
        InvalidInput: it is empty, too long or not printable.
    """
    name = login.strip().casefold()
    if not 0 < len(name) <= LONGEST_LOGIN or not name.isprintable():
        raise InvalidInput("login", f"must have 1 to {LONGEST_LOGIN} printable characters")
    return name


def check_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """Return roles sorted and without repeats.

    Raises:
        InvalidInput: one of them is not known.
    """
    wanted = sorted(set(roles))
    unknown = [role for role in wanted if role not in {str(known) for known in Role}]
    if unknown:
        raise InvalidInput("roles", f"must be some of {', '.join(Role)}")
    return tuple(wanted)


def user_of(row: asyncpg.Record) -> User:
    """Read a user from its row."""
    return User(
        id=UserId(row["id"]),
        person_id=row["person_id"],
        roles=tuple(row["roles"]),
        one_time=row["one_time"],
        made_at=row["made_at"],
        disabled_at=row["disabled_at"],
        altered_at=row["altered_at"],
        administered_at=row["administered_at"],
        signed_in_at=row["signed_in_at"],
    )
