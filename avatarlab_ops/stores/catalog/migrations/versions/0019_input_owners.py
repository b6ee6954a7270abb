"""Who brought an input, and whether others may use it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """What is in the store already has no owner: everybody may use it, as before."""
    op.create_table(
        "input_owner",
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("uri", "caller", name=op.f("pk_input_owner")),
    )


def downgrade() -> None:
    """Every input is everybody's."""
    op.drop_table("input_owner")
