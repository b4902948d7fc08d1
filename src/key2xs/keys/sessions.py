"""Vendor sessions, kept so that whoever takes over a connection can end its predecessor's."""

from key2xs.core.database import Database
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased, Vault

from .port import StoredSession

_SQL = load_queries("key2xs.keys")


class SealedSessions:
    """The one session of one key system. Its id is a password as long as it lives, so it is stored sealed."""

    def __init__(self, database: Database, vault: Vault, system_id: KeySystemId) -> None:
        """Keep the session of `system_id`, sealed under the system's own key in the vault."""
        self._database, self._vault, self._system_id = database, vault, system_id

    async def load(self) -> StoredSession | None:
        """Return the session that was stored last, or None."""
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(_SQL["load_session"], self._system_id)
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
                _SQL["save_session"], self._system_id, sealed, session.base_url, session.opened_at
            )

    async def clear(self) -> None:
        """Forget the stored session; called after the vendor ended it."""
        async with self._database.transaction() as tx:
            await tx.execute(_SQL["clear_session"], self._system_id)
