"""Alembic's entry point: connect as the owner and run what has not run yet."""

import asyncio

import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from key2xs.core.migrations.support import sqlalchemy_url

# Two processes starting together must not both migrate; the second waits and then finds nothing to do.
_MIGRATION_LOCK = 0x6B327873  # "k2xs"


def _migrate(connection: sa.Connection) -> None:
    context.configure(connection=connection, version_table="schema_revision")
    with context.begin_transaction():
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        context.run_migrations()


async def _run() -> None:
    engine = create_async_engine(sqlalchemy_url(context.config.attributes["dsn"]), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(_run())
