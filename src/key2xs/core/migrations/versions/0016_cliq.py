"""What a second key system needs: schedules, updaters, programming keys, visits per cylinder."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
