"""What streams of events look for; and who recorded a consent."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Every consent so far was recorded by an operator."""
    op.create_index("ix_render_ended", "render", ["ended_at"])
    withdrawn = sa.text("withdrawn_at IS NOT NULL")
    op.create_index("ix_render_withdrawn", "render", ["withdrawn_at"], postgresql_where=withdrawn)
    op.add_column("consent", sa.Column("recorded_by", sa.Text(), nullable=True))


def downgrade() -> None:
    """Only operators revoke."""
    op.drop_column("consent", "recorded_by")
    op.drop_index("ix_render_withdrawn", "render")
    op.drop_index("ix_render_ended", "render")
