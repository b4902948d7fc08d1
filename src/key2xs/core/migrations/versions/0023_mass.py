"""Acts on many grants: dry run, progress, pause."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
