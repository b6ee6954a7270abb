"""Indexes for what is asked of a catalog of a million videos; a withdrawn video depends on nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

WITHDRAWN = """
DELETE FROM video_source USING render WHERE render.id = render_id AND withdrawn_at IS NOT NULL
"""
BROUGHT_BACK = """
WITH RECURSIVE withdrawn AS (SELECT id, code_version FROM render WHERE withdrawn_at IS NOT NULL),
ancestry (render_id, fingerprint) AS (
    SELECT render_id, artifact FROM stage_run JOIN withdrawn ON withdrawn.id = render_id
    WHERE artifact IS NOT NULL
    UNION
    SELECT ancestry.render_id, edge.source
    FROM ancestry JOIN artifact_input AS edge ON edge.artifact = ancestry.fingerprint
    WHERE edge.source IS NOT NULL
)
INSERT INTO video_source (kind, key, render_id)
SELECT 'reference', uri, render_id FROM render_input JOIN withdrawn ON withdrawn.id = render_id
UNION SELECT 'input', sha256, render_id FROM render_input JOIN withdrawn ON withdrawn.id = render_id
UNION SELECT 'input', edge.sha256, render_id
    FROM ancestry JOIN artifact_input AS edge ON edge.artifact = ancestry.fingerprint
UNION SELECT 'engine', engine_version_id, render_id FROM ancestry JOIN artifact USING (fingerprint)
    WHERE engine_version_id IS NOT NULL
UNION SELECT 'code', code_version, render_id FROM ancestry JOIN artifact USING (fingerprint)
UNION SELECT 'code', code_version, id FROM withdrawn
"""


def upgrade() -> None:
    """Add the indexes, forget what withdrawn videos depended on."""
    op.create_index("ix_request_labels", "request", [sa.text("(body['labels'])")], postgresql_using="gin")
    op.create_index("ix_request_avatar", "request", [sa.text("(body['avatar'] ->> 'uri')")])
    published = sa.text("state = 'published'")
    op.create_index("ix_render_published", "render", ["ended_at", "id"], postgresql_where=published)
    op.create_index("ix_artifact_stage", "artifact", ["stage", "stage_version"])
    left = sa.text("state IN ('running', 'waiting')")
    op.create_index("ix_stage_run_open", "stage_run", ["render_id"], postgresql_where=left)
    op.execute(WITHDRAWN)


def downgrade() -> None:
    """Take all of it back."""
    op.execute(BROUGHT_BACK)
    op.drop_index("ix_stage_run_open", table_name="stage_run")
    op.drop_index("ix_artifact_stage", table_name="artifact")
    op.drop_index("ix_render_published", table_name="render")
    op.drop_index("ix_request_avatar", table_name="request")
    op.drop_index("ix_request_labels", table_name="request")
