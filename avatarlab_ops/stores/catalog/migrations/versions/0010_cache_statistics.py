"""Indexes for the cache's figures: what is kept by engine and stage, and how stages ended lately."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"


def upgrade() -> None:
    """Widen two indexes, drop the one that the wider one makes superfluous."""
    op.drop_index(op.f("ix_artifact_stage"), table_name="artifact")
    op.drop_index(op.f("ix_artifact_engine_version_id"), table_name="artifact")
    op.create_index(
        "ix_artifact_kept", "artifact", ["engine_version_id", "stage"],
        postgresql_include=["bytes", "evicted_at"],
    )  # fmt: skip
    op.drop_index("ix_stage_run_spent", table_name="stage_run")
    ended = sa.text("state IN ('done', 'cached', 'waiting')")
    op.create_index("ix_stage_run_ended", "stage_run", ["ended_at"], postgresql_where=ended)


def downgrade() -> None:
    """Back to the narrow ones."""
    op.drop_index("ix_stage_run_ended", table_name="stage_run")
    op.create_index(
        "ix_stage_run_spent", "stage_run", ["ended_at"], postgresql_where=sa.text("state = 'done'")
    )
    op.drop_index("ix_artifact_kept", table_name="artifact")
    op.create_index(op.f("ix_artifact_engine_version_id"), "artifact", ["engine_version_id"])
    op.create_index(op.f("ix_artifact_stage"), "artifact", ["stage"])
