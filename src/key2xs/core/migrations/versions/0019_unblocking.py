"""Found keys come off the block list; a person's end waits for the shift leader."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
