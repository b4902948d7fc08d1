"""Edits made elsewhere become findings, with a policy per security zone."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
