"""People, companies, contracts, qualifications, roles and duties; what each IAM said about them."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
