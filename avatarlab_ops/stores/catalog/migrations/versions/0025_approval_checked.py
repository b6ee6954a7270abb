"""What 0024 allows holds of every row: read in a transaction of its own, as others write on meanwhile."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Look at every row, under a lock that lets others read and write."""
    op.execute("ALTER TABLE stage_run VALIDATE CONSTRAINT ck_stage_run_state_known")


def downgrade() -> None:
    """Nothing to take back."""
