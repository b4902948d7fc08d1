"""Policy bundles: what was proposed, by whom, who agreed, and when each was in force."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
