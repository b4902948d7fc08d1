"""Paper permits, sealed emergency keys, outages and drills."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
