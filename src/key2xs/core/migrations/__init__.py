"""The schema, as ordered migrations: `upgrade(owner_dsn)` brings a database to the newest."""

from importlib.resources import files

import asyncpg

from key2xs.core.postgres.roles import blocking

__all__ = ["is_newest", "upgrade", "upgrade_vault"]


def upgrade(owner_dsn: str) -> None:
    """Bring the main database to the newest schema. Blocks; may be called where an event loop runs."""
    if is_newest(owner_dsn):
        return
    # Late: the migration tools take a second to import, and most starts have nothing to migrate.
    from key2xs.core.migrations.support import run_migrations

    run_migrations(owner_dsn)


def upgrade_vault(vault_dsn: str) -> None:
    """Bring the vault's database to its schema. Blocks; may be called where an event loop runs."""
    sql = files("key2xs.core.migrations").joinpath("vault.sql").read_text(encoding="utf-8")
    blocking(_execute(vault_dsn, sql))


def is_newest(owner_dsn: str) -> bool:
    """Tell whether the newest migration of this product ran already. Blocks."""
    return blocking(_stored_revision(owner_dsn)) == _newest_revision()


def _newest_revision() -> str:
    names = [found.name for found in files("key2xs.core.migrations").joinpath("versions").iterdir()]
    return max(name for name in names if name.endswith(".sql")).partition("_")[0]


async def _stored_revision(dsn: str) -> str | None:
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT to_regclass('schema_revision')") is None:
            return None
        stored: str | None = await connection.fetchval("SELECT version_num FROM schema_revision")
        return stored
    finally:
        await connection.close()


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
