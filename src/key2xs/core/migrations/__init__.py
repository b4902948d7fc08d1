"""The schema, as ordered migrations: `upgrade(owner_dsn)` brings a database to the newest."""

from key2xs.core.migrations.support import upgrade, upgrade_vault

__all__ = ["upgrade", "upgrade_vault"]
