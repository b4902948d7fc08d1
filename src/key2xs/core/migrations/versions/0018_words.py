"""What people typed as reasons is sealed in tables too."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
