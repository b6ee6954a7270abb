"""A bulk run may have a deadline."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Two columns, which cost nothing."""
    op.add_column("bulk_run", sa.Column("deadline", sa.DateTime(timezone=True), nullable=True))
    op.add_column("bulk_run", sa.Column("late_told_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """No run has one."""
    op.drop_column("bulk_run", "late_told_at")
    op.drop_column("bulk_run", "deadline")
