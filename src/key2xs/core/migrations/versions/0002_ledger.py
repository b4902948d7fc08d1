"""The log: entries, bodies, leaves, tiles, checkpoints, streams and readers."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
