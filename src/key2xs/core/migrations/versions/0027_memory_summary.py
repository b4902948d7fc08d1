"""What is known of memories, summed up as rows arrive."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
