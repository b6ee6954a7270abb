"""Renders are listed by caller, avatar, label and state, each in the list's order."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
TAGS = """
INSERT INTO render_tag (kind, value, created_at, render_id)
SELECT tag.kind, tag.value, render.created_at, render.id
FROM render JOIN request ON request.id = render.request_id, LATERAL (
    SELECT 'caller', request.caller
    UNION ALL SELECT 'avatar', request.body -> 'avatar' ->> 'uri'
    UNION ALL SELECT 'label', one.key || ':' || one.value
        FROM jsonb_each_text(request.body -> 'labels') AS one
) AS tag (kind, value)
WHERE tag.value IS NOT NULL
ORDER BY 1, 2, 3, 4
"""


def upgrade() -> None:
    """One row for each thing that a render is found by."""
    op.create_table(
        "render_tag",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("render_id", sa.Text(), nullable=False),
    )
    op.execute("LOCK TABLE render IN SHARE ROW EXCLUSIVE MODE")  # none is accepted that the copy misses
    op.execute(TAGS)
    op.create_primary_key("pk_render_tag", "render_tag", ["kind", "value", "created_at", "render_id"])
    op.create_foreign_key("fk_render_tag_render_id_render", "render_tag", "render", ["render_id"], ["id"])
    op.create_index("ix_render_tag_render_id", "render_tag", ["render_id"])
    op.create_index("ix_render_state_created", "render", ["state", "created_at", "id"])
    op.drop_index("ix_render_state", "render")


def downgrade() -> None:
    """A page of a rare filter walks over every render."""
    op.create_index("ix_render_state", "render", ["state"])
    op.drop_index("ix_render_state_created", "render")
    op.drop_table("render_tag")
