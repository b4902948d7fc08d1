"""Keys: systems, keys, custody, locks, rights, targets, programs, lock events and who may open what."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
