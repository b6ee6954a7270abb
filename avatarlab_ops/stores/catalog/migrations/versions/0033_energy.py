"""What energy a stage took, where its device tells."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """A column, which costs nothing; of stages before nobody knows."""
    op.add_column("stage_run", sa.Column("energy_j", sa.Double(), nullable=True))


def downgrade() -> None:
    """The joules are lost."""
    op.drop_column("stage_run", "energy_j")
