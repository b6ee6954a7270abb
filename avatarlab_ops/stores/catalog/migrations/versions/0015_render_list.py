"""Renders are listed newest first, a page at a time."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """One index carries the page's order."""
    op.create_index("ix_render_created", "render", ["created_at", "id"])


def downgrade() -> None:
    """Without it a page sorts every render."""
    op.drop_index("ix_render_created", "render")
