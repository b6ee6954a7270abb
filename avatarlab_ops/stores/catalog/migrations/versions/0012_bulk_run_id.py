"""A bulk run knows which run of Airflow works on it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column; of bulk runs that were planned before, no run is known."""
    op.add_column("bulk_run", sa.Column("run_id", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove the column."""
    op.drop_column("bulk_run", "run_id")
