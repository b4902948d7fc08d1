"""Grants: leases, their cylinders and facts, requests, approvals and the marks of what to decide again."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
