"""What stays of a withdrawn video, signed."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Housekeeping signs those of videos that were withdrawn before."""
    op.create_table(
        "tombstone",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_tombstone_render_id_render")),
        sa.PrimaryKeyConstraint("render_id", name=op.f("pk_tombstone")),
    )


def downgrade() -> None:
    """That a video was withdrawn, its row still says."""
    op.drop_table("tombstone")
