"""API tokens: for machines and the command line, each with its own permissions and an end."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import UserId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger, typed

from .authority import Authority
from .permissions import parse_permissions
from .secrets import TOKEN_PREFIX, digest, new_secret
from .types import Principal, Token
from .users import Users

_SQL = load_queries("key2xs.access")

LONGEST_LIFE: Final = timedelta(days=365)
LONGEST_LABEL: Final = 100  # characters
_PAGE: Final = 500


class Tokens:
    """Making, finding and revoking tokens."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        users: Users,
        authority: Authority,
        clock: Clock,
        wall: Clock,
    ) -> None:
        """`clock` gives domain time for the log, `wall` real time for the tokens' ends."""
        self._database, self._ledger, self._users, self._authority = database, ledger, users, authority
        self._clock, self._wall = clock, wall

    async def make(
        self,
        tx: Connection,
        *,
        owner_id: UserId,
        label: str,
        permissions: Iterable[str],
        valid_for: timedelta,
        actor: str,
        reason: str = "",
    ) -> tuple[UUID, str]:
        """Make a token and return its id and its secret, which is shown this once.

        Raises:
            NotFound: no such owner.
            InvalidInput: no label, a permission that is not known or that the owner lacks, or too long a life.
        """
        name, names = label.strip(), sorted(set(permissions))
        if not 0 < len(name) <= LONGEST_LABEL:
            raise InvalidInput("label", f"must have 1 to {LONGEST_LABEL} characters")
        if not timedelta(0) < valid_for <= LONGEST_LIFE:
            raise InvalidInput("valid_for", f"must be more than nothing and at most {LONGEST_LIFE.days} days")
        wanted = parse_permissions(names)
        if not wanted or len(wanted) < len(names):
            raise InvalidInput("permissions", "name one or more that exist")
        owner = await self._users.get(tx, owner_id)
        if owner.disabled_at is not None:
            raise Conflict("the owner is disabled")
        held = await self._authority.holdings(tx, owner.roles)
        beyond = wanted - held.everywhere - held.somewhere
        if beyond:
            raise InvalidInput("permissions", f"the owner lacks {', '.join(sorted(beyond))}")
        token_id, secret = new_id(), TOKEN_PREFIX + new_secret()
        entry = await self._tell(
            tx, "access:token:create", token_id, owner_id, actor, label=name, permissions=names, reason=reason
        )
        now = self._wall.now()
        await tx.execute(
            _SQL["insert_token"], token_id, digest(secret), name, owner_id, names, now, now + valid_for, entry
        )
        return token_id, secret

    async def recognise(self, secret: str) -> Principal | None:
        """Return who a bearer token stands for, or None. It may do what both token and owner may."""
        if not secret.startswith(TOKEN_PREFIX):
            return None
        async with self._database.read() as tx:
            row = await tx.fetchrow(_SQL["find_token"], digest(secret), self._wall.now())
            if row is None:
                return None
            held = await self._authority.holdings(tx, tuple(row["roles"]))
        today = self._wall.now().date()
        if row["used_on"] != today:
            async with self._database.transaction() as tx:
                await tx.execute(_SQL["note_token_use"], row["id"], today)
        made_for = parse_permissions(row["permissions"])
        return Principal(
            kind="token",
            user_id=UserId(row["owner_id"]),
            person_id=row["person_id"],
            roles=tuple(row["roles"]),
            permissions=held.everywhere & made_for,
            actor=f"token:{row['id']}",
            holdings=replace(held, somewhere=held.somewhere & made_for),
        )

    async def list(
        self, tx: Connection, *, owner_id: UserId | None = None, limit: int = _PAGE
    ) -> list[Token]:
        """Return tokens, the newest first; never their secrets, which nobody has."""
        return [token_of(row) for row in await tx.fetch(_SQL["list_tokens"], owner_id, limit)]

    async def revoke(self, tx: Connection, token_id: UUID, *, actor: str, reason: str = "") -> None:
        """Make a token count no more.

        Raises:
            NotFound: no such token.
            Conflict: it is so already.
        """
        row = await tx.fetchrow(_SQL["lock_token"], token_id)
        if row is None:
            raise NotFound(f"there is no token {token_id}")
        if row["revoked_at"] is not None:
            raise Conflict("the token is revoked already")
        entry = await self._tell(
            tx, "access:token:revoke", token_id, UserId(row["owner_id"]), actor, reason=reason
        )
        await tx.execute(_SQL["revoke_token"], token_id, self._wall.now(), entry)

    async def _tell(
        self,
        tx: Connection,
        kind: str,
        token_id: UUID,
        owner_id: UserId,
        actor: str,
        *,
        reason: str = "",
        **body: Any,
    ) -> int:
        at = self._clock.now()
        why = {"reason": typed(actor, reason)} if reason else {}
        return await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"token:{token_id}", f"user:{owner_id}"),
                body={**body, **why},
            ),
        )


def token_of(row: asyncpg.Record) -> Token:
    """Read a token from its row."""
    return Token(
        id=row["id"],
        label=row["label"],
        owner_id=UserId(row["owner_id"]),
        permissions=parse_permissions(row["permissions"]),
        made_at=row["made_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        used_on=row["used_on"],
    )
