"""The plant: areas, units, security zones, assets, access points, cylinders and what maps to what."""

from key2xs.core.migrations.support import refuse_downgrade, run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql(__file__)


def downgrade() -> None:
    """Never: see `refuse_downgrade`."""
    refuse_downgrade()
