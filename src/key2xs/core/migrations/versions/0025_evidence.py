"""Evidence coverage warns before memories are overwritten; findings re-open bounds."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
