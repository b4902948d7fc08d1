"""Users, sign-in sessions, API tokens, acts that wait for a second person, and answers kept for repeats."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0010"
down_revision = "0008"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
