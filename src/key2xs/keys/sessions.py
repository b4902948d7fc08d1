"""Vendor sessions, kept so that whoever takes over a connection can end its predecessor's.

Each worker keeps its own: with one place for all, the last to sign in would hide a stalled one's session, and a late
write could still land in it.
"""

import os
from datetime import datetime

from key2xs.core.database import Database
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased, Vault

from .port import StoredSession

_SQL = load_queries("key2xs.keys")
_HOOKS = load_queries("key2xs.keys", "queries_hooks.sql")


def this_worker(part: str = "") -> str:
    """Name this process, or a part of it, among all workers."""
    return ":".join(filter(None, [os.uname().nodename, part, str(os.getpid())]))


class SealedSessions:
    """The session of one worker at one key system. Its id is a password as long as it lives, so it is sealed."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        system_id: KeySystemId,
        worker: str | None = None,
        *,
        account: str = "",
    ) -> None:
        """Keep the session of `worker` at `system_id`, sealed under the system's own key in the vault.

        `account`: which of several users signs in; each has a worker's name of its own.
        """
        self._database, self._vault, self._system_id = database, vault, system_id
        self._worker, self._account = worker or this_worker(account), account

    async def load(self) -> StoredSession | None:
        """Return the session that was stored last, or None."""
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(_SQL["load_session"], self._system_id, self._worker)
        if row is None:
            return None
        secret = await self._vault.open(self._system_id, row["sealed"])
        if isinstance(secret, Erased):
            return None
        return StoredSession(secret, row["base_url"], row["opened_at"])

    async def save(self, session: StoredSession) -> None:
        """Keep `session`; called before it is used for anything else."""
        sealed = await self._vault.seal(self._system_id, session.secret)
        async with self._database.transaction() as tx:
            await tx.execute(
                _SQL["save_session"],
                self._system_id,
                self._worker,
                sealed,
                session.base_url,
                session.opened_at,
            )
            await tx.execute(_HOOKS["note_signed_in"], self._system_id, self._account)

    async def clear(self) -> None:
        """Forget the stored session; called after the vendor ended it."""
        async with self._database.transaction() as tx:
            await tx.execute(_SQL["clear_session"], self._system_id, self._worker)

    async def may_sign_in_again(self, refused_at: datetime) -> bool:
        """Say whether to try after a refusal for good: one worker does once a person asked, the others when that worked."""
        async with self._database.transaction() as tx:
            mine = self._system_id, self._account, refused_at
            if await tx.fetchval(_HOOKS["take_sign_in"], *mine):
                return True
            return bool(await tx.fetchval(_HOOKS["sign_in_worked"], *mine))

    async def others(self) -> tuple["SealedSessions", ...]:
        """Return the stores of the other workers that left a session here."""
        async with self._database.transaction() as tx:
            rows = await tx.fetch(_SQL["other_sessions"], self._system_id, self._worker)
        return tuple(
            SealedSessions(self._database, self._vault, self._system_id, row["worker"]) for row in rows
        )
