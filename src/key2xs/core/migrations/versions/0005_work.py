"""Work: permits, what was told about them, who is on them, and stops."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
