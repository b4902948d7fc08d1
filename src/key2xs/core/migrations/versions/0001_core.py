"""Extensions, and the demo's domain time."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
