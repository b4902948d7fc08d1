"""Pace and daily quota of each key system."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
