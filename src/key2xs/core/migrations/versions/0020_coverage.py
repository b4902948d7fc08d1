"""How far the memories of locks and keys were read."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
