"""Videos that somebody approves before they are published."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
BEFORE = ("running", "waiting", "done", "cached", "not_needed", "failed")


def _allow(states: tuple[str, ...]) -> None:
    """Without a look at what is there, which every state before fits: no long lock."""
    name = op.f("ck_stage_run_state_known")
    listed = ", ".join(f"'{state}'" for state in states)
    op.drop_constraint(name, "stage_run")
    op.execute(f"ALTER TABLE stage_run ADD CONSTRAINT {name} CHECK (state IN ({listed})) NOT VALID")


def upgrade() -> None:
    """Two columns, which cost nothing, and one more state."""
    op.add_column("render", sa.Column("approved_by", sa.Text(), nullable=True))
    op.add_column("render", sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True))
    _allow(("running", "waiting", "awaiting_approval", "done", "cached", "not_needed", "failed"))


def downgrade() -> None:
    """Who waits for a person waits for equal work, and is asked for again."""
    op.execute("UPDATE stage_run SET state = 'waiting' WHERE state = 'awaiting_approval'")
    _allow(BEFORE)
    op.execute("ALTER TABLE stage_run VALIDATE CONSTRAINT ck_stage_run_state_known")
    op.drop_column("render", "approved_at")
    op.drop_column("render", "approved_by")
