"""Adoption runs, what adopted keys keep, the brake on bulk writes, visits to locks and keys."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
