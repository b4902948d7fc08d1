"""Due times, transfers, crew keys, lost and found, cabinets."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
