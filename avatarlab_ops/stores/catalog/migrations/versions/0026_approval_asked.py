"""Since when a render has waited for a person."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """A column, which costs nothing; 0027 fills it, as that takes longer than this lock may."""
    op.add_column("render", sa.Column("approval_asked_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """The stage says that it waits, as before."""
    op.drop_column("render", "approval_asked_at")
