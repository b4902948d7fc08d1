"""Check-ins, kills that wait for the shift leader, and warnings about ways out (S2, S4, S5, S6)."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
