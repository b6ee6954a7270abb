"""A stage may wait for equal work elsewhere; feedback lives in the document store."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

STATES = ("running", "waiting", "done", "cached", "not_needed", "failed")


def _allow(states: tuple[str, ...]) -> None:
    name = op.f("ck_stage_run_state_known")
    op.drop_constraint(name, "stage_run")
    op.create_check_constraint(name, "stage_run", f"state IN ({', '.join(repr(state) for state in states)})")


def upgrade() -> None:
    """Allow the state, drop the table that nothing ever wrote to."""
    _allow(STATES)
    op.drop_index(op.f("ix_feedback_render_id"), table_name="feedback")
    op.drop_table("feedback")


def downgrade() -> None:
    """Bring the empty table back; who waits counts as running."""
    op.execute("UPDATE stage_run SET state = 'running' WHERE state = 'waiting'")
    _allow(tuple(state for state in STATES if state != "waiting"))
    op.create_table(
        "feedback",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("rating", sa.BigInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["render_id"], ["render.id"], name=op.f("fk_feedback_render_id_render")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_render_id"), "feedback", ["render_id"], unique=False)
