"""Stages are found by their end and while they are open, renders while they wait for a person.

Each index is built while others write on, outside of a transaction; one that was cut short is built anew.
"""

from alembic import op

revision = "0027"
down_revision = "0026"
BEFORE = {
    "ix_stage_run_ended": "stage_run (ended_at) WHERE state IN ('done', 'cached', 'waiting')",
    "ix_stage_run_open": "stage_run (render_id) WHERE state IN ('running', 'waiting')",
}
AFTER = {
    "ix_stage_run_ended": "stage_run (ended_at) WHERE ended_at IS NOT NULL",
    "ix_stage_run_open": "stage_run (render_id) WHERE state IN ('running', 'waiting', 'awaiting_approval')",
    "ix_render_asked": "render (created_at, id) WHERE approval_asked_at IS NOT NULL AND approved_at IS NULL "
    "AND state = 'running'",
}
ASKED = """
UPDATE render SET approval_asked_at = stage_run.ended_at FROM stage_run
WHERE stage_run.render_id = render.id AND stage_run.state = 'awaiting_approval'
    AND stage_run.state IN ('running', 'waiting', 'awaiting_approval')
"""


def _build(indexes: dict[str, str]) -> None:
    with op.get_context().autocommit_block():
        for name, of in indexes.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {of}")


def upgrade() -> None:
    """What waits already has waited since its stage said so."""
    _build(AFTER)
    op.execute(ASKED)


def downgrade() -> None:
    """Figures look at every stage again."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY ix_render_asked")
    _build(BEFORE)
