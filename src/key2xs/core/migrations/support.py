"""What the migrations share: running Alembic from code, and SQL files beside the revisions.

Alembic orders the revisions and remembers which ran. The schema itself is SQL, because what we sell
(exclusion constraints, guards, partitions, separate roles) has no portable form.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command, op
from alembic.config import Config

_HERE = Path(__file__).parent


def run_sql(revision_file: str) -> None:
    """Execute the `.sql` file beside a revision, all statements in the revision's transaction."""
    sql = Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own multi-statement execute: splitting SQL by hand breaks at the first function body.
    raw = op.get_bind().connection.driver_connection
    assert raw is not None  # noqa: S101 - Alembic always runs us connected
    op.get_bind().connection.dbapi_connection.run_async(lambda connection: connection.execute(sql))  # type: ignore[union-attr]


def refuse_downgrade() -> None:
    """Refuse: a log that somebody relies on is never migrated backwards; restore a backup instead."""
    message = "Key2XS never migrates backwards; restore a backup into a new installation"
    raise RuntimeError(message)


def run_migrations(owner_dsn: str) -> None:
    """Bring the main database to the newest schema. Blocks; call it from no event loop."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["dsn"] = owner_dsn
    command.upgrade(config, "head")


def sqlalchemy_url(dsn: str) -> sa.URL:
    """Turn a plain DSN into SQLAlchemy's form; plain `postgresql://` would ask for another driver."""
    return sa.make_url(dsn).set(drivername="postgresql+asyncpg")
