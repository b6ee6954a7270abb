"""What each video depends on, and outbox rows that are given up."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

WAITING = sa.text("delivered_at IS NULL AND dead_at IS NULL")

# The closure of stage_run and artifact_input for every video published so far, as publication writes it now.
FILL = """
WITH RECURSIVE ancestry (render_id, fingerprint) AS (
    SELECT stage_run.render_id, stage_run.artifact
    FROM stage_run JOIN render ON render.id = stage_run.render_id AND render.state = 'published'
    WHERE stage_run.artifact IS NOT NULL
    UNION
    SELECT ancestry.render_id, edge.source
    FROM ancestry JOIN artifact_input AS edge ON edge.artifact = ancestry.fingerprint
    WHERE edge.source IS NOT NULL
),
given AS (
    SELECT render_input.* FROM render_input JOIN render ON render.id = render_id AND state = 'published'
)
INSERT INTO video_source (kind, key, render_id)
SELECT 'reference', uri, render_id FROM given
UNION SELECT 'input', sha256, render_id FROM given
UNION SELECT 'input', edge.sha256, render_id
    FROM ancestry JOIN artifact_input AS edge ON edge.artifact = ancestry.fingerprint
UNION SELECT 'engine', engine_version_id, render_id FROM ancestry JOIN artifact USING (fingerprint)
    WHERE engine_version_id IS NOT NULL
UNION SELECT 'code', code_version, render_id FROM ancestry JOIN artifact USING (fingerprint)
UNION SELECT 'code', code_version, id FROM render WHERE state = 'published'
"""


def upgrade() -> None:
    """Add the table and fill it; add the state of dead letters and the indexes of the relay."""
    op.create_table(
        "video_source",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('reference', 'input', 'engine', 'code')", name=op.f("ck_video_source_kind_known")
        ),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_video_source_render_id_render")),
        sa.PrimaryKeyConstraint("kind", "key", "render_id", name=op.f("pk_video_source")),
    )
    op.execute(FILL)
    op.create_index(op.f("ix_video_source_render_id"), "video_source", ["render_id"])
    op.add_column("outbox", sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_outbox_waiting", table_name="outbox")
    op.create_index("ix_outbox_waiting", "outbox", ["id"], postgresql_where=WAITING)
    op.create_index("ix_outbox_render_waiting", "outbox", ["render_id", "id"], postgresql_where=WAITING)
    op.create_index("ix_outbox_dead", "outbox", ["id"], postgresql_where=sa.text("dead_at IS NOT NULL"))


def downgrade() -> None:
    """Take all of it back; dead letters become waiting ones again."""
    op.drop_index("ix_outbox_dead", table_name="outbox")
    op.drop_index("ix_outbox_render_waiting", table_name="outbox")
    op.drop_index("ix_outbox_waiting", table_name="outbox")
    op.drop_column("outbox", "dead_at")
    op.create_index(
        "ix_outbox_waiting", "outbox", ["next_at"], postgresql_where=sa.text("delivered_at IS NULL")
    )
    op.drop_table("video_source")
